// The light of the studio: surroundings (SH) and lamps. Everything that is drawn or saved comes from `total`.

import * as sh from "./sh.js";
import { FaceMeter } from "./meter.js";

export const MOST_LAMPS = 8;
// A first lamp is that of `illures relight --light AZ,EL`: this share of the light comes evenly from all around.
const AMBIENT = 0.2;
const FIRST_RADIUS = 6;
// Fields that do not tell how bright a light is meant to be: while only they change, the face stays as bright as it was.
const FREE = ["azimuth", "elevation", "radius", "rotation", "exposure", "selected"];

export class LightModel extends EventTarget {
  /** maps: of the face (its own light and its colour, the mean of its basis, a sample of its normals). */
  constructor(maps) {
    super();
    this.own = maps.light;
    this.meanBasis = maps.meanBasis;
    this.tint = maps.tint;
    this.meter = new FaceMeter(maps.sample);
    this.ownMean = this.meter.mean(this.own);
    this.reset();
  }

  /** The photo's own light. */
  reset() {
    this.name = "own";
    this.base = this.own;
    this.strength = 1;
    this.rotation = 0;
    this.exposure = 0;
    this.lamps = [];
    this.selected = -1;
    this.levelled = false;
    this.changed();
  }

  /** A light as the server gives it, { sh, lamps }: its lamps can be moved, the rest is the surroundings. */
  set(light, name) {
    this.lamps = light.lamps.slice(0, MOST_LAMPS).map(({ direction, irradiance, radius_deg }) => {
      const [azimuth, elevation] = sh.anglesOf(direction);
      const strength = Math.max(...irradiance, 1e-6);
      return { azimuth, elevation, strength, rgb: irradiance.map((v) => v / strength), radius: radius_deg };
    });
    this.base = sh.add([[light.sh, 1], ...this.lamps.map((lamp) => [lampLight(lamp), -1])]);
    this.name = name;
    this.strength = 1;
    this.rotation = 0;
    this.exposure = 0;
    this.selected = this.lamps.length ? 0 : -1;
    this.levelled = false;
    this.changed();
  }

  /** One more lamp; the first one takes the place of the photo's own light. Returns it, or null at the limit. */
  addLamp(azimuth, elevation) {
    if (this.lamps.length >= MOST_LAMPS) return null;
    // White is what the photo takes for white (`tinted` of illures/relighting/relight.py).
    const tint = this.tint;
    const most = Math.max(...tint);
    const lamp = { azimuth, elevation, strength: most, rgb: tint.map((v) => v / most), radius: 10 };
    this.levelled = !this.lamps.length;
    if (this.levelled) {
      const even = tint.map((v) => AMBIENT * v * Math.sqrt(4 * Math.PI));
      const base = Array.from({ length: 9 }, (_, i) => (i ? [0, 0, 0] : even));
      Object.assign(this, { base, strength: 1, rotation: 0, name: "custom" });
      Object.assign(lamp, { strength: (1 - AMBIENT) * most, radius: FIRST_RADIUS });
    } else {
      // Before the face it adds this share of the photo's own brightness; elsewhere it is as strong.
      const one = sh.luminance(sh.meanShading(this.meanBasis, lampLight({ ...lamp, azimuth: 25, elevation: 20 })));
      lamp.strength *= (0.4 * sh.luminance(this.ownMean)) / Math.max(one, 1e-6);
    }
    this.lamps.push(lamp);
    this.selected = this.lamps.length - 1;
    this.level();
    this.changed();
    return lamp;
  }

  /** A single lamp that was only moved: the strength at which the face stays as bright as it was. */
  level() {
    if (!this.levelled) return;
    const now = sh.luminance(this.meter.mean(this.total())) / 2 ** this.exposure;
    const gain = sh.luminance(this.ownMean) / Math.max(now, 1e-6);
    this.base = sh.add([[this.base, gain]]);
    for (const lamp of this.lamps) lamp.strength *= gain;
  }

  removeLamp(index) {
    this.lamps.splice(index, 1);
    this.levelled = false;
    this.selected = Math.min(this.selected, this.lamps.length - 1);
    this.changed();
  }

  /** Change fields of a lamp. */
  editLamp(index, fields) {
    Object.assign(this.lamps[index], fields);
    this.relevel(fields);
    this.changed();
  }

  /** Change fields of the whole: strength, rotation, exposure, selected. */
  edit(fields) {
    Object.assign(this, fields);
    this.relevel(fields);
    this.changed();
  }

  /** After a change by the user: a strength or a colour that was set by hand stays. */
  relevel(fields) {
    this.levelled &&= Object.keys(fields).every((name) => FREE.includes(name));
    this.level();
  }

  /** Lamps as they stand after the rotation of all, at the exposure. */
  placedLamps() {
    const gain = 2 ** this.exposure;
    return this.lamps.map((lamp) => ({ ...lamp, azimuth: wrapped(lamp.azimuth + this.rotation), strength: lamp.strength * gain }));
  }

  /** SH radiance of everything, 9 x 3. */
  total() {
    const base = this.rotation ? sh.turned(this.base, this.rotation) : this.base;
    return sh.add([[base, this.strength * 2 ** this.exposure], ...this.placedLamps().map((lamp) => [lampLight(lamp), 1])]);
  }

  /** Gain of the new light over the photo's own, for a background that is to match. */
  gain() {
    const [now, then] = [this.total(), this.own].map((light) => sh.meanShading(this.meanBasis, light));
    return now.map((v, c) => Math.max(0, Math.min(20, v / Math.max(then[c], 1e-3))));
  }

  /** As Light.to_dict of illures, which Light.from_json reads. */
  toDict() {
    const round = (v) => Math.round(v * 1e6) / 1e6;
    return {
      sh: this.total().map((row) => row.map(round)),
      lamps: this.placedLamps().map(({ azimuth, elevation, strength, rgb, radius }) => ({
        direction: sh.directionOf(azimuth, elevation).map(round),
        irradiance: rgb.map((v) => round(v * strength)),
        radius_deg: radius,
      })),
    };
  }

  get isOwn() {
    return this.name === "own" && !this.lamps.length && this.strength === 1 && !this.rotation && !this.exposure;
  }

  snapshot() {
    const { name, base, strength, rotation, exposure, selected, levelled } = this;
    return structuredClone({ name, base, strength, rotation, exposure, selected, levelled, lamps: this.lamps });
  }

  restore(fields) {
    Object.assign(this, structuredClone(fields));
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }
}

export const wrapped = (degrees) => ((((degrees + 180) % 360) + 360) % 360) - 180;

function lampLight({ azimuth, elevation, strength, rgb, radius }) {
  return sh.lampSH(sh.directionOf(azimuth, elevation), rgb.map((v) => v * strength), radius);
}
