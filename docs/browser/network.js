// The network in the browser: a crop placed by two eyes, its inputs, and its maps. The counterpart of illures/faces
// (crop.py, context.py) and illures/model/predictor.py, without landmarks: the guide is zero.

// illures.faces.crop: half side of the crop, and how far its centre lies below the eyes.
const TIGHTNESS = 0.85;
const CENTRE_BELOW_EYES = 0.3;
// Eyes to mouth over eye to eye, of the mean face mesh: the mouth is not asked for.
const MOUTH = 1.1;
const CONTEXT = 32;

/** Similarity [[a, -b, x], [b, a, y]] as [a, b, x, y] from photo pixels to those of the crop (`crop.alignment`). */
export function alignment([lx, ly], [rx, ry], size) {
  if (lx > rx) [lx, ly, rx, ry] = [rx, ry, lx, ly];
  const [dx, dy] = [rx - lx, ry - ly];
  const apart = Math.hypot(dx, dy);
  if (!(apart >= 4)) throw new Error("the eyes are too close to each other");
  const half = TIGHTNESS * Math.max(2 * apart, 1.8 * MOUTH * apart);
  const scale = size / (2 * half);
  const [a, b] = [(scale * dx) / apart, (-scale * dy) / apart];
  const cx = (lx + rx) / 2 + CENTRE_BELOW_EYES * MOUTH * -dy;
  const cy = (ly + ry) / 2 + CENTRE_BELOW_EYES * MOUTH * dx;
  return [a, b, (size - 1) / 2 - (a * cx - b * cy), (size - 1) / 2 - (b * cx + a * cy)];
}

/** The crop as floats in [0, 1], sRGB-encoded; outside the photo its mirror image (`crop.extract`). */
export function extract(photo, [a, b, tx, ty], size) {
  const { data, width, height } = photo;
  const scale = Math.hypot(a, b);
  const steps = Math.max(1, Math.ceil(1 / scale - 1e-6)); // samples a side of each pixel of the crop
  const out = new Float32Array(size * size * 3);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const place = (row * size + column) * 3;
      for (let k = 0; k < steps * steps; k++) {
        const u = column + ((k % steps) + 0.5) / steps - 0.5 - tx;
        const v = row + (Math.floor(k / steps) + 0.5) / steps - 0.5 - ty;
        const x = (a * u + b * v) / (scale * scale);
        const y = (a * v - b * u) / (scale * scale);
        const [x0, y0] = [Math.floor(x), Math.floor(y)];
        for (const [px, py, w] of [
          [x0, y0, (x0 + 1 - x) * (y0 + 1 - y)], [x0 + 1, y0, (x - x0) * (y0 + 1 - y)],
          [x0, y0 + 1, (x0 + 1 - x) * (y - y0)], [x0 + 1, y0 + 1, (x - x0) * (y - y0)],
        ]) {
          const from = (mirrored(py, height) * width + mirrored(px, width)) * 4;
          for (let c = 0; c < 3; c++) out[place + c] += (w * data[from + c]) / (255 * steps * steps);
        }
      }
    }
  }
  return out;
}

/** The whole photo in 32 x 32 cells, and in a fourth channel the place of the crop (`context.photo_context`). */
export function context(photo, [a, b, tx, ty], size) {
  const { data, width, height } = photo;
  const out = new Float32Array(CONTEXT * CONTEXT * 4);
  const [sx, sy] = [width / CONTEXT, height / CONTEXT];
  const [columns, rows] = [spans(width), spans(height)];
  const cell = [Math.abs(a) * sx + Math.abs(b) * sy, Math.abs(b) * sx + Math.abs(a) * sy];
  const part = (where, k) => Math.max(0, Math.min(1, (size / 2 - Math.abs(where - (size - 1) / 2)) / cell[k] + 0.5));
  for (let i = 0; i < CONTEXT; i++) {
    for (let j = 0; j < CONTEXT; j++) {
      const place = (i * CONTEXT + j) * 4;
      for (const [y, wy] of rows[i]) {
        for (const [x, wx] of columns[j]) {
          for (let c = 0; c < 3; c++) out[place + c] += (wx * wy * data[(y * width + x) * 4 + c]) / 255;
        }
      }
      const [x, y] = [(j + 0.5) * sx - 0.5, (i + 0.5) * sy - 0.5];
      out[place + 3] = Math.min(part(a * x - b * y + tx, 0), part(b * x + a * y + ty, 1));
    }
  }
  return out;
}

/** Maps by the names of the graph's outputs; `session` is one of onnxruntime-web, `ort` the library. */
export async function decompose(ort, session, photo, matrix, size) {
  const given = {
    image: () => new ort.Tensor("float32", extract(photo, matrix, size), [1, size, size, 3]),
    guide: () => new ort.Tensor("float32", new Float32Array(size * size * 3), [1, size, size, 3]),
    context: () => new ort.Tensor("float32", context(photo, matrix, size), [1, CONTEXT, CONTEXT, 4]),
  };
  const feeds = Object.fromEntries(session.inputNames.map((name) => [name, given[name]()]));
  const found = await session.run(feeds);
  const maps = Object.fromEntries(session.outputNames.map((name) => [name, found[name].data]));
  return { ...maps, image: feeds.image.data };
}

/** Index in [0, count) as OpenCV's BORDER_REFLECT_101 mirrors it. */
function mirrored(index, count) {
  if (count === 1) return 0;
  const period = 2 * (count - 1);
  const i = ((index % period) + period) % period;
  return i < count ? i : period - i;
}

/** For each cell the [pixel, weight] that it covers of `count` pixels; weights of a cell sum to 1. */
function spans(count) {
  const scale = count / CONTEXT;
  return Array.from({ length: CONTEXT }, (_, k) => {
    const [from, to] = [k * scale, (k + 1) * scale];
    const found = [];
    for (let pixel = Math.floor(from); pixel < Math.min(Math.ceil(to - 1e-9), count); pixel++) {
      found.push([pixel, (Math.min(to, pixel + 1) - Math.max(from, pixel)) / scale]);
    }
    return found;
  });
}
