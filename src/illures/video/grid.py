"""The labelled tiles of a "grid" video: their size, a face in a smaller frame, and the picture of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from illures.decompose.decomposition import Decomposition
from illures.types import Face, FaceCrop

_COLUMNS, _WIDEST = 3, 1920  # the latter in pixels, unless the clip itself is wider
_LABEL = 0.055  # height of a label, of the tile's shorter side

Tile = UInt8[np.ndarray, "rows columns 3"]


def tile_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of a tile [px]: even, and three of them no wider than a large screen."""
    scale = min(1.0, max(_WIDEST, width) / (_COLUMNS * width))
    return max(2, 2 * round(height * scale / 2)), max(2, 2 * round(width * scale / 2))


def tiled(tiles: Sequence[Tile], labels: Sequence[str]) -> UInt8[np.ndarray, "height width 3"]:
    """Two rows of three tiles of one size, each with its label in the upper left corner."""
    rows, columns = tiles[0].shape[:2]
    out = np.empty((2 * rows, _COLUMNS * columns, 3), np.uint8)
    for number, (label, tile) in enumerate(zip(labels, tiles, strict=True)):
        y, x = divmod(number, _COLUMNS)
        place = out[y * rows : (y + 1) * rows, x * columns : (x + 1) * columns]
        place[:] = tile
        _write_label(place, label)
    return out


def resized(face: Decomposition, size: tuple[int, int], to: tuple[int, int]) -> Decomposition:
    """The same face in a frame of another size."""
    y, x = to[0] / size[0], to[1] / size[1]
    # New pixel p shows old pixel (p + 1/2) / scale - 1/2.
    old = np.array([[1 / x, 0, 0.5 / x - 0.5], [0, 1 / y, 0.5 / y - 0.5], [0, 0, 1]])
    matrix = (face.crop.matrix.astype(np.float64) @ old).astype(np.float32)
    landmarks = ((face.crop.face.landmarks + [0.5, 0.5, 0]) * [x, y, x] - [0.5, 0.5, 0]).astype(np.float32)
    crop = FaceCrop(matrix, face.crop.size, to, Face(landmarks, face.crop.face.score))
    return replace(face, crop=crop)


def _write_label(tile: UInt8[np.ndarray, "rows columns 3"], text: str) -> None:
    label = _label(text, max(10, round(_LABEL * min(tile.shape[:2]))))[: tile.shape[0], : tile.shape[1]]
    tile[: label.shape[0], : label.shape[1]] = label


@cache
def _label(text: str, height: int) -> UInt8[np.ndarray, "rows columns 3"]:
    font = ImageFont.load_default(height)
    left, top, right, bottom = font.getbbox(text)
    pad = height // 3
    image = Image.new("RGB", (int(right - left) + 2 * pad, height + 2 * pad), (24, 24, 24))
    ImageDraw.Draw(image).text((pad - left, pad / 2), text, (225, 225, 225), font)
    return np.asarray(image)
