"""Truncated JPEG files that still end with an end marker: libjpeg fills in missing data without a warning.

Such files come from repaired transfers, from recovery tools and from cameras that lost power.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from illures.io.decoding import note

_END = b"\xff\xd9"
# Inserted before the end marker. These bytes are no marker, and no Huffman table decodes them as zeros, as which
# missing data are read.
_MORE = b"\x55" * 4096
_BLOCK = 8


def say_cut(path: Path, image: Image.Image) -> None:
    """Note which part of a loaded JPEG is missing from the file.

    If extra data before the end marker change the picture, the decoder lacked data.
    """
    if image.format not in ("JPEG", "MPO") or not _may_be_cut(image):
        return
    data = path.read_bytes()
    begin = _scan(data)
    end = data.find(_END, begin) if begin else -1
    if end < 0:
        return
    try:
        with Image.open(io.BytesIO(data[:end] + _MORE + _END), formats=["JPEG"]) as longer:
            longer.load()
            changed = ImageChops.difference(longer, image).getbbox()
    except (OSError, SyntaxError, ValueError):
        return
    if changed is None:
        return
    if image.info.get("progressive"):
        note(path, "ends too early: the file lacks the last scans, and the picture is coarser than it was")
        return
    rows = changed[1] // _BLOCK * _BLOCK
    note(path, f"ends too early: no more than the first {rows} of {image.height} rows are in the file")


def _scan(data: bytes) -> int | None:
    """Offset of the first scan, which is not that of a thumbnail in the metadata. None if the markers are broken."""
    place = 2
    while data[place : place + 1] == b"\xff":
        marker = data[place + 1 : place + 2]
        if marker == b"\xda":
            return place
        if marker == b"\xff":  # fill
            place += 1
            continue
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None


def _may_be_cut(image: Image.Image) -> bool:
    """A cheap first check: in a truncated sequential JPEG the last block is flat."""
    if image.info.get("progressive"):
        return True
    width, height = image.size
    last = np.asarray(image.crop((max(width - _BLOCK // 2, 0), max(height - _BLOCK // 2, 0), width, height)))
    return bool(np.ptp(last.reshape(-1, last.shape[-1] if last.ndim == 3 else 1).astype(int), axis=0).max() <= 1)
