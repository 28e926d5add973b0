// The server's interface. Every failure is an Error whose message can be shown.

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "omit", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The studio does not answer. Is `illures studio` still running in the terminal?");
  }
  if (answer.ok) return answer;
  let words = `The studio answered with status ${answer.status}.`;
  try {
    words = sentence((await answer.json()).error);
  } catch {
    // no JSON: the words above must do
  }
  throw Object.assign(new Error(words), { status: answer.status });
}

const sentence = (words) => `${words}${/[.!?]$/.test(words) ? "" : "."}`;
const json = (path, options) => ask(path, options).then((answer) => answer.json());
const query = (values) => new URLSearchParams(values).toString();
const faceOf = (photo, index) => `/api/photos/${photo}/faces/${index}`;

export const info = () => json("/api/info");
export const example = () => ask("/api/example").then((answer) => answer.blob());
export const openPhoto = (file, name) => json(`/api/photos?${query({ name })}`, { method: "POST", body: file });
export const forget = (photo) => ask(`/api/photos/${photo}`, { method: "DELETE", keepalive: true });
export const maps = (photo, index, side) => ask(`${faceOf(photo, index)}/maps?side=${side}`).then((answer) => answer.arrayBuffer());
export const presets = (photo, index) => json(`${faceOf(photo, index)}/presets`);
export const lightOf = (photo, index, kind, file, keepColour) =>
  json(`${faceOf(photo, index)}/light?${query({ kind, name: file.name, keep_colour: keepColour })}`, { method: "POST", body: file });
export const openClip = (file) => json(`/api/clips?${query({ name: file.name })}`, { method: "POST", body: file });
export const frame = (clip, time) => ask(`/api/clips/${clip}/frame?time=${time}`).then((answer) => answer.blob());

/** A rendered file: order as in server.py's OrderBody, paint as a Blob or null. */
export async function file(photo, index, order, paint, signal) {
  const body = JSON.stringify({ ...order, paint: paint ? await base64(paint) : "" });
  const answer = await ask(`${faceOf(photo, index)}/file`, { method: "POST", body, signal, headers: { "content-type": "application/json" } });
  return answer.blob();
}

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1]);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
