// The save page of the panel.

import { $, busy, make, radios, save, say } from "./ui.js";
import * as api from "./api.js";

const MAPS = ["albedo", "normal", "shading", "residual", "reconstruction", "mask", "matte"];
const SUFFIX = { jpg: "jpg", png: "png", png16: "png" };

export class SavePanel {
  constructor(studio) {
    this.studio = studio;
    this.bits = "png";
    radios($("bits"), ({ dataset }) => { this.bits = dataset.kind; });
    $("map-buttons").replaceChildren(...MAPS.map((name) => {
      const button = make("button", { attributes: { "data-map": name } });
      button.innerHTML = '<svg><use href="#i-down"/></svg>';
      button.append(name[0].toUpperCase() + name.slice(1));
      button.addEventListener("click", () => this.fetch({ what: name, kind: this.bits }, `${this.stem}-${name}.png`));
      return button;
    }));
    $("save-relit").addEventListener("click", () => {
      const kind = $("kind").value;
      this.fetch({ what: "relit", kind }, `${this.stem}-relit.${SUFFIX[kind]}`);
    });
    $("save-zip").addEventListener("click", () => {
      const kind = $("kind").value === "png16" || this.bits === "png16" ? "png16" : "png";
      this.fetch({ what: "zip", kind }, `${this.stem}.zip`);
    });
    $("save-light").addEventListener("click", () => this.saveLight());
    $("save-view").addEventListener("click", () => this.saveView());
  }

  get stem() {
    return this.studio.photo.name.replace(/\.[^.]*$/, "") || "photo";
  }

  open() {
    const { width, height } = this.studio.photo;
    $("full-size").textContent = `${width} × ${height}`;
  }

  async fetch(order, name) {
    const { photo, face, look, light, paint } = this.studio;
    const { kept, shadows, match } = look;
    const blob = await busy(order.what === "zip" ? "Putting everything together" : "Rendering at full resolution", async () => {
      const layer = await paint.toPNG();
      return api.file(photo.id, face, { ...order, light: light.toDict(), kept, shadows, match }, layer);
    });
    if (!blob) return;
    save(blob, name);
    say(`Saved ${name}`);
  }

  saveLight() {
    const text = JSON.stringify({ about: CONVENTION, ...this.studio.light.toDict() }, null, 1);
    save(new Blob([`${text}\n`], { type: "application/json" }), `${this.stem}-light.json`);
    say("Saved the light");
  }

  saveView() {
    const { maps, renderer, look } = this.studio;
    const image = renderer.picture(this.studio.drawn({ split: -1 }), { x: 0, y: 0, width: maps.width, height: maps.height }, maps.width, maps.height);
    const canvas = Object.assign(document.createElement("canvas"), { width: maps.width, height: maps.height });
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.toBlob((blob) => save(blob, `${this.stem}-${look.mode}-view.png`), "image/png");
    say("Saved this view");
  }
}

const CONVENTION =
  "sh: 9 x 3 coefficients of linear RGB radiance, real orthonormal spherical harmonics [1, y, z, x, xy, yz, 3zz-1, xz, xx-yy], " +
  "x right, y up, z toward the viewer; lamps are part of it. illures relight --light reads this file.";
