// The light of the studio: surroundings (SH) and lamps. Everything that is drawn or saved comes from `total`.

import * as sh from "./sh.js";

export const MOST_LAMPS = 8;
// A first lamp takes this share of the face's own light; the rest comes evenly from all around.
const KEY_SHARE = 0.8;

export class LightModel extends EventTarget {
  /** maps: of the face (its own light, and the mean of its basis). */
  constructor(maps) {
    super();
    this.own = maps.light;
    this.meanBasis = maps.meanBasis;
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
    this.changed();
  }

  /** One more lamp; the first one takes the place of most of the photo's own light. Returns it, or null at the limit. */
  addLamp(azimuth, elevation) {
    if (this.lamps.length >= MOST_LAMPS) return null;
    const mean = sh.meanShading(this.meanBasis, this.total());
    const first = !this.lamps.length;
    if (first) {
      const even = Array.from({ length: 9 }, (_, i) => (i ? [0, 0, 0] : mean.map((v) => (1 - KEY_SHARE) * v * Math.sqrt(4 * Math.PI))));
      Object.assign(this, { base: even, strength: 1, rotation: 0, exposure: 0, name: "custom" });
    }
    const unit = { azimuth: 25, elevation: 20, strength: 1, rgb: [1, 1, 1], radius: 10 };
    const one = sh.luminance(sh.meanShading(this.meanBasis, lampLight(unit)));
    const strength = (first ? KEY_SHARE : 0.4) * (sh.luminance(mean) / Math.max(one, 1e-6));
    const own = sh.meanShading(this.meanBasis, this.own); // white is relative to it
    this.lamps.push({ azimuth, elevation, strength, rgb: own.map((v) => v / Math.max(...own)), radius: 10 });
    this.selected = this.lamps.length - 1;
    this.changed();
    return this.lamps.at(-1);
  }

  removeLamp(index) {
    this.lamps.splice(index, 1);
    this.selected = Math.min(this.selected, this.lamps.length - 1);
    this.changed();
  }

  /** Change fields of a lamp. */
  editLamp(index, fields) {
    Object.assign(this.lamps[index], fields);
    this.changed();
  }

  /** Change fields of the whole: strength, rotation, exposure, selected. */
  edit(fields) {
    Object.assign(this, fields);
    this.changed();
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
    const { name, base, strength, rotation, exposure, selected } = this;
    return structuredClone({ name, base, strength, rotation, exposure, selected, lamps: this.lamps });
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
