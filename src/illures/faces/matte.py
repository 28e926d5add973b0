"""A soft matte of the people in a photo, as fine as the photo's own edges.

MediaPipe's selfie segmenter works on a square of 256 pixels. A guided filter with a colour guide (He, Sun and Tang,
"Guided Image Filtering", 2013, eqs. 14 to 16; its coefficients at a lower resolution, as He and Sun 2015) upsamples its
result to the pixels of the photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Num

from illures.faces.crop import at_size, inverse, padded, to_photo, warp
from illures.faces.network import network
from illures.io.photos import Photo, as_float
from illures.math.guided_filter import colour_guided
from illures.math.sampling import warp_affine
from illures.types import FaceCrop

# Part of a face's crop that is added on every side, for hair, neck and shoulders.
MARGIN = 0.75
# Sides of the input of the segmenter, and of the grid of the guided filter [px].
SEEN, _GRID = 256, 512
_RADIUS, _EPS = 8, 0.02**2
# Filtered values below the first are no person, above the second surely a person.
_CLEAR = (0.12, 0.88)
# Width of the transition from the matte of a face to that of the whole photo, in parts of its side.
_FADE = 0.1
# The middle of a face: from brows to mouth, between the eyes' outer corners, in parts of the widened crop's side.
_MIDDLE = (0.42, 0.58)


@dataclass(frozen=True)
class Matte:
    """A matte that can be evaluated at any pixels of the photo: `slope · colour + offset`, on a grid.

    Attributes:
        coarse: the matte on the grid, in [0, 1].
        slope, offset: of the guided filter, against sRGB-encoded colour.
        matrix: similarity from photo pixels to those of the grid.
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
    """The matte of the people around a face: of the part of the photo that the widened crop reaches.

    The segmenter is shown what is in the photo, and no mirror image beyond its edges: there it would see more people.
    """
    height, width = photo.shape[:2]
    edge = widened(crop).size - 0.5
    corners = to_photo(np.array([[-0.5, -0.5], [edge, -0.5], [-0.5, edge], [edge, edge]]), widened(crop))
    x0, y0 = (int(v) for v in np.maximum(np.floor(corners.min(0) + 0.5), 0))
    x1, y1 = (int(v) for v in np.minimum(np.ceil(corners.max(0) + 0.5), [width, height]))
    return _matte_of(photo[y0:y1, x0:x1], (x0, y0))


def _matte_of(part: Photo, origin: tuple[int, int]) -> Matte:
    """The matte of a part of a photo that begins at pixel `origin` (x, y)."""
    height, width = part.shape[:2]
    seen, guide = (eight_bit(cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)) for side in (SEEN, _GRID))
    across, down = _GRID / width, _GRID / height
    x, y = origin
    return _refined(seen, guide, np.array([[across, 0, (0.5 - x) * across - 0.5], [0, down, (0.5 - y) * down - 0.5]]))


def person_share(photo: Photo, crop: FaceCrop) -> float:
    """Mean of the coarse matte over the middle of a face's crop, in [0, 1]: near 0 where the segmenter sees nobody."""
    side = round(SEEN / (1 + 2 * MARGIN))
    seen = coarse_matte(eight_bit(surroundings(photo, widened(at_size(crop, side)))))
    low, high = (round(len(seen) * part) for part in _MIDDLE)
    return float(seen[low:high, low:high].mean())


def surroundings(photo: Photo, crop: FaceCrop) -> Num[np.ndarray, "size size 3"]:
    """The crop's pixels; outside the photo its edge goes on, as a mirror image would show more people."""
    return warp(photo, crop.matrix, crop.size, cv2.BORDER_REPLICATE)


def eight_bit(pixels: Num[np.ndarray, "rows columns 3"]) -> Float[np.ndarray, "rows columns 3"]:
    """Pixels as floats with 256 levels, so that a 16-bit photo has the same matte as with 8 bits."""
    return np.round(np.clip(as_float(pixels), 0, 1) * np.float32(255)) / np.float32(255)


def coarse_matte(srgb: Float[np.ndarray, "size size 3"]) -> Float[np.ndarray, "size size"]:
    """The matte of a square at the resolution of the segmenter, for videos."""
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
        """Segment the whole photo, and each face at a finer scale."""
        self._whole = _matte_of(photo, (0, 0))
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
    return warp_affine(matte.coarse, to_grid[:2], (crop.size, crop.size), cv2.BORDER_REPLICATE)


def _refined(
    seen: Float[np.ndarray, "seen seen 3"],
    guide: Float[np.ndarray, "grid grid 3"],
    matrix: Float[np.ndarray, "2 3"],
) -> Matte:
    target = cv2.resize(_said(seen), guide.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    slope, offset = colour_guided(guide.astype(np.float32), target, _RADIUS, _EPS)
    coarse = _cleared(np.einsum("ijk,ijk->ij", slope, guide) + offset)
    return Matte(coarse.astype(np.float32), slope, offset, np.asarray(matrix, np.float64))


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
    return warp_affine(field, back, (shape[1], shape[0]), border)
