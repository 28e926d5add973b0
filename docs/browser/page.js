// The page: a photo is chosen, two eyes are clicked, and the maps are drawn.
import * as ort from "./ort/ort.wasm.min.mjs";
import { alignment, decompose } from "./network.js";
import { shade, toLinear, toSRGB } from "./sh.js";

const SIZE = 128; // of the network's crop [px]
const LONGEST = 3000; // larger photos are made smaller
const view = document.getElementById("photo");
const words = document.getElementById("words");
const say = (text) => { words.textContent = text; };

ort.env.wasm.numThreads = 1; // more would need headers that a plain site does not send
ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
const started = ort.InferenceSession.create(new URL("./model.onnx", import.meta.url).href);
let photo = null;
let eyes = [];

document.getElementById("file").addEventListener("change", ({ target }) => target.files[0] && open(target.files[0]));
view.addEventListener("click", (event) => {
  if (!photo) return;
  const box = view.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * view.width - 0.5;
  const y = ((event.clientY - box.top) / box.height) * view.height - 0.5;
  if (eyes.length === 2) eyes = [];
  eyes.push([x, y]);
  paint();
  if (eyes.length === 1) say("Now the other eye.");
  else run().catch((error) => say(error.message));
});

started.then(
  () => { document.body.dataset.ready = "yes"; say("Choose a photo. It stays on this device."); },
  (error) => say(`The network can't be loaded: ${error.message}`),
);

async function open(file) {
  try {
    const image = await createImageBitmap(file);
    const factor = Math.min(1, LONGEST / Math.max(image.width, image.height));
    view.width = Math.round(image.width * factor);
    view.height = Math.round(image.height * factor);
    const brush = view.getContext("2d", { willReadFrequently: true });
    brush.imageSmoothingQuality = "high";
    brush.drawImage(image, 0, 0, view.width, view.height);
    photo = brush.getImageData(0, 0, view.width, view.height);
    eyes = [];
    document.body.dataset.state = "photo";
    say("Click the middle of one eye, then of the other.");
  } catch {
    say(`${file.name}: the browser can't read it as a picture.`);
  }
}

function paint() {
  const brush = view.getContext("2d");
  brush.putImageData(photo, 0, 0);
  brush.lineWidth = Math.max(1, view.width / 300);
  brush.strokeStyle = "#ff5a36";
  for (const [x, y] of eyes) {
    brush.beginPath();
    brush.arc(x + 0.5, y + 0.5, view.width / 80, 0, 7);
    brush.stroke();
  }
}

async function run() {
  say("The network is at work ...");
  document.body.dataset.state = "work";
  const begun = performance.now();
  const maps = await decompose(ort, await started, photo, alignment(...eyes, SIZE), SIZE);
  const light = Array.from({ length: 9 }, (_, i) => Array.from(maps.light.slice(3 * i, 3 * i + 3)));
  const shading = new Float32Array(maps.albedo.length);
  for (let i = 0; i < shading.length; i += 3) shading.set(shade(maps.normal.subarray(i, i + 3), light), i);
  draw("crop", maps.image, (v) => v);
  draw("albedo", maps.albedo, toSRGB);
  draw("normal", maps.normal, (v) => v / 2 + 0.5);
  draw("shading", shading, (v) => toSRGB(v / 2));
  draw("residual", maps.residual, (v) => v / 2 + 0.5);
  draw("sum", maps.albedo.map((v, i) => v * shading[i] + maps.residual[i]), toSRGB);
  const worst = maps.image.reduce(
    (most, v, i) => Math.max(most, Math.abs(maps.albedo[i] * shading[i] + maps.residual[i] - toLinear(v))), 0);
  window.illures = { ...maps, eyes, photo }; // for the console, and the test
  document.body.dataset.state = "done";
  say(`Done in ${((performance.now() - begun) / 1000).toFixed(1)} s; albedo × shading + residual is the photo to ${worst.toFixed(4)}.`);
}

function draw(name, values, code) {
  const pixels = new ImageData(SIZE, SIZE);
  for (let i = 0; i < SIZE * SIZE; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = Math.round(255 * code(values[3 * i + c]));
    pixels.data[4 * i + 3] = 255;
  }
  document.getElementById(name).getContext("2d").putImageData(pixels, 0, 0);
}
