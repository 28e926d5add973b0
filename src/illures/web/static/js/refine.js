// New shadows and highlights: rendered by the server once the light rests, and faded in over the shader's picture.

import { $, settled, toast } from "./ui.js";
import * as api from "./api.js";

const FADE_MS = 180;

export class Refiner {
  constructor(studio) {
    this.studio = studio;
    this.share = 0;
    this.version = 0;
    this.running = false;
    this.ask = settled(() => this.render(), 260);
  }

  /** The picture has changed: the shader's is shown until the next rendering. */
  stale() {
    this.version++;
    this.share = 0;
    const { look, light } = this.studio;
    if (look.shadows && light) this.ask();
    else this.ask.cancel();
    $("rendering").hidden = !(this.running && look.shadows);
  }

  async render() {
    if (this.running) return; // asked again when that one is done
    const { studio, version } = this;
    const { photo, face, look, light, paint, maps } = studio;
    this.running = true;
    $("rendering").hidden = false;
    try {
      const order = { what: "relit", kind: "jpg", light: light.toDict(), shadows: true, match: look.match, side: Math.max(maps.width, maps.height) };
      const blob = await api.file(photo.id, face, order, await paint.toPNG());
      const bitmap = await createImageBitmap(blob);
      if (version === this.version) this.show(bitmap);
    } catch (error) {
      if (version === this.version) toast(error.message, true);
    } finally {
      this.running = false;
      $("rendering").hidden = true;
      if (version !== this.version && studio.look.shadows) this.ask();
    }
  }

  show(bitmap) {
    const { studio, version } = this;
    studio.renderer.setRefined(bitmap);
    const start = performance.now();
    const step = (now) => {
      if (version !== this.version) return;
      this.share = Math.min(1, Math.max(0, (now - start) / FADE_MS));
      studio.redraw(this.share === 1);
      if (this.share < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}
