"""Bilinear sampling of pictures at places between their pixels, exact whatever OpenCV is installed.

OpenCV 4 rounds these places to 1/32 of a pixel. Beside edges the maps of a photo then differ from those of OpenCV 5 by
up to 36 codes, and jump where a face moves by a hair. OpenCV 5 is exact for 1, 3 and 4 channels.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Float, Int, Num

_OPENCV_IS_EXACT = int(cv2.__version__.partition(".")[0]) >= 5
_BAND = 1 << 16  # pixels that are sampled at a time: what is needed for them stays in the cache

Picture = Num[np.ndarray, "height width *channels"]
Sampled = Num[np.ndarray, "rows columns *kept"]  # a last axis of one channel is dropped, as OpenCV does


def warp_affine(
    picture: Picture, matrix: Float[np.ndarray, "2 3"], size: tuple[int, int], border: int, inverse: bool = True
) -> Sampled:
    """As `cv2.warpAffine` with bilinear interpolation.

    Args:
        picture: uint8, uint16 or float32.
        matrix: takes pixels of the result to those of the picture; the other way round unless `inverse`.
        size: width and height of the result [px].
        border: OpenCV's mode outside the picture: constant (0), replicate or reflect-101.
        inverse: see `matrix`.
    """
    if _OPENCV_IS_EXACT:
        flags = cv2.INTER_LINEAR | (cv2.WARP_INVERSE_MAP if inverse else 0)
        return np.asarray(cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=border))
    back = np.asarray(matrix if inverse else cv2.invertAffineTransform(np.asarray(matrix, np.float64)), np.float64)
    return sampled(picture, _places(back, *size), (size[1], size[0]), border)


def remap(
    picture: Picture, x: Float[np.ndarray, "rows columns"], y: Float[np.ndarray, "rows columns"], border: int
) -> Sampled:
    """As `cv2.remap` with bilinear interpolation; see `warp_affine`."""
    if _OPENCV_IS_EXACT:
        return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=border))
    step = max(1, _BAND // x.shape[1])
    places = ((x[k : k + step].astype(np.float64), y[k : k + step].astype(np.float64)) for k in range(0, len(x), step))
    return sampled(picture, places, x.shape, border)


def sampled(
    picture: Picture, places: Iterator[tuple[np.ndarray, np.ndarray]], shape: tuple[int, ...], border: int
) -> Sampled:
    """The picture at given places, of the type of the picture; see `warp_affine`.

    Args:
        picture: see `warp_affine`.
        places: x and y of bands of rows of the result, from top to bottom [px of the picture].
        shape: rows and columns of the result.
        border: see `warp_affine`.
    """
    height, width = picture.shape[:2]
    channels = picture.shape[2:] if picture.shape[2:] != (1,) else ()
    flat = np.ascontiguousarray(picture).reshape(height * width, -1)
    result, row = np.empty((*shape, *channels), picture.dtype), 0
    for x, y in places:
        column, line = np.floor(x), np.floor(y)
        right, down = ((at - low).astype(np.float32) for at, low in ((x, column), (y, line)))
        total = np.zeros((x.size, flat.shape[1]), np.float32)
        for dy, vertical in ((0, 1 - down), (1, down)):
            for dx, horizontal in ((0, 1 - right), (1, right)):
                i, inside_i = _index(column + dx, width, border)
                j, inside_j = _index(line + dy, height, border)
                weight = vertical * horizontal * (inside_i & inside_j)
                total += weight.reshape(-1, 1) * flat[(j * width + i).ravel()]
        if np.issubdtype(picture.dtype, np.integer):
            total = np.rint(total)
        result[row : row + len(x)] = total.reshape(*x.shape, *channels)
        row += len(x)
    return result


def _places(back: np.ndarray, width: int, height: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Where the pixels of a result lie, in bands of rows."""
    x, step = np.arange(width, dtype=np.float64), max(1, _BAND // width)
    for first in range(0, height, step):
        y = np.arange(first, min(first + step, height), dtype=np.float64)[:, None]
        yield back[0, 0] * x + back[0, 1] * y + back[0, 2], back[1, 0] * x + back[1, 1] * y + back[1, 2]


def _index(
    at: Float[np.ndarray, "rows columns"], count: int, border: int
) -> tuple[Int[np.ndarray, "rows columns"], np.ndarray]:
    """Pixels of an axis in place of those that lie outside, and where there is a pixel at all."""
    if border == cv2.BORDER_REFLECT_101 and count > 1:
        folded = np.abs(at) % (2 * (count - 1))
        at = np.minimum(folded, 2 * (count - 1) - folded)
    there = (at >= 0) & (at < count) if border == cv2.BORDER_CONSTANT else np.ones(at.shape, bool)
    return np.clip(at, 0, count - 1).astype(np.intp), there
