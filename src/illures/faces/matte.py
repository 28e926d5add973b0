"""Which pixels of a photo show a person: a soft matte, as fine as the photo's own edges.

MediaPipe's selfie segmenter sees a square at 256 pixels; a guided filter with a colour guide (He, Sun and Tang, "Guided
Image Filtering", 2013, eqs. 14 to 16; its coefficients at a lower resolution, as He and Sun 2015) brings its word to
the photo's pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Num

from illures.faces.crop import at_size, extract, inverse, padded, warp
from illures.faces.network import network
from illures.io.photos import Photo, as_float
from illures.types import FaceCrop

# Part of a face's crop that is added on every side: room for hair, neck and shoulders.
MARGIN = 0.75
# Sides of what the segmenter sees, and of the grid of the guided filter [px].
SEEN, _GRID = 256, 512
_RADIUS, _EPS = 8, 0.02**2
# Of the filtered value: below the first no person, above the second nothing else.
_CLEAR = (0.12, 0.88)
# Over this part of its side a face's own matte gives way to that of the whole photo.
_FADE = 0.1


@dataclass(frozen=True)
class Matte:
    """A matte that can be asked for at any of the photo's pixels: `slope · colour + offset`, on a grid.

    Attributes:
        coarse: the matte on the grid, in [0, 1].
        slope, offset: of the guided filter, against sRGB-encoded colour.
        matrix: takes photo pixels to those of the grid.
    """

    coarse: Float[np.ndarray, "grid grid"]
    slope: Float[np.ndarray, "grid grid 3"]
    offset: Float[np.ndarray, "grid grid"]
    matrix: Float[np.ndarray, "2 3"]

    def over(
        self, srgb: Float[np.ndarray, "rows columns 3"], origin: tuple[int, int]
    ) -> Float[np.ndarray, "rows columns"]:
        """The matte of a rectangle of the photo that begins at pixel `origin` (x, y) and has these colours."""
        slope, offset = (_seen_from(v, self.matrix, origin, srgb.shape[:2]) for v in (self.slope, self.offset))
        return _cleared(np.einsum("ijk,ijk->ij", slope, srgb) + offset)


def widened(crop: FaceCrop) -> FaceCrop:
    """The crop with the margin `MARGIN` on every side, at the same scale."""
    return padded(crop, round(MARGIN * crop.size))


def face_matte(photo: Photo, crop: FaceCrop) -> Matte:
    """The matte of the people in the widened crop of a face."""
    wide = widened(crop)
    seen, guide = (eight_bit(extract(photo, at_size(wide, side))) for side in (SEEN, _GRID))
    return _refined(seen, guide, at_size(wide, _GRID).matrix)


def surroundings(photo: Photo, crop: FaceCrop) -> Num[np.ndarray, "size size 3"]:
    """The crop's pixels; outside the photo its edge goes on, as a mirror image would show more people."""
    return warp(photo, crop.matrix, crop.size, cv2.BORDER_REPLICATE)


def eight_bit(pixels: Num[np.ndarray, "rows columns 3"]) -> Float[np.ndarray, "rows columns 3"]:
    """Pixels as floats of 256 levels, so that a photo of 16 bits has the matte that it has with 8."""
    return np.round(np.clip(as_float(pixels), 0, 1) * np.float32(255)) / np.float32(255)


def coarse_matte(srgb: Float[np.ndarray, "size size 3"]) -> Float[np.ndarray, "size size"]:
    """The matte of a square, no finer than the segmenter sees it: for videos."""
    size = (SEEN, SEEN)
    if srgb.shape[:2] == size:
        return _cleared(_said(srgb))
    said = _said(cv2.resize(srgb, size, interpolation=cv2.INTER_AREA))
    return _cleared(cv2.resize(said, srgb.shape[1::-1], interpolation=cv2.INTER_LINEAR))


def _said(seen: Float[np.ndarray, "seen seen 3"]) -> Float[np.ndarray, "seen seen"]:
    return np.clip(network("selfie_segmentation")(seen)[0][0, ..., 0], 0, 1)


