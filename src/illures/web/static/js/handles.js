// Handles of the lamps over the picture; each is a slider for screen readers.

import { $, make } from "./ui.js";
import { directionOf, hexOf } from "./sh.js";

const MARGIN = 16; // handles of lamps that stand outside the picture stay this far inside its edge [px]

export class LampHandles {
  constructor(stage) {
    this.stage = stage;
    this.lamps = [];
  }

  get all() {
    return [...$("overlay").querySelectorAll(".lamp")];
  }

  indexOf(handle) {
    return this.all.indexOf(handle);
  }

  /** Show lamps as they are placed; index of the chosen one. */
  set(lamps, selected) {
    this.lamps = lamps;
    this.all.slice(lamps.length).forEach((handle) => handle.remove());
    for (let k = this.all.length; k < lamps.length; k++) $("overlay").append(this.makeHandle(k));
    this.all.forEach((handle, k) => {
      const { azimuth, elevation, rgb } = lamps[k];
      const colour = hexOf(rgb);
      handle.style.setProperty("--colour", colour);
      handle.style.setProperty("--glow", `${colour}66`);
      handle.classList.toggle("behind", directionOf(azimuth, elevation)[2] < 0);
      handle.setAttribute("aria-current", String(k === selected));
      handle.setAttribute("aria-valuenow", Math.round(azimuth));
      handle.setAttribute("aria-valuetext", anglesInWords(azimuth, elevation));
    });
    this.place();
  }

  makeHandle(index) {
    const attributes = { role: "slider", "aria-label": `Lamp ${index + 1}`, "aria-valuemin": -180, "aria-valuemax": 180 };
    const handle = make("button", { className: "lamp", attributes });
    handle.addEventListener("focus", () => this.stage.emit("select", { index }));
    return handle;
  }

  place() {
    const { stage } = this;
    if (!stage.maps || !stage.size) return;
    this.all.forEach((handle, k) => {
      handle.hidden = stage.tool !== "light";
      const [x, y] = stage.toScreen(stage.pointOf(this.lamps[k].azimuth, this.lamps[k].elevation));
      const inside = (v, most) => Math.max(MARGIN, Math.min(most - MARGIN, v));
      handle.style.transform = `translate(${inside(x, stage.size.width)}px, ${inside(y, stage.size.height)}px)`;
    });
  }
}

/** "30° right, 20° up, from behind" */
export function anglesInWords(azimuth, elevation) {
  const side = Math.round(azimuth);
  const height = Math.round(elevation);
  const across = side === 0 ? "in front" : `${Math.abs(side)}° ${side > 0 ? "right" : "left"}`;
  const up = height === 0 ? "level" : `${Math.abs(height)}° ${height > 0 ? "up" : "down"}`;
  return `${across}, ${up}${Math.abs(side) > 90 ? ", from behind" : ""}`;
}
