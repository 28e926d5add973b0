// The border between before and after.

import { $ } from "./ui.js";

export class SplitBar {
  constructor(stage) {
    this.stage = stage;
    this.part = null;
    this.listen();
  }

  /** Border in parts of the stage's width, or null for none. */
  set(part) {
    this.part = part;
    $("split").hidden = part === null;
    this.place();
    this.stage.emit("split");
  }

  place() {
    if (this.part === null || !this.stage.size) return;
    $("split").style.transform = `translateX(${this.part * this.stage.size.width}px)`;
    $("split").setAttribute("aria-valuenow", Math.round(100 * this.part));
    $("split").setAttribute("aria-valuetext", `${Math.round(100 * this.part)} % before`);
  }

  /** Border in photo pixels; -1 for none. */
  inPhoto() {
    return this.part === null ? -1 : this.stage.toPhoto([this.part * this.stage.size.width, 0])[0];
  }

  listen() {
    const bar = $("split");
    const move = (event) => {
      const { left, width } = this.stage.bounds;
      this.set(Math.max(0, Math.min(1, (event.clientX - left) / width)));
    };
    bar.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      bar.setPointerCapture(event.pointerId);
      bar.onpointermove = move;
    });
    for (const kind of ["pointerup", "pointercancel"]) bar.addEventListener(kind, () => { bar.onpointermove = null; });
    bar.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      this.set(Math.max(0, Math.min(1, this.part + step * (event.shiftKey ? 5 : 1))));
    });
  }
}
