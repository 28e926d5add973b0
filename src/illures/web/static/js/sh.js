// Spherical harmonics up to degree 2: the counterpart of illures/math/sh.py and illures/relighting/lamps.py.
// Order [1, y, z, x, xy, yz, 3zz-1, xz, xx-yy]; x right, y up, z toward the viewer. A light is 9 rows of [r, g, b].

const C0 = Math.sqrt(1 / (4 * Math.PI));
const C1 = Math.sqrt(3 / (4 * Math.PI));
const C2 = Math.sqrt(15 / (4 * Math.PI));
const C20 = C2 / Math.sqrt(12);
export const ATTENUATION = [1, 2 / 3, 2 / 3, 2 / 3, 1 / 4, 1 / 4, 1 / 4, 1 / 4, 1 / 4];
const DEGREE = [0, 1, 1, 1, 2, 2, 2, 2, 2];
const radians = (degrees) => (degrees * Math.PI) / 180;

/** The nine basis functions at a unit direction. */
export function basis([x, y, z]) {
  return [C0, C1 * y, C1 * z, C1 * x, C2 * x * y, C2 * y * z, C20 * (3 * z * z - 1), C2 * x * z, (C2 / 2) * (x * x - y * y)];
}

/** Unit vector; azimuth 0 is the viewer's side, 90 is image right, elevation 90 is up. */
export function directionOf(azimuth, elevation) {
  const [a, e] = [radians(azimuth), radians(elevation)];
  return [Math.sin(a) * Math.cos(e), Math.sin(e), Math.cos(a) * Math.cos(e)];
}

/** The inverse of `directionOf`: [azimuth, elevation] in degrees. */
export function anglesOf([x, y, z]) {
  const length = Math.hypot(x, y, z) || 1;
  return [(Math.atan2(x, z) * 180) / Math.PI, (Math.asin(Math.max(-1, Math.min(1, y / length))) * 180) / Math.PI];
}

/** SH radiance of a lamp: a disc that shades a facing white surface with `irradiance` (Lamp.sh). */
export function lampSH(direction, irradiance, radius) {
  const cos = Math.cos(radians(Math.min(radius, 90)));
  const kept = [1, (1 + cos) / 2, (cos * (1 + cos)) / 2];
  return basis(direction).map((value, i) => irradiance.map((c) => Math.PI * kept[DEGREE[i]] * value * c));
}

/** Sum of lights, each with a factor: add([[light, 0.5], ...]). */
export function add(terms) {
  const sum = Array.from({ length: 9 }, () => [0, 0, 0]);
  for (const [light, factor] of terms) {
    light.forEach((row, i) => row.forEach((value, c) => { sum[i][c] += factor * value; }));
  }
  return sum;
}

/** The light turned about the vertical; what was behind the camera goes toward image right. */
export function turned(light, degrees) {
  const [cos, sin] = [Math.cos(radians(degrees)), Math.sin(radians(degrees))];
  const back = ([x, y, z]) => [cos * x - sin * z, y, sin * x + cos * z];
  const coefficients = projector();
  // Values of the turned light at fixed directions, fitted again: exact, for rotations keep each degree.
  const values = POINTS.map((point) => {
    const b = basis(back(point));
    return [0, 1, 2].map((c) => b.reduce((sum, value, i) => sum + value * light[i][c], 0));
  });
  return coefficients.map((row) => [0, 1, 2].map((c) => row.reduce((sum, w, k) => sum + w * values[k][c], 0)));
}

/** Shading f(N, L) of a white surface. */
export function shade(normal, light) {
  const b = basis(normal);
  return [0, 1, 2].map((c) => b.reduce((sum, value, i) => sum + ATTENUATION[i] * value * light[i][c], 0));
}

/** Mean shading of a face from the mean of its basis, which holds the attenuation already. */
export function meanShading(meanBasis, light) {
  return [0, 1, 2].map((c) => meanBasis.reduce((sum, value, i) => sum + value * light[i][c], 0));
}

export const luminance = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
export const toLinear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
export const toSRGB = (v) => {
  const value = Math.max(0, Math.min(1, v));
  return value <= 0.0031308 ? value * 12.92 : 1.055 * value ** (1 / 2.4) - 0.055;
};

/** "#rrggbb" as linear RGB, and back. */
export const linearOf = (hex) => [1, 3, 5].map((i) => toLinear(parseInt(hex.slice(i, i + 2), 16) / 255));
export const hexOf = (rgb) => "#" + rgb.map((v) => Math.round(255 * toSRGB(v)).toString(16).padStart(2, "0")).join("");

// Directions spread evenly over the sphere, and the least-squares fit on them.
const POINTS = Array.from({ length: 64 }, (_, k) => {
  const z = 1 - (2 * (k + 0.5)) / 64;
  const phi = (k + 0.5) * Math.PI * (3 - Math.sqrt(5));
  return [Math.sqrt(1 - z * z) * Math.cos(phi), Math.sqrt(1 - z * z) * Math.sin(phi), z];
});
let fitted = null;

function projector() {
  if (fitted) return fitted;
  const design = POINTS.map(basis);
  const gram = Array.from({ length: 9 }, (_, i) => Array.from({ length: 9 }, (_, j) => design.reduce((s, b) => s + b[i] * b[j], 0)));
  fitted = solve(gram, Array.from({ length: 9 }, (_, i) => design.map((b) => b[i])));
  return fitted;
}

/** Gauss-Jordan with pivots: matrix⁻¹ · right. */
function solve(matrix, right) {
  const rows = matrix.map((row, i) => [...row, ...right[i]]);
  for (let i = 0; i < rows.length; i++) {
    const pivot = rows.slice(i).reduce((best, row, k) => (Math.abs(row[i]) > Math.abs(rows[best][i]) ? i + k : best), i);
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    const head = rows[i][i];
    rows[i] = rows[i].map((v) => v / head);
    rows.forEach((row, k) => { if (k !== i) rows[k] = row.map((v, j) => v - row[i] * rows[i][j]); });
  }
  return rows.map((row) => row.slice(matrix.length));
}
