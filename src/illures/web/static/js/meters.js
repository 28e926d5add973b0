// The light probe and the histogram.

import { anglesOf, directionOf, luminance, shade, toSRGB } from "./sh.js";

const BRIGHTEST = 0.82; // of the probe, linear

/** A matte white ball under the light; its exposure follows the light, as a light meter's would. */
export function drawProbe(canvas, light, lamps, selected) {
  const side = canvas.width;
  const half = side / 2;
  const values = new Float32Array(3 * side * side).fill(-1);
  let most = 1e-4;
  for (let py = 0; py < side; py++) {
    for (let px = 0; px < side; px++) {
      let [x, y] = [(px + 0.5 - half) / (half - 2), -(py + 0.5 - half) / (half - 2)];
      const radius = Math.hypot(x, y);
      if (radius > 1 + 2 / half) continue;
      if (radius > 1) [x, y] = [x / radius, y / radius];
      const colour = shade([x, y, Math.sqrt(Math.max(0, 1 - x * x - y * y))], light);
      most = Math.max(most, ...colour);
      values.set(colour, 3 * (py * side + px));
    }
  }
  const context = canvas.getContext("2d");
  const image = context.createImageData(side, side);
  for (let k = 0; k < side * side; k++) {
    const radius = Math.hypot((k % side) + 0.5 - half, Math.floor(k / side) + 0.5 - half);
    const cover = Math.max(0, Math.min(1, half - 2 - radius + 0.5));
    for (let c = 0; c < 3; c++) image.data[4 * k + c] = 255 * toSRGB((BRIGHTEST * values[3 * k + c]) / most);
    image.data[4 * k + 3] = 255 * cover;
  }
  context.putImageData(image, 0, 0);
  lamps.forEach((lamp, k) => drawLamp(context, half, lamp, k === selected));
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
