"""Overlay a map of a face crop on a frame: the pixels that it covers, and its interpolation to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from illures.faces import to_photo
from illures.io.photos import as_linear
from illures.relighting.photo_grid import encoded
from illures.types import FaceCrop

# Added to linear light before ratios are taken: where the frame is nearly black they would amplify noise.
DARK = 0.02

Image8 = UInt8[np.ndarray, "height width 3"]
Map3 = Float[np.ndarray, "rows columns 3"]
Ratio = Float[np.ndarray, "_ _ 3"]  # of any face in any crop


@dataclass(frozen=True)
class Overlay:
    """One face in one frame: the pixels it covers, and the map to its crop.

    Attributes:
        rows, columns: the window, in pixels of the frame.
        back: affine map from the window's pixels to the crop's.
        mask: feathered, of the crop's size, in [0, 1].
        coarse: whether the crop's maps are smooth from pixel to pixel.
    """

    rows: slice
    columns: slice
    back: Float[np.ndarray, "2 3"]
    mask: Float[np.ndarray, "size size 1"]
    coarse: bool = False

    @property
    def where(self) -> tuple[slice, slice]:
        """The window as an index."""
        return self.rows, self.columns

    def lift(self, field: Float[np.ndarray, "size size *c"]) -> Float[np.ndarray, "rows columns *c"]:
        """Interpolate a map of the crop to the window."""
        size = (self.columns.stop - self.columns.start, self.rows.stop - self.rows.start)
        # Cubics keep what is as fine as the crop's pixels; coarser grids hold nothing that fine.
        method = cv2.INTER_LINEAR if self.coarse else cv2.INTER_CUBIC
        flags = method | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(field, self.back, size, flags=flags, borderMode=cv2.BORDER_REPLICATE))


def place(crop: FaceCrop, size: tuple[int, int], mask: Float[np.ndarray, "size size 1"]) -> Overlay | None:
    """The window of a crop around the non-zero part of its mask; None if it lies outside the frame."""
    rows, columns = (np.flatnonzero(mask.any(axis=(1 - axis, 2))) for axis in (0, 1))
    if not len(rows):
        return None
    # Cubics reach two pixels far.
    (top, bottom), (left, right) = ((seen[0] - 2.5, seen[-1] + 2.5) for seen in (rows, columns))
    corners = to_photo(np.array([[left, top], [right, top], [left, bottom], [right, bottom]]), crop)
    x0, y0 = np.clip(np.ceil(corners.min(0)), 0, size[::-1]).astype(int).tolist()
    x1, y1 = np.clip(np.floor(corners.max(0)) + 1, 0, size[::-1]).astype(int).tolist()
    if x0 >= x1 or y0 >= y1:
        return None
    back = crop.matrix.astype(np.float64).copy()
    back[:, 2] += back[:, :2] @ (x0, y0)
    return Overlay(slice(y0, y1), slice(x0, x1), back, mask)


def multiplied(image: Image8, ratios: Sequence[tuple[Overlay, Ratio]]) -> Image8:
    """The frame multiplied by ratios in linear light, one after the other."""
    if not ratios:
        return image
    top, left = (min(o.where[axis].start for o, _ in ratios) for axis in (0, 1))
    bottom, right = (max(o.where[axis].stop for o, _ in ratios) for axis in (0, 1))
    out = image.copy()
    linear = as_linear(image[top:bottom, left:right]) + np.float32(DARK)
    for overlay, ratio in ratios:
        rows, columns = overlay.where
        linear[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] *= overlay.lift(ratio)
    out[top:bottom, left:right] = encoded(linear - np.float32(DARK), image.dtype)
    return out


def lay(out: Image8, overlay: Overlay, codes: Map3) -> None:
    """Write codes >= 0 where the face's mask is not 0: rounded, and clipped at 255."""
    covered = overlay.lift(overlay.mask[..., 0]) > 0
    np.copyto(out[overlay.where], cv2.convertScaleAbs(codes), where=covered[..., None])
