// The light probe and the histogram.

import { ATTENUATION, anglesOf, basis, directionOf, luminance, toSRGB } from "./sh.js";

const BRIGHTEST = 0.82; // of the probe, linear
const CODES = Uint8ClampedArray.from({ length: 4096 }, (_, k) => 255 * toSRGB(k / 4095));

let ball = null; // what does not change with the light

/** A matte white ball under the light; its exposure follows the light, as a light meter's would. */
export function drawProbe(canvas, light, lamps, selected) {
  if (ball?.side !== canvas.width) ball = makeBall(canvas.width);
  const { side, places, tables, cover } = ball;
  const values = new Float32Array(3 * places.length);
  let most = 1e-4;
  for (let k = 0; k < places.length; k++) {
    for (let c = 0; c < 3; c++) {
      let sum = 0;
      for (let i = 0; i < 9; i++) sum += tables[9 * k + i] * light[i][c];
      values[3 * k + c] = sum;
      if (sum > most) most = sum;
    }
  }
  const context = canvas.getContext("2d");
  const image = context.createImageData(side, side);
  for (let k = 0; k < places.length; k++) {
    const first = 4 * places[k];
    for (let c = 0; c < 3; c++) image.data[first + c] = CODES[Math.max(0, Math.round((4095 * BRIGHTEST * values[3 * k + c]) / most))];
    image.data[first + 3] = cover[k];
  }
  context.putImageData(image, 0, 0);
  lamps.forEach((lamp, k) => drawLamp(context, side / 2, lamp, k === selected));
}

/** Pixels of the ball, the basis with its attenuation at each, and their cover at the rim. */
function makeBall(side) {
  const half = side / 2;
  const [places, tables, cover] = [[], [], []];
  for (let place = 0; place < side * side; place++) {
    let [x, y] = [((place % side) + 0.5 - half) / (half - 2), -(Math.floor(place / side) + 0.5 - half) / (half - 2)];
    const radius = Math.hypot(x, y);
    if (radius > 1 + 1 / half) continue;
    if (radius > 1) [x, y] = [x / radius, y / radius];
    places.push(place);
    tables.push(...basis([x, y, Math.sqrt(Math.max(0, 1 - x * x - y * y))]).map((value, i) => ATTENUATION[i] * value));
    cover.push(255 * Math.max(0, Math.min(1, (1 - radius) * (half - 2) + 0.5)));
  }
  return { side, places, tables: Float32Array.from(tables), cover };
}

function drawLamp(context, half, { azimuth, elevation, rgb }, selected) {
  const [x, y, z] = directionOf(azimuth, elevation);
  const side = Math.hypot(x, y) || 1;
  const reach = z < 0 ? (half - 8) / side : half - 8;
  context.beginPath();
  context.arc(half + x * reach, half - y * reach, selected ? 7 : 5, 0, 2 * Math.PI);
  context.fillStyle = `rgb(${rgb.map((v) => Math.round(255 * toSRGB(v))).join(" ")})`;
  context.globalAlpha = z < 0 ? 0.55 : 1;
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = "rgb(0 0 0 / .65)";
  context.stroke();
  context.globalAlpha = 1;
}

/** Angles for a point on the ball, in parts of its side from the top left. */
export function probeAngles(u, v) {
  let [x, y] = [2 * u - 1, 1 - 2 * v];
  const radius = Math.hypot(x, y);
  if (radius <= 1) return anglesOf([x, y, Math.sqrt(1 - radius * radius)]);
  const angle = Math.min(1.95, radius) * (Math.PI / 2);
  return anglesOf([(x / radius) * Math.sin(angle), (y / radius) * Math.sin(angle), Math.cos(angle)]);
}

/** Histogram of sRGB codes; returns { dark, bright }: parts of the pixels that are black or burnt out. */
export function drawHistogram(canvas, image) {
  const counts = [0, 1, 2, 3].map(() => new Float32Array(128));
  let [dark, bright] = [0, 0];
  const { data } = image;
  const total = data.length / 4;
  for (let i = 0; i < data.length; i += 4) {
    for (let c = 0; c < 3; c++) counts[c][data[i + c] >> 1]++;
    counts[3][Math.min(127, luminance([data[i], data[i + 1], data[i + 2]]) >> 1)]++;
    if (Math.max(data[i], data[i + 1], data[i + 2]) <= 2) dark++;
    if (Math.max(data[i], data[i + 1], data[i + 2]) >= 254) bright++;
  }
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  const text = getComputedStyle(canvas).color;
  const top = Math.max(...counts.flatMap((bins) => [...bins.subarray(2, 126)])) || 1;
  context.clearRect(0, 0, width, height);
  const outline = (bins) => {
    context.beginPath();
    context.moveTo(0, height);
    bins.forEach((count, k) => context.lineTo(((k + 0.5) / bins.length) * width, height - Math.min(1, Math.sqrt(count / top)) * (height - 10)));
    context.lineTo(width, height);
  };
  context.globalAlpha = 0.22;
  context.fillStyle = text;
  outline(counts[3]);
  context.fill();
  context.globalAlpha = 0.9;
  context.lineWidth = 2;
  ["#e5484d", "#30a46c", "#3e82f7"].forEach((colour, c) => {
    context.strokeStyle = colour;
    outline(counts[c]);
    context.stroke();
  });
  context.globalAlpha = 1;
  return { dark: dark / total, bright: bright / total };
}
