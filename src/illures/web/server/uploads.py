"""Uploaded files: safe names, size checks, and decoding. Decoding runs in the worker process, which a file may crash.

The number of pixels is read from the header and checked before any pixel is decoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from illures.errors import InputError
from illures.io.container import open_container, pyav
from illures.io.headers import header_size
from illures.io.photos import Photo, read_photo
from illures.web.server.memoryfile import as_file

T = TypeVar("T")
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Upload:
    """An uploaded file.

    Attributes:
        id: id in the `Store`.
        name: name for messages and outputs, made safe by `plain_name`.
        data: the content.
    """

    id: str
    name: str
    data: bytes


def plain_name(name: str) -> str:
    """The last part of a path, with printable characters only, at most 80; never empty."""
    last = re.split(r"[\\/]", name)[-1]
    plain = "".join(c for c in last if c.isprintable()).strip(" .")
    if len(plain) > _LONGEST_NAME:
        stem, dot, suffix = plain.rpartition(".")
        keep = f"{dot}{suffix}" if dot and len(suffix) <= 8 else ""
        plain = (stem or plain)[: _LONGEST_NAME - len(keep)] + keep
    return plain or "photo"


def decode_photo(upload: Upload, pixels: int) -> Photo:
    """Decode a photo at its own bit depth.

    Raises:
        InputError: it is not a photo, or has more than `pixels` pixels.
    """
    if not upload.data:
        raise InputError(f"{upload.name}: the file is empty")

    def read(path: Path) -> Photo:
        check_pixels(*header_size(path), pixels)
        return read_photo(path)

    return reading(upload, "", read)


def reading(upload: Upload, suffix: str, read: Callable[[Path], T]) -> T:
    """Call `read` with a path to the upload. InputErrors name the upload instead of that path."""
    with as_file(upload.data, suffix) as path:
        try:
            return read(path)
        except InputError as error:
            text = str(error).replace(f"{path}: ", "").replace(str(path), upload.name)
            raise InputError(f"{upload.name}: {text}") from None


def check_pixels(width: int, height: int, pixels: int) -> None:
    """Raise an InputError if an image has more than `pixels` pixels."""
    if width * height > pixels:
        limit = f"illures takes at most {pixels / 1e6:.3g} megapixels"
        raise InputError(f"{width} x {height} pixels; {limit}")


def frame_at(upload: Upload, time_s: float, pixels: int) -> tuple[dict[str, Any], Photo]:
    """Decode one frame of a clip.

    Args:
        upload: the clip.
        time_s: the first frame at or after this time is returned [s]; past the end, one near the end.
        pixels: largest frame accepted [px].

    Returns:
        Size, duration and rate of the clip and the frame's time; and the frame, sRGB.

    Raises:
        InputError: the clip can't be read, or its frames are too large.
    """
    from illures.video.read import open_clip, read_frames

    def read(path: Path) -> tuple[dict[str, Any], Photo]:
        _check_frames(path, pixels)
        info = open_clip(path)
        check_pixels(info.width, info.height, pixels)
        start = max(0.0, min(time_s, (info.duration_s or time_s) - 1 / info.rate))
        frame = next(read_frames(path, start), None) or next(read_frames(path), None)
        if frame is None:
            raise InputError("holds no frame that can be read")
        about = {"width": info.width, "height": info.height, "duration": info.duration_s, "rate": info.rate}
        return {**about, "time": frame.time_s}, frame.image

    return reading(upload, "", read)


def _check_frames(path: Path, pixels: int) -> None:
    av = pyav()
    try:
        with open_container(path, pixels) as container:
            sizes = [(s.codec_context.width, s.codec_context.height) for s in container.streams.video]
    except (av.error.FFmpegError, OSError, ValueError, AttributeError):
        return  # `open_clip` raises the error
    for width, height in sizes:
        check_pixels(width, height, pixels)