class PhotoMatte:
    """The matte of a whole photo: coarse by itself, finer around each face."""

    def __init__(self, photo: Photo, crops: Sequence[FaceCrop]) -> None:
        """Look at the photo, and closer at each face."""
        height, width = photo.shape[:2]
        seen, guide = (
            eight_bit(cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA)) for side in (SEEN, _GRID)
        )
        across, down = _GRID / width, _GRID / height
        matrix = np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2]])
        self._whole = _refined(seen, guide, matrix)
        self._faces = [face_matte(photo, crop) for crop in crops]

    def over(
        self, srgb: Float[np.ndarray, "rows columns 3"], origin: tuple[int, int]
    ) -> Float[np.ndarray, "rows columns"]:
        """As `Matte.over`."""
        found, inside = self._whole.over(srgb, origin), _faded_square()
        for matte in self._faces:
            weight = _seen_from(inside, matte.matrix, origin, srgb.shape[:2], cv2.BORDER_CONSTANT)
            if weight.any():
                found = found + weight * (matte.over(srgb, origin) - found)
        return found


def on_grid(matte: Matte, crop: FaceCrop) -> Float[np.ndarray, "size size"]:
    """The matte on the grid of a crop."""
    to_grid = np.vstack([matte.matrix, [0, 0, 1]]) @ np.vstack([inverse(crop), [0, 0, 1]])
    return _warped(matte.coarse, to_grid[:2], (crop.size, crop.size))


def _refined(
    seen: Float[np.ndarray, "seen seen 3"],
    guide: Float[np.ndarray, "grid grid 3"],
    matrix: Float[np.ndarray, "2 3"],
) -> Matte:
    target = cv2.resize(_said(seen), guide.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    slope, offset = _guided(guide.astype(np.float32), target)
    coarse = _cleared(np.einsum("ijk,ijk->ij", slope, guide) + offset)
    return Matte(coarse.astype(np.float32), slope, offset, np.asarray(matrix, np.float64))


def _guided(
    guide: Float[np.ndarray, "grid grid 3"], target: Float[np.ndarray, "grid grid"]
) -> tuple[Float[np.ndarray, "grid grid 3"], Float[np.ndarray, "grid grid"]]:
    """Slope and offset of the target against the colours in each neighbourhood, smoothed."""

    def mean(field: np.ndarray) -> np.ndarray:
        return cv2.blur(field, (2 * _RADIUS + 1,) * 2, borderType=cv2.BORDER_REFLECT_101)

    centre, level = mean(guide), mean(target)
    products = mean(np.concatenate([guide * guide, guide * np.roll(guide, -1, axis=-1)], axis=-1))
    squares = products[..., :3] - centre * centre + np.float32(_EPS)  # rr, gg, bb
    mixed = products[..., 3:] - centre * np.roll(centre, -1, axis=-1)  # rg, gb, br
    covariance = mean(guide * target[..., None]) - centre * level[..., None]
    # The inverse of the symmetric 3 x 3 matrix by its cofactors.
    (rr, gg, bb), (rg, gb, br) = (np.moveaxis(v, -1, 0) for v in (squares, mixed))
    cofactors = np.stack(
        [
            gg * bb - gb * gb,
            br * gb - rg * bb,
            rg * gb - br * gg,
            rr * bb - br * br,
            rg * br - rr * gb,
            rr * gg - rg * rg,
        ]
    )
    xx, xy, xz, yy, yz, zz = cofactors / (rr * cofactors[0] + rg * cofactors[1] + br * cofactors[2])
    inverse_rows = np.stack([np.stack([xx, xy, xz], -1), np.stack([xy, yy, yz], -1), np.stack([xz, yz, zz], -1)], -2)
    slope = np.einsum("hwij,hwj->hwi", inverse_rows, covariance).astype(np.float32)
    offset = level - np.einsum("hwi,hwi->hw", slope, centre)
    return mean(slope), mean(offset.astype(np.float32))


def _cleared(alpha: np.ndarray) -> np.ndarray:
    low, high = _CLEAR
    return np.asarray(np.clip((alpha - low) / (high - low), 0, 1), np.float32)


def _faded_square() -> Float[np.ndarray, "grid grid"]:
    at = np.arange(_GRID) + 0.5
    ramp = np.clip(np.minimum(at, _GRID - at) / (_FADE * _GRID), 0, 1)
    return np.minimum(ramp[:, None], ramp).astype(np.float32)


def _seen_from(
    field: np.ndarray,
    matrix: np.ndarray,
    origin: tuple[int, int],
    shape: tuple[int, ...],
    border: int = cv2.BORDER_REPLICATE,
) -> np.ndarray:
    """A field of the grid over a rectangle of the photo."""
    back = matrix.copy()
    back[:, 2] += back[:, :2] @ np.array(origin, np.float64)
    return _warped(field, back, shape, border)


def _warped(
    field: np.ndarray, back: np.ndarray, shape: tuple[int, ...], border: int = cv2.BORDER_REPLICATE
) -> np.ndarray:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(field, back, shape[1::-1], flags=flags, borderMode=border))
