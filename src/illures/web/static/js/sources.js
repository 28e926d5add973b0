// Where a photo comes from: files, drops, the clipboard, the camera, a clip.

import { $, busy, toast } from "./ui.js";
import * as api from "./api.js";

const isVideo = (file) => file.type.startsWith("video/") || /\.(mkv|avi|mov|m4v|mts|wmv)$/i.test(file.name);

export class Sources {
  /** onPhoto(blob, name) takes a photo; limits as the server's /api/info gives them. */
  constructor(onPhoto, limits) {
    this.onPhoto = onPhoto;
    this.limits = limits;
    $("choose").addEventListener("click", () => this.pick("photo-file"));
    $("another").addEventListener("click", () => this.pick("photo-file"));
    $("clip").addEventListener("click", () => this.pick("clip-file"));
    for (const id of ["photo-file", "clip-file"]) $(id).addEventListener("change", () => this.take($(id).files));
    $("example").addEventListener("click", () => busy("Reading the example", async () => onPhoto(await api.example(), "astronaut.jpg")));
    $("camera").addEventListener("click", () => this.openCamera());
    document.querySelectorAll("[data-close]").forEach((button) => button.addEventListener("click", () => button.closest("dialog").close()));
    this.listenDrops();
    this.listenClip();
    this.listenCamera();
    document.addEventListener("paste", (event) => {
      if (event.clipboardData?.files.length) this.take(event.clipboardData.files);
    });
  }

  pick(id) {
    $(id).value = "";
    $(id).click();
  }

  take(files) {
    const [file] = files;
    if (!file) return;
    if (isVideo(file)) this.openClip(file);
    else if (file.size > this.limits.photoBytes) toast(tooLarge(file, this.limits.photoBytes), true);
    else this.onPhoto(file, file.name || "photo");
  }

  listenDrops() {
    let depth = 0;
    const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    const show = (shown) => { $("catch").hidden = !shown; };
    addEventListener("dragenter", (event) => {
      if (holdsFiles(event) && depth++ === 0) show(true);
    });
    addEventListener("dragleave", (event) => {
      if (holdsFiles(event) && --depth <= 0) show(false), (depth = 0);
    });
    addEventListener("dragover", (event) => {
      if (holdsFiles(event)) event.preventDefault();
    });
    addEventListener("drop", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      depth = 0;
      show(false);
      this.take(event.dataTransfer.files);
    });
  }

  // Camera

  async openCamera() {
    const video = $("camera-video");
    if (!navigator.mediaDevices?.getUserMedia) {
      toast("The camera is open to pages on this computer alone (http://127.0.0.1 or localhost).", true);
      return;
    }
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 1920 }, height: { ideal: 1080 } } });
    } catch (error) {
      toast(error.name === "NotAllowedError" ? "The browser was not allowed to use the camera." : "No camera was found.", true);
      return;
    }
    video.srcObject = this.stream;
    $("camera-dialog").showModal();
    await video.play();
  }

  listenCamera() {
    $("camera-dialog").addEventListener("close", () => {
      this.stream?.getTracks().forEach((track) => track.stop());
      $("camera-video").srcObject = null;
    });
    $("camera-take").addEventListener("click", async () => {
      const blob = await pictureOf($("camera-video"));
      $("camera-dialog").close();
      if (blob) this.onPhoto(blob, "camera.png");
    });
  }

  // Clip: the browser plays it where it can; else the server decodes frame by frame.

  openClip(file) {
    this.clip = { name: file.name.replace(/\.[^.]*$/, ""), rate: 25, remote: null };
    const video = $("clip-video");
    video.hidden = false;
    $("clip-frame").hidden = true;
    video.onloadeddata = () => this.showClip(video.duration);
    video.onerror = () => this.openRemotely(file);
    video.src = URL.createObjectURL(file);
  }

  async openRemotely(file) {
    if (file.size > this.limits.clipBytes) {
      toast(tooLarge(file, this.limits.clipBytes), true);
      return;
    }
    const about = await busy("Reading the clip", () => api.openClip(file));
    if (!about) return;
    Object.assign(this.clip, { remote: about.id, rate: about.rate });
    $("clip-video").hidden = true;
    $("clip-frame").hidden = false;
    await this.seek(0);
    this.showClip(about.duration ?? 0);
  }

  showClip(duration) {
    const end = Number.isFinite(duration) ? Math.max(0, duration - 1 / this.clip.rate) : 0;
    Object.assign($("clip-time"), { max: end, step: 1 / this.clip.rate, value: 0 });
    $("clip-now").textContent = "0.00 s";
    if (!$("clip-dialog").open) $("clip-dialog").showModal();
  }

  async seek(time) {
    $("clip-now").textContent = `${time.toFixed(2)} s`;
    if (!this.clip.remote) {
      $("clip-video").currentTime = time;
      return;
    }
    this.wanted = time;
    if (this.seeking) return;
    this.seeking = true;
    while (this.wanted !== null) {
      const now = this.wanted;
      this.wanted = null;
      try {
        this.clip.blob = await api.frame(this.clip.remote, now);
        URL.revokeObjectURL($("clip-frame").src);
        $("clip-frame").src = URL.createObjectURL(this.clip.blob);
      } catch (error) {
        toast(error.message, true);
      }
    }
    this.seeking = false;
  }

  listenClip() {
    const slider = $("clip-time");
    slider.addEventListener("input", () => this.seek(+slider.value));
    for (const [id, step] of [["clip-back", -1], ["clip-on", 1]]) {
      $(id).addEventListener("click", () => {
        slider.value = +slider.value + step / this.clip.rate;
        this.seek(+slider.value);
      });
    }
    $("clip-take").addEventListener("click", async () => {
      const blob = this.clip.remote ? this.clip.blob : await pictureOf($("clip-video"));
      $("clip-dialog").close();
      if (blob) this.onPhoto(blob, `${this.clip.name}.png`);
    });
    $("clip-dialog").addEventListener("close", () => {
      const video = $("clip-video");
      video.onerror = null;
      URL.revokeObjectURL(video.src);
      video.removeAttribute("src");
      video.load();
      if (this.clip.remote) api.forget(this.clip.remote).catch(() => {});
    });
  }
}

/** What a video shows, as PNG. */
function pictureOf(video) {
  const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function tooLarge(file, limit) {
  return `${file.name} has ${Math.ceil(file.size / 1e6)} MB; the studio takes at most ${Math.round(limit / 1e6)} MB.`;
}
