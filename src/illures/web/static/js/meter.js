// How bright a light makes a face: the counterpart of `exposed` in illures/relighting/relight.py.

import { halfToFloat } from "./maps.js";
import { ATTENUATION, basis } from "./sh.js";

const FLOOR = 0.1; // as illures/relighting/shading.py: shading is kept above this part of its mean

export class FaceMeter {
  /** sample: normals and mask of the face, of its maps (see maps.js). */
  constructor({ data, channels }) {
    this.rows = [];
    this.shares = [];
    for (let at = 0; at < data.length; at += channels) {
      const [x, y, z, share] = Array.from(data.subarray(at, at + channels), halfToFloat);
      if (!share) continue;
      const length = Math.hypot(x, y, z) || 1;
      this.rows.push(basis([x / length, y / length, z / length]).map((v, i) => v * ATTENUATION[i]));
      this.shares.push(share);
    }
    this.sum = this.shares.reduce((sum, share) => sum + share, 0);
  }

  /** Mean shading over the face, [r, g, b], with what SH brings below zero lifted above it. */
  mean(light) {
    return [0, 1, 2].map((c) => {
      const values = this.rows.map((row) => row.reduce((sum, v, i) => sum + v * light[i][c], 0));
      const least = Math.max(FLOOR * this.average(values), 1e-4);
      return this.average(values.map((v) => (v + Math.sqrt(v * v + 4 * least * least)) / 2));
    });
  }

  average(values) {
    return values.reduce((sum, value, k) => sum + value * this.shares[k], 0) / Math.max(this.sum, 1e-6);
  }
}
