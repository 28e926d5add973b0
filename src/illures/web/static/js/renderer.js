// Draws a face under a light with WebGL2, at display rate. The equation is in shaders/face.frag.glsl.

import { ATTENUATION } from "./sh.js";

// "rebuilt" is the relit view under the photo's own light.
export const MODES = { relit: 0, photo: 1, albedo: 2, normal: 3, shading: 4, residual: 5, rebuilt: 0 };
const TEXTURES = ["photo", "albedo", "normal", "residual", "weight", "paint", "refined"];
const UNIFORMS = ["view", "rect", "size", "light", "own", "least", "gain", "backdrop", "kept", "share", "split"];
const BASE = new URL("../shaders/", import.meta.url);

/** Fetch the shaders' text; needed once, before the first renderer is made. */
export async function loadShaders() {
  const texts = await Promise.all(
    ["face.vert.glsl", "face.frag.glsl"].map(async (name) => (await fetch(new URL(name, BASE))).text()),
  );
  return { vertex: texts[0], fragment: texts[1] };
}

export class Renderer {
  /** Throws an Error with words for the user where there is no WebGL2. */
  constructor(canvas, shaders) {
    this.canvas = canvas;
    this.shaders = shaders;
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, powerPreference: "high-performance" });
    if (!gl) throw new Error("This browser gives no WebGL 2, which the studio needs to relight; try another one, or switch on graphics acceleration.");
    this.gl = gl;
    this.maps = null;
    this.build();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.build();
      if (this.maps) this.load(this.maps);
      canvas.dispatchEvent(new CustomEvent("restored"));
    });
  }

  get textureLimit() {
    return this.gl.getParameter(this.gl.MAX_TEXTURE_SIZE);
  }

  build() {
    const { gl } = this;
    this.programs = new Map();
    this.painted = false;
    this.program(0, 1, 0, 0); // says at once what is wrong with the driver
    this.textures = Object.fromEntries(TEXTURES.map((name, unit) => [name, this.makeTexture(unit)]));
    gl.bindVertexArray(gl.createVertexArray());
    this.offscreen = null;
  }

  /** The program for a mode, made when it is first needed. */
  program(mode, taps, painted, refined) {
    const { gl } = this;
    const key = [mode, taps, painted, refined].join();
    if (!this.programs.has(key)) {
      const constants = `#define MODE ${mode}\n#define TAPS ${taps}\n#define PAINTED ${painted}\n#define REFINED ${refined}\n`;
      const program = link(gl, this.shaders.vertex, `#version 300 es\n${constants}${this.shaders.fragment}`);
      gl.useProgram(program);
      TEXTURES.forEach((name, unit) => gl.uniform1i(gl.getUniformLocation(program, name), unit));
      const at = Object.fromEntries(UNIFORMS.map((name) => [name, gl.getUniformLocation(program, name)]));
      this.programs.set(key, { program, at });
    }
    const made = this.programs.get(key);
    gl.useProgram(made.program);
    return made.at;
  }

  makeTexture(unit) {
    const { gl } = this;
    const texture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.LINEAR);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    return { texture, unit };
  }

  bind(name) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + this.textures[name].unit);
  }

  /** Upload the textures of a face (see maps.js) and forget paint and refinement. */
  load(maps) {
    const { gl } = this;
    this.maps = maps;
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    const put = (name, inner, format, type) => {
      const { data, width, height } = maps[name];
      this.bind(name);
      gl.texImage2D(gl.TEXTURE_2D, 0, inner, width, height, 0, format, type, data);
    };
    put("photo", gl.SRGB8, gl.RGB, gl.UNSIGNED_BYTE);
    for (const name of ["albedo", "normal", "residual"]) put(name, gl.RGB16F, gl.RGB, gl.HALF_FLOAT);
    put("weight", gl.RG8, gl.RG, gl.UNSIGNED_BYTE);
    this.painted = false;
    this.bind("paint");
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, maps.width, maps.height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
  }

  /** Update a part of the paint: pixels with straight alpha, as a 2-D canvas gives them. */
  setPaint(pixels, x, y) {
    const { gl } = this;
    this.painted = true;
    this.bind("paint");
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, x, y, pixels.width, pixels.height, gl.RGBA, gl.UNSIGNED_BYTE, premultiplied(pixels));
  }

  /** The server's rendering of the whole photo (ImageBitmap). */
  setRefined(bitmap) {
    const { gl } = this;
    this.bind("refined");
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.SRGB8_ALPHA8, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  }

  /**
   * Draw to the canvas.
   * look: { mode, light, kept, gain, share, split, backdrop } (light: 9 x 3 SH radiance)
   * view: { x, y, width, height } of the part that fills the canvas [photo pixels]
   */
  draw(look, view) {
    const { gl, canvas } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    this.paintInto(look, view, canvas.width, canvas.height);
  }

  /** The same as ImageData of this size. */
  picture(look, view, width, height) {
    return this.pictures([{ look, view }], width, height)[0];
  }

  /** Several pictures of one size, each of { look, view }; read back in one go, which costs most of the time. */
  pictures(items, width, height) {
    const { gl } = this;
    const across = Math.ceil(Math.sqrt(items.length));
    const [all, high] = [across * width, Math.ceil(items.length / across) * height];
    this.sizeOffscreen(all, high);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.offscreen.frame);
    const corner = (k) => [(k % across) * width, Math.floor(k / across) * height];
    items.forEach(({ look, view }, k) => this.paintInto(look, view, width, height, ...corner(k)));
    const pixels = new Uint8Array(4 * all * high);
    gl.readPixels(0, 0, all, high, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    return items.map((_, k) => {
      const [left, bottom] = corner(k);
      const image = new ImageData(width, height);
      for (let y = 0; y < height; y++) {
        const first = 4 * ((bottom + height - 1 - y) * all + left); // OpenGL's rows go up
        image.data.set(pixels.subarray(first, first + 4 * width), 4 * width * y);
      }
      return image;
    });
  }

  paintInto(look, view, width, height, left = 0, bottom = 0) {
    const { gl, maps } = this;
    const rebuilt = look.mode === "rebuilt";
    const share = look.mode === "relit" ? look.share ?? 0 : 0;
    const at = this.program(MODES[look.mode], view.width / width > 1.4 ? 4 : 1, +this.painted, +(share > 0));
    gl.viewport(left, bottom, width, height);
    gl.uniform4f(at.view, view.x, view.y, view.width, view.height);
    gl.uniform4f(at.rect, ...maps.rect);
    gl.uniform2f(at.size, maps.width, maps.height);
    gl.uniform3fv(at.light, attenuated(rebuilt ? maps.light : look.light));
    gl.uniform3fv(at.own, attenuated(maps.light));
    gl.uniform1f(at.least, maps.floor);
    gl.uniform3f(at.gain, ...((!rebuilt && look.gain) || [1, 1, 1]));
    gl.uniform3f(at.backdrop, ...(look.backdrop ?? [0.1, 0.1, 0.1]));
    gl.uniform1f(at.kept, rebuilt ? 1 : look.kept ?? 1);
    gl.uniform1f(at.share, share);
    gl.uniform1f(at.split, look.split ?? -1);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  sizeOffscreen(width, height) {
    const { gl } = this;
    if (this.offscreen?.width === width && this.offscreen?.height === height) return;
    if (this.offscreen) {
      gl.deleteFramebuffer(this.offscreen.frame);
      gl.deleteRenderbuffer(this.offscreen.buffer);
    }
    const [frame, buffer] = [gl.createFramebuffer(), gl.createRenderbuffer()];
    gl.bindRenderbuffer(gl.RENDERBUFFER, buffer);
    gl.renderbufferStorage(gl.RENDERBUFFER, gl.RGBA8, width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.RENDERBUFFER, buffer);
    this.offscreen = { frame, buffer, width, height };
  }
}

function attenuated(light) {
  return new Float32Array(light.flatMap((row, i) => row.map((value) => ATTENUATION[i] * value)));
}

/** Colours times cover, so that interpolation does not bleed the colour of bare pixels in. */
function premultiplied({ data }) {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 4) {
    const cover = data[i + 3];
    if (!cover) continue;
    for (let c = 0; c < 3; c++) out[i + c] = Math.round((data[i + c] * cover) / 255);
    out[i + 3] = cover;
  }
  return out;
}

function link(gl, vertex, fragment) {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
      throw new Error(`The graphics driver refuses the shader: ${gl.getShaderInfoLog(shader)}`);
    }
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`The graphics driver refuses the shader: ${gl.getProgramInfoLog(program)}`);
  }
  return program;
}
