"""Colour code points of still pictures (CICP, ITU-T H.273), and their pixels at more than 8 bits.

HEIC and AVIF hold them in a `colr` box of kind nclx (ISO/IEC 14496-12, 12.1.5), PNG in a cICP chunk (W3C, third
edition).
"""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num
from PIL import Image

from illures.errors import InputError
from illures.io.container import open_container, pyav, side_data
from illures.io.decoding import note
from illures.io.hdr import Colours, to_sdr

_HEAD = 1 << 16  # bytes in which the boxes and chunks are looked for
_SRGB = Colours(1, 13)
# How Adobe and Android, ISO 21496-1, and Apple mark a gain map: a second picture that tells how to brighten the first.
_GAIN_MAPS = (b"hdrgm:Version", b"urn:iso:std:iso:ts:21496:-1", b"aux:hdrgainmap")


def colours_of(path: Path, image: Image.Image) -> Colours:
    """The colours that the file declares; sRGB where it declares none, or where its ICC profile counts."""
    nclx = image.info.get("nclx_profile")
    if isinstance(nclx, dict):
        declared = Colours(int(nclx["color_primaries"]), int(nclx["transfer_characteristics"]))
    else:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        found = None
        if image.format == "AVIF":
            found = re.search(rb"colrnclx(..)(..)", head, re.DOTALL)
        elif image.format == "PNG":
            found = re.search(rb"\0\0\0\x04cICP(.)(.)", head.partition(b"IDAT")[0], re.DOTALL)
        declared = Colours(*(int.from_bytes(number, "big") for number in found.groups())) if found else _SRGB
    return declared if declared.is_hdr or not image.info.get("icc_profile") else _SRGB


def deep_pixels(path: Path, image: Image.Image) -> Num[np.ndarray, "height width channels"] | None:
    """Pixels of an HDR file at 16 bits, upright as pillow has them; None where there are only 8."""
    if image.format == "HEIF":
        import pillow_heif

        return np.asarray(pillow_heif.open_heif(path, convert_hdr_to_8bit=False))
    return _deep_avif(path, image.size) if image.format == "AVIF" else None


def as_srgb(
    pixels: Num[np.ndarray, "height width channels"], colours: Colours, path: Path
) -> Num[np.ndarray, "height width channels"]:
    """Convert codes to sRGB and note it; alpha stays."""
    note(path, colours.description)
    rgb = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=-1)
    alpha = pixels[..., 3:] if pixels.shape[2] >= 3 else pixels[..., 1:]
    return np.concatenate([to_sdr(np.ascontiguousarray(rgb), colours), alpha], axis=-1)


def say_gain_map(path: Path, image: Image.Image) -> None:
    """Note that a file has an HDR gain map, which is not used."""
    if image.format not in ("JPEG", "MPO", "HEIF", "AVIF") or not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if any(data.find(words) >= 0 for words in _GAIN_MAPS):
            note(path, "has a gain map for HDR screens; its SDR picture is read")


def _deep_avif(path: Path, size: tuple[int, int]) -> Any:
    """Pixels as FFmpeg decodes them, if the size is the same: pillow gives only 8 bits."""
    try:
        av = pyav()
    except InputError:
        note(path, 'only 8 of its bits are read; all of them after pip install "illures[video]"')
        return None
    try:
        with open_container(path) as container:
            frame = next(container.decode(video=0))
            turned = side_data(frame, "DISPLAYMATRIX") is not None
            if (frame.width, frame.height) != size or turned or len(container.streams.video) > 1:
                return None
            return frame.reformat(format="rgb48le", src_colorspace="BT2020").to_ndarray()
    except (av.error.FFmpegError, OSError, ValueError, StopIteration):
        return None
