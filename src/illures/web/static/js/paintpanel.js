// The paint page of the panel, and strokes on the stage.

import { $, make, radios, say, slider } from "./ui.js";
import { albedoAt } from "./maps.js";
import { hexOf } from "./sh.js";

const SWATCHES = ["#b3122a", "#d9527e", "#c4606a", "#6d1f4a", "#7a4036", "#1c1416", "#2b5fa8", "#2f8f6b", "#e8c33c", "#f3eee8"];

export class PaintPanel {
  constructor(studio) {
    this.studio = studio;
    this.tool = "brush";
    const radius = () => this.resize();
    this.setSize = slider("paint-size", (value) => `${value}`, radius);
    slider("paint-opacity", (value) => `${Math.round(100 * value)} %`, () => {});
    slider("paint-hardness", (value) => (value < 0.2 ? "soft" : value > 0.8 ? "hard" : "medium"), () => {});
    this.chooseTool = radios($("tools"), ({ dataset }) => this.setTool(dataset.tool));
    $("swatches").replaceChildren(...SWATCHES.map((colour) => {
      const swatch = make("button", { attributes: { "aria-label": colour, "aria-pressed": "false", title: colour } });
      swatch.style.setProperty("--colour", colour);
      swatch.addEventListener("click", () => this.setColour(colour));
      return swatch;
    }));
    $("paint-colour").addEventListener("input", (event) => this.setColour(event.target.value));
    $("clear-paint").addEventListener("click", () => this.clear());
    studio.stage.addEventListener("stroke", ({ detail }) => this.stroke(detail));
    this.setColour(SWATCHES[0]);
  }

  /** The page is shown, or not. */
  activate(active) {
    this.active = active;
    this.studio.stage.setTool(active ? this.tool : "light");
    this.resize();
  }

  setTool(tool) {
    this.tool = tool;
    this.chooseTool(document.querySelector(`[data-tool="${tool}"]`));
    if (this.active) this.studio.stage.setTool(tool);
  }

  setColour(colour) {
    $("paint-colour").value = $("paint-hex").textContent = colour;
    for (const swatch of $("swatches").children) swatch.setAttribute("aria-pressed", String(swatch.title === colour));
  }

  /** The slider's 1 to 100 are a hundredth to half of the face's radius. */
  resize(step = 0) {
    if (step) this.setSize(Math.max(1, Math.min(100, +$("paint-size").value + step)));
    if (this.studio.maps) this.studio.stage.setBrush(this.radius());
  }

  radius() {
    return Math.max(0.6, this.studio.maps.radius * 0.5 * (+$("paint-size").value / 100) ** 1.5);
  }

  stroke({ kind, x, y }) {
    const { paint, maps, history } = this.studio;
    if (!paint) return;
    if (kind === "pick") {
      const colour = albedoAt(maps, x, y);
      if (colour) this.setColour(hexOf(colour));
      return;
    }
    if (kind === "begin") {
      const brush = { color: $("paint-colour").value, radius: this.radius(), opacity: +$("paint-opacity").value, hardness: +$("paint-hardness").value };
      paint.begin(x, y, { ...brush, erase: this.tool === "erase" });
    } else if (kind === "move") {
      paint.move(x, y);
    } else if (kind === "cancel") {
      paint.cancel();
    } else if (paint.current) {
      paint.end();
      history.push({ label: "stroke", undo: () => paint.undo(), redo: () => paint.redo() });
    }
    this.update();
  }

  clear() {
    const { paint, history } = this.studio;
    const strokes = paint.clear();
    history.push({ label: "removal of the paint", undo: () => paint.restore(strokes), redo: () => paint.clear() });
    this.update();
    say("Paint removed");
  }

  update() {
    $("clear-paint").disabled = !this.studio.paint || this.studio.paint.isEmpty;
  }
}
