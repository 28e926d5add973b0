// The studio: holds what is open, draws it, and connects the parts of the page.

import { $, busy, make, radios, say, settled, tabs, theme, toast } from "./ui.js";
import { Renderer, loadShaders } from "./renderer.js";
import { parseMaps } from "./maps.js";
import { LightModel, wrapped } from "./light.js";
import { Paint } from "./paint.js";
import { History } from "./history.js";
import { Stage } from "./stage.js";
import { anglesInWords } from "./handles.js";
import { drawProbe, probeAngles } from "./meters.js";
import { KEPT_WHEN_MOVED, Views } from "./views.js";
import { LightPanel } from "./lightpanel.js";
import { PaintPanel } from "./paintpanel.js";
import { SavePanel } from "./savepanel.js";
import { Sources } from "./sources.js";
import { listenKeys } from "./keys.js";
import { Refiner } from "./refine.js";
import * as api from "./api.js";

// Frames farther apart than this are slow [ms].
const SLOW_MS = 45;

class Studio {
  constructor(info, shaders) {
    this.info = info;
    this.history = new History();
    this.stage = new Stage();
    this.renderer = new Renderer($("view"), shaders);
    this.look = { mode: "relit", kept: 1, shadows: false, match: false };
    this.panels = { light: new LightPanel(this), paint: new PaintPanel(this), save: new SavePanel(this) };
    this.refiner = new Refiner(this);
    this.rememberLater = settled(() => this.remember(), 500);
    this.sharpenLater = settled(() => this.sharpen(), 250);
    [this.slow, this.drawnAt] = [0, -Infinity];
    this.views = new Views(this);
    this.showTab = tabs(document.querySelector('[role="tablist"]'), (name) => this.panels.paint.activate(name === "paint"));
    this.chooseFace = radios($("faces"), ({ dataset }) => this.openFace(+dataset.index));
    this.listen();
    this.sources = new Sources((file, name) => this.open(file, name), info);
    theme($("theme"), () => this.redraw(true));
    listenKeys(this);
  }

  // Opening

  async open(file, name) {
    const photo = await busy("Finding faces and taking them apart", () => api.openPhoto(file, name));
    if (!photo) return;
    const before = this.photo;
    this.photo = photo;
    this.showFaces();
    await this.openFace(0);
    if (before) api.forget(before.id).catch(() => {});
    const count = photo.faces.length;
    $("stage").focus({ preventScroll: true });
    say(`${photo.name}: ${count === 1 ? "one face" : `${count} faces`}. Drag across the face to light it.`);
  }

  async openFace(index) {
    const done = await busy("Bringing the maps to the photo's resolution", async () => {
      const limit = Math.min(this.info.textureSide, this.renderer.textureLimit, navigator.deviceMemory <= 2 ? 1024 : Infinity);
      const [buffer, presets] = await Promise.all([api.maps(this.photo.id, index, limit), api.presets(this.photo.id, index)]);
      this.face = index;
      this.show(parseMaps(buffer), presets);
      return true;
    });
    if (!done && !this.maps) this.photo = null;
  }

  show(maps, presets) {
    document.body.dataset.state = "work";
    this.maps = maps;
    this.renderer.load(maps);
    this.paint = new Paint(maps.width, maps.height, (pixels, x, y) => {
      this.renderer.setPaint(pixels, x, y);
      this.panels.paint.update();
      this.refiner.stale();
      this.redraw(true);
    });
    this.light = new LightModel(maps);
    this.light.addEventListener("change", () => this.lightChanged());
    this.look = { ...this.look, mode: "relit", kept: 1 };
    this.remembered = this.snapshot();
    this.history.clear();
    this.stage.resized();
    this.stage.open(maps);
    this.panels.light.open(presets);
    this.panels.light.drawLooks((lights) => this.views.looks(lights));
    this.panels.paint.resize();
    this.panels.paint.update();
    this.panels.save.open();
    this.views.choose("relit");
    $("compare").setAttribute("aria-pressed", "false");
    $("file").textContent = `${this.photo.name} · ${this.photo.width} × ${this.photo.height}`;
    $("hint").classList.remove("gone");
    this.lightChanged();
    this.setLook({});
  }

  showFaces() {
    const { faces } = this.photo;
    $("faces").hidden = faces.length < 2;
    $("faces").replaceChildren(...faces.map((_, index) => {
      const attributes = { role: "radio", "data-index": index, "aria-label": `Face ${index + 1} of ${faces.length}` };
      return make("button", { textContent: index + 1, attributes });
    }));
    this.chooseFace($("faces").firstChild);
  }

  // Changing

  /** Change the light and remember it: at once, or when the change has come to rest. */
  change(act, atOnce = false) {
    const moved = this.light.isOwn;
    act();
    if (moved && !this.light.isOwn && this.look.kept === 1) this.setLook({ kept: KEPT_WHEN_MOVED });
    $("hint").classList.add("gone");
    if (atOnce) this.remember();
    else this.rememberLater();
  }

  /** Light and look as they are, to come back to. */
  snapshot() {
    const { kept, shadows, match } = this.look;
    return JSON.stringify({ light: this.light.snapshot(), look: { kept, shadows, match } });
  }

  remember() {
    this.rememberLater.cancel();
    const [before, after] = [this.remembered, this.snapshot()];
    if (before === after) return;
    const go = (text) => () => {
      this.remembered = text;
      const { light, look } = JSON.parse(text);
      this.light.restore(light);
      this.setLook(look);
    };
    this.remembered = after;
    this.history.push({ label: "change of the light", undo: go(before), redo: go(after) });
  }

