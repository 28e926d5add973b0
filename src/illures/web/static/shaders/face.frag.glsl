// The one equation, image = albedo * f(N, L) + residual, as illures/render.py has it: linear light, second-order
// spherical harmonics in the order [1, y, z, x, xy, yz, 3zz-1, xz, xx-yy]. `light` and `own` come multiplied with
// Lambert's attenuation. renderer.js puts #version and the constants MODE, TAPS, PAINTED and REFINED before this text,
// so that each program does what it shows and nothing else. A test compares every pixel with the server's result.
precision highp float;
precision highp int;
precision highp sampler2D;

uniform sampler2D photo;     // linear (an sRGB texture)
uniform sampler2D albedo;    // linear, over `rect`
uniform sampler2D normal;    // over `rect`
uniform sampler2D residual;  // linear, over `rect`
uniform sampler2D weight;    // r: share of the change, g: where the maps are of a head; over `rect`
uniform sampler2D paint;     // sRGB codes times cover, cover; over the photo
uniform sampler2D refined;   // linear (an sRGB texture): the photo as the server has rendered it
uniform vec4 view;           // left, top, width, height of what is shown [photo pixels]
uniform vec4 rect;           // left, top, right, bottom of the maps [photo pixels]
uniform vec2 size;           // of the photo
uniform vec3 light[9];
uniform vec3 own[9];         // the photo's light
uniform float least;         // shading counts as no darker where light is compared with light
uniform vec3 gain;           // of what is not the face
uniform vec3 backdrop;       // sRGB, outside the photo
uniform float kept;          // share of the residual
uniform float share;         // of `refined`
uniform float split;         // left of this, the photo as it was [photo pixels]
in vec2 at;
out vec4 colour;

#define RELIT 0
#define PHOTO 1
#define ALBEDO 2
#define NORMAL 3
#define SHADING 4
#define RESIDUAL 5
const float DARKEST = 0.004;          // as facemaps.py
const float MOST_GAIN = 4.0;          // as facemaps.py
const float SHOULDER = 0.75;          // as illures/relighting/composite.py
const float SHADING_SCALE = 1.98853;  // as formats.py: shading 1 is code 188

vec3 decode(vec3 code) {
  return mix(code / 12.92, pow((code + 0.055) / 1.055, vec3(2.4)), step(vec3(0.04045), code));
}

vec3 encode(vec3 linear) {
  vec3 value = clamp(linear, 0.0, 1.0);
  return mix(value * 12.92, 1.055 * pow(value, vec3(1.0 / 2.4)) - 0.055, step(vec3(0.0031308), value));
}

vec3 shade(vec3 n, vec3 light[9]) {
  const float C0 = 0.28209479177, C1 = 0.48860251190, C2 = 1.09254843059, C20 = 0.31539156525;
  return C0 * light[0]
    + C1 * (n.y * light[1] + n.z * light[2] + n.x * light[3])
    + C2 * (n.x * n.y * light[4] + n.y * n.z * light[5] + n.x * n.z * light[7])
    + C20 * (3.0 * n.z * n.z - 1.0) * light[6]
    + 0.5 * C2 * (n.x * n.x - n.y * n.y) * light[8];
}

float brightest(vec3 c) { return max(c.r, max(c.g, c.b)); }

// What has become brighter than the shoulder is compressed, all channels alike; what has not stays.
vec3 shouldered(vec3 fresh, vec3 old) {
  float peak = brightest(fresh);
  float start = max(brightest(old), SHOULDER);
  float over = max(peak - start, 0.0);
  float room = max(1.0 - start, 0.001);
  return over > 0.0 ? fresh * ((start + over * room / (over + room)) / peak) : fresh;
}

// The skin's own colour and what is no shading, with paint: shadow dims the paint as it dimmed the skin.
void skin(vec2 p, vec2 uv, out vec3 a, out vec3 r, out float painted) {
  a = texture(albedo, uv).rgb;
  r = texture(residual, uv).rgb;
  painted = 0.0;
#if PAINTED
  vec4 over = texture(paint, p / size);
  if (over.a > 0.0) {
    vec3 under = a;
    a += over.a * (decode(over.rgb / over.a) - a);
    r = max(r, 0.0) + min(r, 0.0) * a / max(under, DARKEST);
    painted = 1.0;
  }
#endif
}

// What is shown of the face over the photo behind it.
vec3 shown(vec2 p) {
  vec3 image = texture(photo, p / size).rgb;
#if MODE == PHOTO
  return encode(image);
#else
  vec2 uv = (p - rect.xy) / (rect.zw - rect.xy);
  vec2 inside = step(vec2(0.0), uv) * (1.0 - step(vec2(1.0), uv));
  vec2 w = texture(weight, uv).rg * inside.x * inside.y;
  vec3 a, r;
  float painted;
  skin(p, uv, a, r, painted);
#if MODE == RELIT
  vec3 behind = shouldered(image * gain, image);
  vec3 n = normalize(texture(normal, uv).rgb);
  vec3 fresh = shade(n, light);
  // The residual goes along with the light, as strong against the shading as it was.
  vec3 along = min(max(fresh, least) / max(shade(n, own), least), MOST_GAIN);
  vec3 relit = shouldered(a * fresh + kept * along * r, image);
  relit = behind + w.r * (relit - behind);
#if REFINED
  relit = mix(clamp(relit, 0.0, 1.0), texture(refined, p / size).rgb, share);
#endif
  return encode(p.x < split ? image : relit);
#else
#if MODE == ALBEDO
  vec3 map = encode(a);
#elif MODE == NORMAL
  vec3 map = 0.5 * normalize(texture(normal, uv).rgb) + 0.5;
#elif MODE == SHADING
  vec3 map = encode(shade(normalize(texture(normal, uv).rgb), light) / SHADING_SCALE);
#elif MODE == RESIDUAL
  vec3 map = clamp(r + 0.5, 0.0, 1.0);
#endif
  float grey = dot(image, vec3(0.2126, 0.7152, 0.0722));
  vec3 dimmed = mix(backdrop, vec3(sqrt(grey)), 0.35);
  return p.x < split ? encode(image) : mix(dimmed, map, max(w.g, painted * w.r));
#endif
#endif
}

vec3 sampled(vec2 p) {
  vec2 inside = step(vec2(0.0), p) * (1.0 - step(size, p));
  return mix(backdrop, shown(p), inside.x * inside.y);
}

void main() {
  vec2 p = view.xy + at * view.zw;
#if TAPS == 1
  colour = vec4(sampled(p), 1.0);
#else
  // Where many photo pixels fall into one on the screen, four samples on a turned grid.
  vec2 x = dFdx(p), y = dFdy(p);
  colour = vec4(0.25 * (sampled(p + 0.375 * x + 0.125 * y) + sampled(p - 0.375 * x - 0.125 * y)
    + sampled(p - 0.125 * x + 0.375 * y) + sampled(p + 0.125 * x - 0.375 * y)), 1.0);
#endif
}
