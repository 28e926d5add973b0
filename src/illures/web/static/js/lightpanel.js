// The light page of the panel: looks, lamps, and all of the light.

import { $, busy, make, radios, say, slider } from "./ui.js";
import { MOST_LAMPS } from "./light.js";
import { hexOf, linearOf } from "./sh.js";
import { anglesInWords } from "./handles.js";
import * as api from "./api.js";

const OWN = { name: "own", about: "the light of the photo itself" };
const degrees = (value) => `${Math.round(value)}°`;
const percent = (value) => `${Math.round(100 * value)} %`;

export class LightPanel {
  /** studio: see main.js; asks it for the light, the look, and to remember changes. */
  constructor(studio) {
    this.studio = studio;
    this.presets = [];
    const edit = (field) => (value) => studio.change(() => this.light.edit({ [field]: value }));
    const lamp = (field) => (value) => studio.change(() => this.light.editLamp(this.light.selected, { [field]: value }));
    this.set = {
      exposure: slider("exposure", (v) => `${v > 0 ? "+" : ""}${v.toFixed(2)} stops`, edit("exposure")),
      strength: slider("strength", percent, edit("strength")),
      rotation: slider("rotation", degrees, edit("rotation")),
      kept: slider("kept", percent, (value) => studio.changeLook({ kept: value })),
      lampStrength: slider("lamp-strength", (v) => v.toFixed(2), lamp("strength")),
      lampRadius: slider("lamp-radius", (v) => (v < 4 ? `${v}° hard` : v > 24 ? `${v}° soft` : `${v}°`), lamp("radius")),
      lampAzimuth: slider("lamp-azimuth", degrees, lamp("azimuth")),
      lampElevation: slider("lamp-elevation", degrees, lamp("elevation")),
    };
    $("lamp-colour").addEventListener("input", (event) => {
      const rgb = linearOf(event.target.value);
      const most = Math.max(...rgb, 1e-3);
      studio.change(() => this.light.editLamp(this.light.selected, { rgb: rgb.map((v) => v / most) }));
    });
    $("shadows").addEventListener("change", (event) => studio.changeLook({ shadows: event.target.checked }));
    $("match").addEventListener("change", (event) => studio.changeLook({ match: event.target.checked }));
    $("add-lamp").addEventListener("click", () => this.add());
    $("remove-lamp").addEventListener("click", () => {
      studio.change(() => this.light.removeLamp(this.light.selected));
      say("Lamp removed");
    });
    this.chooseLook = radios($("looks"), (item) => this.take(item.dataset.name));
    this.chooseLamp = radios($("lamps"), (item) => this.light.edit({ selected: +item.dataset.index }));
    this.listenFiles();
  }

  get light() {
    return this.studio.light;
  }

  /** Another face: its presets. */
  open(presets) {
    this.presets = presets;
    const looks = [OWN, ...presets].map(({ name, about }) => {
      const canvas = make("canvas", { width: 96, height: 96, attributes: { "aria-hidden": "true" } });
      const attributes = { role: "radio", "aria-checked": "false", "data-name": name, title: about };
      return make("button", { attributes }, canvas, make("span", { textContent: titleOf(name) }));
    });
    $("looks").replaceChildren(...looks);
    $("looks").scrollTop = 0;
    this.update();
  }

  /** Draw the looks on this face: draw(list of SH lights, undefined for the photo's own) gives ImageData of 96 x 96. */
  drawLooks(draw) {
    const items = [...$("looks").children];
    const images = draw([undefined, ...this.presets.map(({ light }) => light.sh)]);
    items.forEach((item, k) => item.firstChild.getContext("2d").putImageData(images[k], 0, 0));
  }

  take(name) {
    const preset = this.presets.find((each) => each.name === name);
    this.studio.change(() => {
      if (preset) this.light.set(preset.light, name);
      else this.light.reset();
      if (!preset) this.studio.setLook({ kept: 1 });
    }, true);
    say(`${titleOf(name)}: ${preset?.about ?? OWN.about}`);
  }

  add() {
    if (this.light.lamps.length >= MOST_LAMPS) {
      say(`There are ${MOST_LAMPS} lamps, which is the most`);
      return;
    }
    const side = this.light.lamps.length % 2 ? -1 : 1;
    this.studio.change(() => this.light.addLamp(side * 45, 25), true);
    say(`Lamp ${this.light.lamps.length} added`);
  }

  listenFiles() {
    const kinds = { "from-hdri": ["hdri", ".hdr,.exr,.npy"], "from-photo": ["photo", "image/*,.heic,.avif,.exr,.tif,.tiff"], "from-json": ["json", ".json"] };
    for (const [id, [kind, accept]] of Object.entries(kinds)) {
      $(id).addEventListener("click", () => {
        Object.assign($("light-file"), { accept, value: "" });
        this.kind = kind;
        $("light-file").click();
      });
    }
    $("light-file").addEventListener("change", () => {
      const [file] = $("light-file").files;
      if (file) this.load(file, this.kind);
    });
  }

  /** Take the light of a file: kind "hdri", "photo" or "json". */
  async load(file, kind) {
    const { photo, face } = this.studio;
    const light = await busy(kind === "photo" ? "Reading the light off the other face" : "Reading the light", () =>
      api.lightOf(photo.id, face, kind, file, $("keep-colour").checked));
    if (!light) return;
    this.studio.change(() => this.light.set(light, file.name), true);
    say(`Light of ${file.name}`);
  }

  /** Show what the light is now. */
  update() {
    const { light } = this;
    const item = [...$("looks").children].find(({ dataset }) => dataset.name === light.name);
    this.chooseLook(item ?? null);
    $("look-name").textContent = light.name === "custom" ? "Own set-up" : item ? titleOf(light.name) : light.name;
    this.set.exposure(light.exposure);
    this.set.strength(light.strength);
    this.set.rotation(light.rotation);
    this.updateLamps();
  }

  updateLook({ kept, shadows, match }) {
    this.set.kept(kept);
    $("kept").disabled = shadows;
    $("shadows").checked = shadows;
    $("match").checked = match;
  }

  updateLamps() {
    const { lamps, selected } = this.light;
    const group = $("lamps");
    while (group.children.length > lamps.length) group.lastChild.remove();
    while (group.children.length < lamps.length) {
      const attributes = { role: "radio", "data-index": group.children.length };
      group.append(make("button", { textContent: `Lamp ${group.children.length + 1}`, attributes }));
    }
    [...group.children].forEach((item, k) => {
      item.style.setProperty("--colour", hexOf(lamps[k].rgb));
      item.setAttribute("aria-label", `Lamp ${k + 1}, ${anglesInWords(lamps[k].azimuth, lamps[k].elevation)}`);
    });
    this.chooseLamp(group.children[selected] ?? null);
    $("add-lamp").disabled = lamps.length >= MOST_LAMPS;
    $("no-lamps").hidden = lamps.length > 0;
    const lamp = lamps[selected];
    $("lamp-fields").hidden = !lamp;
    if (!lamp) return;
    $("lamp-colour").value = $("lamp-hex").textContent = hexOf(lamp.rgb);
    this.set.lampStrength(lamp.strength);
    this.set.lampRadius(lamp.radius);
    this.set.lampAzimuth(lamp.azimuth);
    this.set.lampElevation(lamp.elevation);
  }
}

/** "golden-hour" as "Golden hour" */
export function titleOf(name) {
  if (name === "own") return "As shot";
  const words = name.replaceAll("-", " ");
  return words[0].toUpperCase() + words.slice(1);
}
