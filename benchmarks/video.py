"""Speed of `illures video`, or its flicker against frame-by-frame processing: python benchmarks/video.py [CLIP ...].

Without clips, speed: a clip of 640 x 480 pixels made of scikit-image's astronaut (NASA, public domain), which pans,
zooms and has noise; decoded, taken apart by illures-128, shown, and encoded to a file.

With clips, their flicker: frames are resampled to the UV atlas of the landmark mesh, and skin that every frame shows
well is compared by `evaluate.metrics.flicker`. Lids, eyeballs and the open mouth are left out, as they really change.
"Frame by frame" is what `illures decompose` and `illures relight` make of each frame, with the faces of the same
tracker.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from illures.decompose.decomposer import Decomposer
from illures.decompose.photo_maps import photo_maps
from illures.evaluate.metrics import flicker
from illures.evaluate.uv_maps import SIZE, seen_skin, to_uv_atlas
from illures.faces import atlas, crop_face, feathered, to_crop
from illures.faces.track import FaceTracker
from illures.io.formats import Format
from illures.io.photos import as_linear
from illures.model.weights import FAST
from illures.relighting.composite import relight_photo
from illures.relighting.exposure import exposed
from illures.relighting.light import Light
from illures.types import Face
from illures.video.make import make_video
from illures.video.read import Frame, read_frames
from illures.video.render import Show, show_frame
from illures.video.stabilize import Stabilizer
from record import record

SHOWS: tuple[Show, ...] = ("albedo", "normal", "shading", "residual", "relit", "grid")

Image8 = UInt8[np.ndarray, "height width 3"]
UVMap = Float[np.ndarray, "size size 3"]


@dataclass(frozen=True)
class Laid:
    """One frame of one clip, in the UV atlas: itself; the albedo and the relit face, frame by frame and stabilised."""

    image: UVMap
    albedo_alone: UVMap
    albedo: UVMap
    relit_alone: UVMap
    relit: UVMap
    seen: Bool[np.ndarray, "size size"]


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path, help="clips with one main face each")
    parser.add_argument("--weights", type=Path, help="default: those in the package")
    parser.add_argument("--frames", type=int, default=50, help="frames of each clip that flicker is measured on")
    parser.add_argument("--every", type=int, default=4)
    options = parser.parse_args()
    decomposer = Decomposer.from_pretrained(options.weights or FAST)
    figures: dict[str, Any] = {"every": options.every, "crop_px": decomposer.size}
    if options.clips:
        figures |= flicker_of(options.clips, decomposer, options.frames, options.every)
    else:
        with tempfile.TemporaryDirectory() as folder:
            clip, out = make_clip(Path(folder) / "astronaut.mp4", 300), Path(folder) / "out.mp4"
            speeds = {show: speed(clip, out, decomposer, show, options.every) for show in SHOWS}
        figures["frames_per_second"] = speeds
    print(json.dumps(figures, indent=2))
    record("video-flicker" if options.clips else "video-speed", figures)


def flicker_of(clips: list[Path], decomposer: Decomposer, frames: int, every: int) -> dict[str, Any]:
    """Medians over clips, and the worst ratios."""
    found = [flickers(path, decomposer, frames, every) for path in clips]
    figures: dict[str, Any] = {"clips": len(found)}
    for name in found[0]:
        figures[name] = round(statistics.median(each[name] for each in found), 4)
    for name in ("albedo", "relit"):
        ratios = [each[f"{name}_flicker_rel"] / each[f"{name}_flicker_frame_by_frame_rel"] for each in found]
        figures[f"{name}_flicker_over_frame_by_frame"] = {
            "median": round(statistics.median(ratios), 3),
            "worst": round(max(ratios), 3),
        }
    return figures


def make_clip(path: Path, count: int) -> Path:
    """The astronaut, slowly panned and zoomed, with noise: 640 x 480, 25 frames a second, H.264."""
    import av
    from skimage.data import astronaut

    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for number in range(count):
            angle = 2 * np.pi * number / 125
            zoom = 1.2 + 0.1 * np.sin(angle)
            matrix = np.array([[zoom, 0, 40 + 30 * np.sin(angle)], [0, zoom, 10 * np.cos(2 * angle)]])
            image = cv2.warpAffine(astronaut(), matrix, (640, 480), flags=cv2.INTER_CUBIC)
            noisy = image + 3 * rng.standard_normal(image.shape)
            frame = av.VideoFrame.from_ndarray(np.clip(noisy, 0, 255).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def speed(clip: Path, out: Path, decomposer: Decomposer, show: Show, every: int) -> float:
    """Frames a second from file to file, the first hundred (which load the networks) not counted."""
    times: list[float] = []
    light = Light.from_direction(60, 20)
    make_video(clip, out, decomposer, show, light, every=every, progress=lambda *_: times.append(time.perf_counter()))
    return round((len(times) - 101) / (times[-1] - times[100]), 1)


def flickers(clip: Path, decomposer: Decomposer, frames: int, every: int) -> dict[str, float]:
    """Flicker of albedo and of the relit face, relative to their means."""
    laid = list(islice(laid_frames(clip, decomposer, every), frames))
    seen = np.logical_and.reduce([each.seen for each in laid])
    figures = {"clip_flicker_rel": flicker(np.stack([each.image[seen] for each in laid]))}
    for name in ("albedo", "relit"):
        for suffix, attribute in (("_frame_by_frame", f"{name}_alone"), ("", name)):
            values = np.stack([getattr(each, attribute)[seen] for each in laid])
            figures[f"{name}_flicker{suffix}_rel"] = flicker(values)
    print(clip.name, len(laid), "frames", int(seen.sum()), "texels", {k: round(v, 4) for k, v in figures.items()})
    return figures


def laid_frames(clip: Path, decomposer: Decomposer, every: int) -> Iterator[Laid]:
    """The main face of each frame."""
    tracker, stabilizer, light = FaceTracker(), Stabilizer(decomposer, every), None
    for frame in read_frames(clip):
        tracked = tracker(frame.image)[:1]
        if not tracked:
            continue
        face = tracked[0].face
        alone = Decomposer(decomposer.predictor, decomposer.size, partial(_only, face))(frame.image)
        stable = stabilizer(frame.image, tracked, frame.time_s)
        light = light or exposed(Light.from_direction(60, 20), stable[0])
        mask = atlas.unwrap(feathered(alone[0].mask, alone[0].crop), places(face, alone[0].crop.size, frame))
        seen = seen_skin(face) & (mask > 0.95)
        yield Laid(
            image=to_uv_atlas(as_linear(frame.image), face),
            albedo_alone=to_uv_atlas(as_linear(photo_maps(frame.image, alone, Format("png")).albedo), face),
            albedo=to_uv_atlas(as_linear(show_frame(frame.image, stable, "albedo")), face),
            relit_alone=to_uv_atlas(as_linear(relight_photo(frame.image, alone, light)), face),
            relit=to_uv_atlas(as_linear(show_frame(frame.image, stable, "relit", light)), face),
            seen=seen,
        )


def _only(face: Face, photo: Image8) -> list[Face]:
    return [face]


def places(face: Face, size: int, frame: Frame) -> Float[np.ndarray, "size size 2"]:
    """Where the texels lie in the face's crop of this size."""
    crop = crop_face(face, frame.image.shape[:2], size)
    return atlas.positions(to_crop(face.landmarks, crop)[:, :2], SIZE)


if __name__ == "__main__":
    main()
