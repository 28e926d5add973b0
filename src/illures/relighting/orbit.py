"""A video of a lamp that orbits a face: MP4, GIF or WebP."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from illures.decompose.decomposer import Decomposer
from illures.errors import InputError
from illures.io.container import pyav
from illures.io.files import write_whole
from illures.io.photos import Photo, read_photo
from illures.relighting.composite import Background, PhotoRelighter
from illures.relighting.exposure import exposed, tinted
from illures.relighting.light import Light
from illures.relighting.surface import Residual

SUFFIXES = (".mp4", ".gif", ".webp")
FRAMES, RATE = 72, 24
# The lamp's path: an ellipse around the viewer [deg].
WIDE_DEG, HIGH_DEG, CENTRE_DEG = 75.0, 32.0, 14.0

Frame = UInt8[np.ndarray, "rows columns 3"]


def write_orbit(
    source: Path,
    target: Path,
    decomposer: Decomposer,
    *,
    side: int = 720,
    residual: Residual = "recompute",
    background: Background = "keep",
    strength: float = 1.0,
    stops: float = 0.0,
) -> None:
    """Write one orbit of a lamp around the largest face; the video loops seamlessly.

    Args:
        source: the photo.
        target: its suffix selects the format: .mp4, .gif or .webp.
        decomposer: finds and decomposes the face.
        side: the longer side of the video [px].
        residual: see `relight_photo`.
        background: likewise.
        strength: likewise.
        stops: above the exposure of the photo.

    Raises:
        InputError: another suffix, a photo that can't be read or shows no face, or a file that can't be written.
    """
    check_orbit(target)
    photo = small(read_photo(source), side)
    faces = decomposer(photo, name=str(source))
    if not faces:
        raise InputError(f"{source}: no face found")
    relighter = PhotoRelighter(photo, faces, residual=residual, background=background, strength=strength)
    frames = (relighter(exposed(tinted(light, faces[0]), faces[0], stops)) for light in _lights())
    suffix = target.suffix.lower()
    write_whole(target, _mp4(frames) if suffix == ".mp4" else _animation(list(frames), suffix))


def check_orbit(target: Path) -> None:
    """Raise an InputError unless the suffix is one of `SUFFIXES`, and what writes it is installed."""
    if target.suffix.lower() not in SUFFIXES:
        raise InputError(f"{target}: can't write {target.suffix or 'a video with no suffix'}; use mp4, gif or webp")
    if target.suffix.lower() == ".mp4":
        pyav()


def small(photo: Photo, side: int) -> Frame:
    """8 bits, at most `side` pixels on the longer side, even sides."""
    scale = min(1.0, side / max(photo.shape[:2]))
    width, height = (max(16, round(v * scale / 2) * 2) for v in photo.shape[1::-1])
    if photo.dtype != np.uint8:
        photo = np.round(photo * (255.0 if photo.dtype.kind == "f" else 1 / 257)).astype(np.uint8)
    return np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA))


def _lights() -> Iterator[Light]:
    for angle in 2 * np.pi * np.arange(FRAMES) / FRAMES:
        azimuth, elevation = WIDE_DEG * np.sin(angle), CENTRE_DEG + HIGH_DEG * np.cos(angle)
        yield Light.from_direction(float(azimuth), float(elevation), ambient=0.2, radius_deg=8)


def _mp4(frames: Iterator[Frame]) -> bytes:
    av = pyav()
    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "medium"})
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            if not stream.codec_context.is_open:
                stream.height, stream.width = frame.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return data.getvalue()


def _animation(frames: list[Frame], suffix: str) -> bytes:
    images = [Image.fromarray(frame) for frame in frames]
    if suffix == ".gif":
        # One palette for all frames, against flicker.
        palette = Image.fromarray(np.concatenate(frames[:: max(1, len(frames) // 6)])).quantize(255)
        images = [image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for image in images]
    data = io.BytesIO()
    options = {"quality": 85, "method": 4} if suffix == ".webp" else {}
    milliseconds = round(1000 / RATE)
    images[0].save(data, suffix[1:], save_all=True, append_images=images[1:], duration=milliseconds, loop=0, **options)
    return data.getvalue()
