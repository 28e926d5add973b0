"""Truncated JPEG files that still end with an end marker: libjpeg fills in missing data without a warning.

Such files come from repaired transfers, from recovery tools and from cameras that lost power.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from illures.io.decoding import note

_END = b"\xff\xd9"
# Entropy-coded data that are no end marker, and that no table decodes as zeros, which missing data are read as.
_MORE = b"\x55" * 4096
_BLOCK = 8


def say_cut(path: Path, image: Image.Image) -> None:
    """Note which part of a loaded JPEG is missing from the file.

    If extra data before the end marker change the picture, the decoder lacked data.
    """
    if image.format not in ("JPEG", "MPO") or not _may_be_cut(image):
        return
    data = path.read_bytes()
    begin = re.search(rb"\xff\xda", data)  # of the scan
    end = data.find(_END, begin.start()) if begin else -1
    if end < 0:
        return
    try:
        with Image.open(io.BytesIO(data[:end] + _MORE + _END), formats=["JPEG"]) as longer:
            longer.load()
            changed = np.flatnonzero((np.asarray(longer) != np.asarray(image)).reshape(image.height, -1).any(axis=1))
    except (OSError, SyntaxError, ValueError):
        return
    if not len(changed):
        return
    if image.info.get("progressive"):
        note(path, "ends too early: the file lacks the last scans, and the picture is coarser than it was")
        return
    rows = int(changed[0]) // _BLOCK * _BLOCK
    note(path, f"ends too early: no more than the first {rows} of {image.height} rows are in the file")


def _may_be_cut(image: Image.Image) -> bool:
    """A cheap first check: in a truncated sequential JPEG the last block is flat."""
    if image.info.get("progressive"):
        return True
    last = np.asarray(image)[-_BLOCK // 2 :, -_BLOCK // 2 :]
    return bool(np.ptp(last.reshape(-1, last.shape[-1] if last.ndim == 3 else 1).astype(int), axis=0).max() <= 1)
