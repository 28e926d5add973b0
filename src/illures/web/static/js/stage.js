// The picture: what part of the photo is seen, and what pointers and keys do on it.

import { $, say } from "./ui.js";
import { anglesOf, directionOf } from "./sh.js";
import { LampHandles } from "./handles.js";
import { SplitBar } from "./splitbar.js";

// From the middle of the face outward the lamp's angle to the line of sight grows evenly; this many radii are 90 degrees.
const QUARTER = 1.7;
const MOST_ZOOM = 24;

export class Stage extends EventTarget {
  /** Events: "view" (another part is seen), "lamp" {azimuth, elevation}, "lampend", "select" {index}, "stroke" {kind, x, y}, "split". */
  constructor() {
    super();
    this.root = $("stage");
    this.canvas = $("view");
    this.tool = "light";
    this.maps = null;
    this.splitBar = new SplitBar(this);
    this.handles = new LampHandles(this);
    this.pointers = new Map();
    this.cursor = null;
    this.brush = 10;
    this.coarseness = 1;
    new ResizeObserver(() => this.resized()).observe(this.root);
    this.listen();
  }

  /** Another face: show it. */
  open(maps) {
    this.maps = maps;
    this.cursor = null;
    this.splitBar.set(null);
    this.showFace();
  }

  // What is seen

  get bounds() {
    return this.root.getBoundingClientRect();
  }

  /** Part of the photo that fills the stage [photo pixels]. */
  view() {
    const { width, height } = this.size;
    const [w, h] = [width / this.scale, height / this.scale];
    return { x: this.centre[0] - w / 2, y: this.centre[1] - h / 2, width: w, height: h };
  }

  /** A 4:3 part around the face, for thumbnails. */
  faceView(aspect = 4 / 3, radii = 1.45) {
    const { centre, radius } = this.maps;
    const [w, h] = [2 * radii * radius * Math.max(1, aspect), 2 * radii * radius * Math.max(1, 1 / aspect)];
    return { x: centre[0] - w / 2, y: centre[1] - h / 2, width: w, height: h };
  }

  showAll() {
    const { width, height } = this.size;
    this.centre = [this.maps.width / 2, this.maps.height / 2];
    this.scale = Math.min(width / this.maps.width, height / this.maps.height);
    this.changed();
  }

  showFace() {
    const { width, height } = this.size;
    const { centre, radius } = this.maps;
    this.scale = Math.max(Math.min(width, height) / (3.9 * radius), this.least());
    this.centre = [...centre];
    this.changed();
  }

  zoom(factor, at = null) {
    const before = at ? this.toPhoto(at) : this.centre;
    this.scale = Math.max(this.least(), Math.min(MOST_ZOOM, this.scale * factor));
    if (at) {
      const after = this.toPhoto(at);
      this.centre = this.centre.map((v, i) => v + before[i] - after[i]);
    }
    this.changed();
  }

  least() {
    const { width, height } = this.size;
    return 0.6 * Math.min(width / this.maps.width, height / this.maps.height);
  }

  resized() {
    const { width, height } = this.bounds;
    const old = this.size;
    this.size = { width: Math.max(width, 1), height: Math.max(height, 1) };
    this.sizeCanvas();
    if (!this.maps) return;
    if (old) this.scale *= Math.min(this.size.width, this.size.height) / Math.max(Math.min(old.width, old.height), 1);
    this.changed();
  }

  sizeCanvas() {
    const density = Math.min(window.devicePixelRatio || 1, 2) / this.coarseness;
    this.canvas.width = Math.max(1, Math.round(this.size.width * density));
    this.canvas.height = Math.max(1, Math.round(this.size.height * density));
  }

  /** Draw one pixel where there were `coarseness` a side: for weak graphics, while things move. */
  setCoarseness(coarseness) {
    if (coarseness === this.coarseness) return;
    this.coarseness = coarseness;
    this.sizeCanvas();
    this.emit("view");
  }

  changed() {
    if (!this.maps || !this.size) return;
    const { width, height } = this.maps;
    this.centre = [Math.max(0, Math.min(width, this.centre[0])), Math.max(0, Math.min(height, this.centre[1]))];
    this.splitBar.place();
    this.handles.place();
    this.placeCursor();
    this.dispatchEvent(new Event("view"));
  }

  toPhoto([x, y]) {
    const view = this.view();
    return [view.x + x / this.scale, view.y + y / this.scale];
  }

  toScreen([x, y]) {
    const view = this.view();
    return [(x - view.x) * this.scale, (y - view.y) * this.scale];
  }

  // Lamps

  /** Angles of a lamp that stands at a point of the photo. */
  anglesAt([x, y]) {
    const { centre, radius } = this.maps;
    const [dx, dy] = [(x - centre[0]) / (QUARTER * radius), -(y - centre[1]) / (QUARTER * radius)];
    const length = Math.hypot(dx, dy);
    const angle = (Math.min(length, 1.95) * Math.PI) / 2;
    const side = length ? Math.sin(angle) / length : 0;
    return anglesOf([dx * side, dy * side, Math.cos(angle)]);
  }

  /** The inverse: where a lamp stands. */
  pointOf(azimuth, elevation) {
    const { centre, radius } = this.maps;
    const [x, y, z] = directionOf(azimuth, elevation);
    const side = Math.hypot(x, y);
    const length = (Math.acos(Math.max(-1, Math.min(1, z))) / (Math.PI / 2)) * QUARTER * radius;
    return side < 1e-6 ? [...centre] : [centre[0] + (x / side) * length, centre[1] - (y / side) * length];
  }

