// The strip of views below the picture, the pictures of the looks, and the histogram.

import { $, make, radios, settled } from "./ui.js";
import { drawHistogram } from "./meters.js";
import { titleOf } from "./lightpanel.js";

// Of the residual this stays when the light is changed for the first time: half of the old highlights and shadows.
export const KEPT_WHEN_MOVED = 0.5;
const VIEWS = ["relit", "photo", "albedo", "normal", "shading", "residual", "rebuilt"];
const HISTOGRAM_WIDTH = 160;

export class Views {
  constructor(studio) {
    this.studio = studio;
    this.drawLater = settled(() => this.draw(), 140);
    $("views").replaceChildren(...VIEWS.map((name, k) => {
      const attributes = { role: "radio", "aria-checked": "false", "data-view": name, title: `${titleOf(name)} (${k + 1})` };
      const canvas = make("canvas", { width: 128, height: 96, attributes: { "aria-hidden": "true" } });
      return make("button", { attributes }, canvas, make("span", { textContent: titleOf(name) }));
    }));
    this.mark = radios($("views"), ({ dataset }) => studio.setLook({ mode: dataset.view }));
  }

  /** Mark a view as the one that is shown. */
  choose(name) {
    this.mark(document.querySelector(`[data-view="${name}"]`));
  }

  /** Show a view by its number. */
  show(number) {
    $("views").children[number]?.click();
  }

  /** Pictures of the face, 96 x 96, under SH lights; undefined is the photo's own. */
  looks(lights) {
    const { maps, stage } = this.studio;
    const look = (sh) => ({ mode: "relit", gain: null, light: sh ?? maps.light, kept: sh ? KEPT_WHEN_MOVED : 1 });
    return this.small(lights.map(look), stage.faceView(1, 1.35), 96, 96);
  }

  draw() {
    const { studio } = this;
    if (!studio.maps) return;
    const items = [...$("views").children];
    const { share } = studio.refiner;
    const looks = items.map(({ dataset }) => ({ mode: dataset.view, share }));
    this.small(looks, studio.stage.faceView(), 128, 96).forEach((image, k) => items[k].firstChild.getContext("2d").putImageData(image, 0, 0));
    this.drawHistogram();
    $("view").setAttribute("aria-label", `${titleOf(studio.look.mode)} of ${studio.photo.name}; light: ${$("look-name").textContent}`);
  }

  drawHistogram() {
    const { maps, refiner } = this.studio;
    const { width, height } = maps;
    const size = [HISTOGRAM_WIDTH, Math.max(1, Math.round((HISTOGRAM_WIDTH * height) / width))];
    const [image] = this.small([{ mode: "relit", share: refiner.share }], { x: 0, y: 0, width, height }, ...size);
    const { dark, bright } = drawHistogram($("histogram"), image);
    const percent = (part) => `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`;
    $("clipping").textContent = `Black ${percent(dark)}, burnt ${percent(bright)}`;
    $("histogram").setAttribute("aria-label", `Histogram; ${$("clipping").textContent}`);
  }

  /** Small pictures of several looks in one view. */
  small(looks, view, width, height) {
    const { renderer } = this.studio;
    const base = this.studio.drawn({ split: -1, share: 0 });
    return renderer.pictures(looks.map((look) => ({ look: { ...base, ...look }, view })), width, height);
  }
}