  /** Change how the light is applied, and remember it. */
  changeLook(fields) {
    this.setLook(fields);
    this.rememberLater();
  }

  setLook(fields) {
    Object.assign(this.look, fields);
    this.panels.light.updateLook(this.look);
    this.refiner.stale();
    this.redraw(true);
  }

  lightChanged() {
    this.stage.handles.set(this.light.placedLamps(), this.light.selected);
    this.panels.light.update();
    this.refiner.stale();
    this.redraw(true);
  }

  /** A lamp at these angles: the chosen one, or a first one. */
  moveLamp(azimuth, elevation) {
    this.change(() => {
      if (!this.light.lamps.length) this.light.addLamp(azimuth, elevation);
      const index = Math.max(0, this.light.selected);
      this.light.editLamp(index, { azimuth: wrapped(azimuth - this.light.rotation), elevation });
    });
  }

  turnLamp({ azimuth, elevation }) {
    const lamp = this.light.placedLamps()[this.light.selected] ?? { azimuth: 0, elevation: 15 };
    const to = { azimuth: wrapped(lamp.azimuth + azimuth), elevation: Math.max(-90, Math.min(90, lamp.elevation + elevation)) };
    this.moveLamp(to.azimuth, to.elevation);
    say(anglesInWords(to.azimuth, to.elevation));
  }

  undo(step) {
    this.remember();
    const label = step === "undo" ? this.history.undo() : this.history.redo();
    if (label) say(`${step === "undo" ? "Undone" : "Done again"}: ${label}`);
  }

  compare() {
    const on = this.stage.splitBar.part === null;
    this.stage.splitBar.set(on ? 0.5 : null);
    $("compare").setAttribute("aria-pressed", String(on));
    if (on) $("split").focus({ preventScroll: true });
  }

  // Drawing

  redraw(thumbs = false) {
    if (!this.maps) return;
    this.frame ??= requestAnimationFrame((now) => this.draw(now));
    if (thumbs) this.views.drawLater();
  }

  draw(now) {
    this.frame = null;
    this.pace(now);
    this.renderer.draw(this.drawn(), this.stage.view());
    drawProbe($("probe"), this.light.total(), this.light.placedLamps(), this.light.selected);
  }

  /** Where frames come too slowly one after the other, draw coarsely until things rest. */
  pace(now) {
    const passed = now - this.drawnAt;
    this.drawnAt = now;
    this.slow = passed > SLOW_MS && passed < 400 ? this.slow + 1 : passed < SLOW_MS ? Math.max(0, this.slow - 0.2) : 0;
    if (this.slow >= 3) this.stage.setCoarseness(2);
    if (this.stage.coarseness > 1) this.sharpenLater();
  }

  sharpen() {
    [this.slow, this.drawnAt] = [0, -Infinity];
    this.stage.setCoarseness(1);
  }

  /** What the renderer needs to know. */
  drawn(fields = {}) {
    const { mode, kept, match } = this.look;
    return {
      mode,
      kept,
      light: this.light.total(),
      gain: match ? this.light.gain() : [1, 1, 1],
      share: this.refiner.share,
      split: this.stage.splitBar.inPhoto(),
      backdrop: this.backdrop(),
      ...fields,
    };
  }

  backdrop() {
    const colour = getComputedStyle(document.querySelector(".table")).backgroundColor;
    return (colour.match(/[\d.]+/g) ?? [20, 20, 20]).slice(0, 3).map((v) => v / 255);
  }

  listen() {
    const { stage } = this;
    stage.addEventListener("view", () => this.redraw());
    stage.addEventListener("split", () => this.redraw());
    stage.addEventListener("lamp", ({ detail }) => this.moveLamp(detail.azimuth, detail.elevation));
    stage.addEventListener("lampend", () => this.remember());
    stage.addEventListener("turn", ({ detail }) => this.turnLamp(detail));
    stage.addEventListener("select", ({ detail }) => {
      if (detail.index !== this.light.selected) this.light.edit({ selected: detail.index });
    });
    $("view").addEventListener("restored", () => this.paint?.redraw());
    $("undo").addEventListener("click", () => this.undo("undo"));
    $("redo").addEventListener("click", () => this.undo("redo"));
    this.history.addEventListener("change", () => {
      $("undo").disabled = !this.history.done.length;
      $("redo").disabled = !this.history.undone.length;
    });
    $("compare").addEventListener("click", () => this.compare());
    $("help").addEventListener("click", () => $("help-dialog").showModal());
    $("zoom-in").addEventListener("click", () => stage.zoom(1.4));
    $("zoom-out").addEventListener("click", () => stage.zoom(1 / 1.4));
    $("zoom-face").addEventListener("click", () => stage.showFace());
    $("zoom-all").addEventListener("click", () => stage.showAll());
    this.listenProbe();
  }

  listenProbe() {
    const probe = $("probe");
    const move = (event) => {
      const { left, top, width, height } = probe.getBoundingClientRect();
      this.moveLamp(...probeAngles((event.clientX - left) / width, (event.clientY - top) / height));
    };
    probe.addEventListener("pointerdown", (event) => {
      probe.setPointerCapture(event.pointerId);
      probe.onpointermove = move;
      move(event);
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      probe.addEventListener(kind, () => {
        probe.onpointermove = null;
        this.remember();
      });
    }
  }
}

async function start() {
  try {
    const [info, shaders] = await Promise.all([api.info(), loadShaders()]);
    new Studio(info, shaders);
    document.body.dataset.ready = "true";
  } catch (error) {
    toast(error.message, true);
  }
}

start();
