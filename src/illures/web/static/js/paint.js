// Paint on the albedo: strokes on a layer of the photo's size, with undo and redo by drawing them again.

const STEP = 0.14; // distance of two dabs, in radii
const FIRST = 4; // so many dabs where a stroke begins: one alone is thin

export class Paint {
  /** onUpdate(pixels, x, y): a part of the layer has changed. */
  constructor(width, height, onUpdate) {
    this.width = width;
    this.height = height;
    this.onUpdate = onUpdate;
    [this.layer, this.stroke, this.shown] = [0, 1, 2].map(() => {
      const canvas = Object.assign(document.createElement("canvas"), { width, height });
      return canvas.getContext("2d", { willReadFrequently: true });
    });
    this.strokes = [];
    this.undone = [];
    this.current = null;
  }

  get isEmpty() {
    return !this.strokes.length;
  }

  /** brush: { color "#rrggbb", radius [px], opacity, hardness, erase } */
  begin(x, y, brush) {
    this.current = { brush: { ...brush }, points: [[x, y]] };
    this.tip = makeTip(brush);
    this.press(x, y);
    this.show(around([[x, y]], brush.radius));
  }

  move(x, y) {
    if (!this.current) return;
    const from = this.current.points.at(-1);
    this.current.points.push([x, y]);
    this.line(from, [x, y], this.current.brush);
    this.show(around([from, [x, y]], this.current.brush.radius));
  }

  end() {
    if (!this.current) return;
    this.strokes.push(this.current);
    this.undone = [];
    this.merge();
  }

  /** Drop the stroke that is being made. */
  cancel() {
    if (!this.current) return;
    const { points, brush } = this.current;
    this.current = null;
    this.stroke.clearRect(0, 0, this.width, this.height);
    this.show(around(points, brush.radius));
  }

  undo() {
    if (this.strokes.length) this.undone.push(this.strokes.pop());
    this.redraw();
  }

  redo() {
    if (this.undone.length) this.strokes.push(this.undone.pop());
    this.redraw();
  }

  /** Take all strokes away; returns them, for `restore`. */
  clear() {
    const strokes = this.strokes;
    this.restore([]);
    return strokes;
  }

  restore(strokes) {
    this.strokes = [...strokes];
    this.undone = [];
    this.redraw();
  }

  /** The layer as a PNG file, or null where there is none. */
  async toPNG() {
    if (this.isEmpty) return null;
    return new Promise((resolve) => this.shown.canvas.toBlob(resolve, "image/png"));
  }

  /** The start of a stroke, which may be all of it. */
  press(x, y) {
    this.rest = 0;
    for (let k = 0; k < FIRST; k++) this.dab(x, y);
  }

  dab(x, y) {
    const { radius } = this.current.brush;
    this.stroke.drawImage(this.tip, x - radius - 1, y - radius - 1);
  }

  line([x0, y0], [x1, y1], { radius }) {
    const length = Math.hypot(x1 - x0, y1 - y0);
    const step = Math.max(0.5, STEP * radius);
    let along = step - this.rest;
    for (; along <= length; along += step) {
      this.dab(x0 + ((x1 - x0) * along) / length, y0 + ((y1 - y0) * along) / length);
    }
    this.rest = length - (along - step);
  }

  /** The finished stroke goes into the layer. */
  merge() {
    const { brush, points } = this.current;
    blend(this.layer, this.stroke.canvas, brush);
    this.stroke.clearRect(0, 0, this.width, this.height);
    this.current = null;
    this.show(around(points, brush.radius));
  }

  redraw() {
    this.layer.clearRect(0, 0, this.width, this.height);
    for (const stroke of this.strokes) {
      this.current = stroke;
      this.tip = makeTip(stroke.brush);
      this.press(...stroke.points[0]);
      for (let k = 1; k < stroke.points.length; k++) this.line(stroke.points[k - 1], stroke.points[k], stroke.brush);
      blend(this.layer, this.stroke.canvas, stroke.brush);
      this.stroke.clearRect(0, 0, this.width, this.height);
    }
    this.current = null;
    this.show([0, 0, this.width, this.height]);
  }

  /** Layer and current stroke within a box, to whoever draws them. */
  show([left, top, right, bottom]) {
    const [x, y] = [Math.max(0, Math.floor(left)), Math.max(0, Math.floor(top))];
    const [w, h] = [Math.min(this.width, Math.ceil(right)) - x, Math.min(this.height, Math.ceil(bottom)) - y];
    if (w <= 0 || h <= 0) return;
    this.shown.clearRect(x, y, w, h);
    this.shown.drawImage(this.layer.canvas, x, y, w, h, x, y, w, h);
    if (this.current) blend(this.shown, this.stroke.canvas, this.current.brush, [x, y, w, h]);
    this.onUpdate(this.shown.getImageData(x, y, w, h), x, y);
  }
}

function blend(target, source, { opacity, erase }, box) {
  target.save();
  target.globalAlpha = opacity;
  target.globalCompositeOperation = erase ? "destination-out" : "source-over";
  if (box) target.drawImage(source, ...box, ...box);
  else target.drawImage(source, 0, 0);
  target.restore();
}

/** A round dab; `hardness` 1 has a sharp edge. */
function makeTip({ color, radius, hardness }) {
  const side = Math.ceil(2 * radius + 2);
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const tip = canvas.getContext("2d");
  const gradient = tip.createRadialGradient(radius + 1, radius + 1, 0, radius + 1, radius + 1, radius);
  // Dabs overlap: each is thin where the edge is soft, or the sum would be hard again.
  for (let k = 0; k <= 8; k++) {
    const at = k / 8;
    const t = Math.max(0, Math.min(1, (at - hardness) / Math.max(1 - hardness, 1e-3)));
    const cover = (1 - t * t * (3 - 2 * t)) * (0.25 + 0.75 * hardness);
    gradient.addColorStop(at, color + Math.round(255 * cover).toString(16).padStart(2, "0"));
  }
  tip.fillStyle = gradient;
  tip.beginPath();
  tip.arc(radius + 1, radius + 1, radius, 0, 2 * Math.PI);
  tip.fill();
  return canvas;
}

function around(points, radius) {
  const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
  const pad = radius + 2;
  return [Math.min(...xs) - pad, Math.min(...ys) - pad, Math.max(...xs) + pad, Math.max(...ys) + pad];
}
