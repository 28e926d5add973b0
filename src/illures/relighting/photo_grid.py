"""From the grid of a crop to the pixels of a photo: upsampling of smooth fields, bands of rows, encoding."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from illures.decompose.fields import FINER
from illures.io.photos import Photo
from illures.math.color import linear_to_srgb

# Rows processed at a time.
BAND = 96
_LEVELS = 65535


def over_bands(rows: slice, work: Callable[[slice], None]) -> None:
    """Process bands of rows in threads: NumPy and OpenCV release the GIL while they compute."""
    for _ in _pool().map(work, _bands(rows.start, rows.stop)):
        pass


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1)))


def _bands(start: int, stop: int) -> Iterator[slice]:
    for first in range(start, stop, BAND):
        yield slice(first, min(first + BAND, stop))


def finer(field: np.ndarray, factor: int = FINER) -> Float[np.ndarray, "..."]:
    """Upsample a smooth field with cubics, as the linear warp to the photo would show creases."""
    big = cv2.resize(np.ascontiguousarray(field, np.float32), None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.GaussianBlur(big, (0, 0), factor / 2))


def encoded(linear: Float[np.ndarray, "rows columns 3"], dtype: np.dtype) -> Photo:
    """Encode linear light as pixels of a photo; 8 bits by a table that is fine enough to reach every code."""
    if dtype == np.uint8:
        # One pass of OpenCV that scales, rounds and clips; it would take one number for the first channel alone.
        rows = np.ascontiguousarray(linear, np.float32).reshape(len(linear), -1)
        scaled = cv2.multiply(rows, float(_LEVELS), dtype=cv2.CV_16U)  # type: ignore[call-overload]
        return _codes().take(scaled).reshape(linear.shape)
    clipped = np.clip(linear, 0, 1)
    if dtype == np.uint16:
        return np.round(linear_to_srgb(clipped) * np.float32(65535)).astype(np.uint16)
    return np.asarray(linear_to_srgb(clipped), dtype=np.float32)


@cache
def _codes() -> UInt8[np.ndarray, "65536"]:
    return np.round(linear_to_srgb(np.arange(_LEVELS + 1) / _LEVELS) * 255).astype(np.uint8)
