// The binary answer of /maps: see illures/web/server/pack.py for its layout.

const VIEWS = { uint8: Uint8Array, float16: Uint16Array };

/** Header fields and typed arrays (half floats as their 16 bits) of one face. */
export function parseMaps(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const about = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = Math.ceil((4 + length) / 8) * 8;
  const arrays = {};
  for (const { name, type, shape, offset } of about.arrays) {
    const count = shape.reduce((product, side) => product * side, 1);
    arrays[name] = { data: new VIEWS[type](buffer, start + offset, count), height: shape[0], width: shape[1], channels: shape[2] };
  }
  return { ...about, ...arrays };
}

/** Value of a half float (IEEE 754, binary16). */
export function halfToFloat(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Linear albedo at a photo pixel, or null where there is none. */
export function albedoAt(maps, x, y) {
  const [left, top, right, bottom] = maps.rect;
  if (x < left || y < top || x >= right || y >= bottom) return null;
  const first = 3 * ((Math.floor(y) - top) * maps.albedo.width + Math.floor(x) - left);
  return [0, 1, 2].map((c) => halfToFloat(maps.albedo.data[first + c]));
}