  // Brush

  setTool(tool) {
    this.tool = tool;
    this.root.classList.toggle("painting", tool === "brush" || tool === "erase");
    this.root.classList.toggle("picking", tool === "pick");
    this.handles.place();
    this.placeCursor();
  }

  /** radius in photo pixels */
  setBrush(radius) {
    this.brush = radius;
    this.placeCursor();
  }

  placeCursor() {
    const ring = $("cursor");
    ring.hidden = !this.cursor || !["brush", "erase"].includes(this.tool);
    if (ring.hidden) return;
    const [x, y] = this.toScreen(this.cursor);
    const radius = Math.max(2, this.brush * this.scale);
    Object.assign(ring.style, { width: `${2 * radius}px`, height: `${2 * radius}px`, transform: `translate(${x - radius}px, ${y - radius}px)` });
  }

  // Pointers and keys

  listen() {
    const { root } = this;
    root.addEventListener("pointerdown", (event) => this.down(event));
    root.addEventListener("pointermove", (event) => this.move(event));
    for (const kind of ["pointerup", "pointercancel"]) root.addEventListener(kind, (event) => this.up(event));
    root.addEventListener("pointerleave", () => {
      if (this.pointers.size) return;
      this.cursor = null;
      this.placeCursor();
    });
    root.addEventListener("wheel", (event) => {
      if (!this.maps) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), this.place(event));
    }, { passive: false });
    root.addEventListener("keydown", (event) => this.key(event));
  }

  place({ clientX, clientY }) {
    const { left, top } = this.bounds;
    return [clientX - left, clientY - top];
  }

  down(event) {
    if (!this.maps || event.target.closest(".zoom, .split")) return;
    if (event.button > 1) return;
    this.root.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.place(event));
    if (this.pointers.size === 2) {
      this.emit("stroke", { kind: "cancel" });
      this.act = "pinch";
    } else if (this.pointers.size === 1) {
      this.act = event.button === 1 ? "pan" : this.tool === "light" ? "lamp" : this.tool === "pick" ? "pick" : "stroke";
      const handle = event.target.closest(".lamp");
      if (handle) this.emit("select", { index: this.handles.indexOf(handle) });
      if (!handle) this.root.focus({ preventScroll: true });
      if (event.button === 1) event.preventDefault();
      this.root.classList.toggle("panning", this.act === "pan");
      if (this.act === "stroke") this.emitStroke("begin", event);
      // A press on a handle alone does not move its lamp.
      else if (!handle) this.move(event, true);
    }
  }

  move(event, first = false) {
    if (!this.maps) return;
    const at = this.place(event);
    if (this.tool !== "light") {
      this.cursor = this.toPhoto(at);
      this.placeCursor();
    }
    if (!this.pointers.has(event.pointerId)) return;
    const before = this.pointers.get(event.pointerId);
    if (this.act === "pinch") this.pinch(event.pointerId, at);
    this.pointers.set(event.pointerId, at);
    if (this.act === "pan") {
      this.centre = this.centre.map((v, i) => v - (at[i] - before[i]) / this.scale);
      this.changed();
    } else if (this.act === "lamp" && (first || at[0] !== before[0] || at[1] !== before[1])) {
      const [azimuth, elevation] = this.anglesAt(this.toPhoto(at));
      this.emit("lamp", { azimuth, elevation });
    } else if (this.act === "stroke" && !first) {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) this.emitStroke("move", each);
    } else if (this.act === "pick") {
      this.emitStroke("pick", event);
    }
  }

  pinch(id, at) {
    const [a, b] = [...this.pointers.keys()];
    const [fixed, moved] = [this.pointers.get(id === a ? b : a), this.pointers.get(id)];
    if (!fixed || !moved) return;
    const middle = (p) => [(p[0] + fixed[0]) / 2, (p[1] + fixed[1]) / 2];
    const apart = (p) => Math.hypot(p[0] - fixed[0], p[1] - fixed[1]);
    const [from, to] = [middle(moved), middle(at)];
    this.centre = this.centre.map((v, i) => v - (to[i] - from[i]) / this.scale);
    this.zoom(Math.max(0.5, Math.min(2, apart(at) / Math.max(apart(moved), 1))), to);
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.act === "stroke") this.emitStroke(event.type === "pointercancel" ? "cancel" : "end", event);
    if (this.act === "lamp") this.emit("lampend");
    if (this.act === "pinch" && this.pointers.size) return;
    this.act = null;
    this.root.classList.remove("panning");
  }

  key(event) {
    const step = event.shiftKey ? 15 : 3;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!this.maps || (!arrow && event.key !== " ")) return;
    if (event.target.closest(".zoom, .split")) return;
    event.preventDefault();
    if (this.tool === "light") {
      if (arrow) this.emit("turn", { azimuth: arrow[0] * step, elevation: arrow[1] * step });
    } else if (arrow) {
      this.cursor ??= [...this.maps.centre];
      this.cursor = this.cursor.map((v, i) => v + (i ? -arrow[1] : arrow[0]) * Math.max(1, step * 0.02 * this.maps.radius));
      this.placeCursor();
    } else if (this.cursor) {
      const [x, y] = this.cursor;
      for (const kind of this.tool === "pick" ? ["pick"] : ["begin", "end"]) this.emit("stroke", { kind, x, y });
      say(this.tool === "pick" ? "Colour picked" : "Painted");
    }
  }

  emitStroke(kind, event) {
    const [x, y] = this.toPhoto(this.place(event));
    this.emit("stroke", { kind, x, y });
  }

  emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
