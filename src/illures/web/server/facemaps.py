"""The maps that the studio relights with: those of the head, extrapolated around the crop.

Outside the crop, normals and illumination are those of the nearest part of the head, so that hair and neck are relit
with the face. The residual is the rest, so A ∘ f(N, L) + R is the photo everywhere. `around` is the weight of the
change at each pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, Float16, UInt8

from illures.decompose.decomposition import Decomposition
from illures.decompose.extent import prepare_wide
from illures.decompose.fields import sample
from illures.faces import upright
from illures.io.photos import Photo, as_float, as_linear
from illures.math import sh
from illures.relighting.composite import shouldered
from illures.relighting.surface import reduced as on_grid
from illures.relighting.weight import photo_weight
from illures.render import render, shade
from illures.types import Face, FaceCrop

# Least albedo used as a divisor.
DARKEST = 0.004
# Largest gain of the residual.
_MOST_GAIN = np.float32(4)
# Every second point of the grid per axis gives the mean light over a face to 0.2 %.
_THINNED = 2

Map3 = Float[np.ndarray, "rows columns 3"]


@dataclass(frozen=True)
class Maps:
    """Maps over a rectangle of the photo, linear.

    Attributes:
        image: the photo.
        albedo, normal, residual: maps that give `image` with the photo's own light.
        head: feathered weight of the head, in [0, 1].
        around: weight of a change of light: 1 on the head, 0 on clothes and background.
        shading: shading by the photo's own light.
        floor: least shading used where two lights are compared.
    """

    image: Map3
    albedo: Map3
    normal: Map3
    residual: Map3
    head: Float[np.ndarray, "rows columns"]
    around: Float[np.ndarray, "rows columns"]
    shading: Map3
    floor: float


class FaceMaps:
    """Computes the maps of one face over any band of rows.

    Attributes:
        rect: x0, y0, x1, y1 of the part of the photo that the maps cover [px].
        light: the photo's own light, upright.
        floor: see `Maps.floor`.
    """

    def __init__(self, photo: Photo, face: Decomposition, others: Sequence[FaceCrop] = ()) -> None:
        """Prepare.

        Args:
            photo: sRGB-encoded.
            face: a face of the photo, at the network's resolution.
            others: crops of its other faces, which are not changed.
        """
        self._photo, self._fields = photo, prepare_wide(face, photo)
        self.rect, self._around = photo_weight(photo, face, others)
        self.light, self.floor = self._fields.light, self._fields.floor

    def band(self, rows: slice) -> Maps:
        """The maps over some rows of the photo, with the width of `rect`."""
        x0, y0, x1, _ = self.rect
        image = as_linear(self._photo[rows, x0:x1])
        window = sample(self._fields, (x0, rows.start), image)
        share = self._around[rows.start - y0 : rows.stop - y0].astype(np.float32) / np.float32(255)
        return Maps(
            image,
            window.albedo,
            window.normal,
            window.residual,
            window.head,
            share,
            window.shading,
            self.floor,
        )

    def whole(self) -> Maps:
        """The maps over all of `rect`."""
        return self.band(slice(self.rect[1], self.rect[3]))


def compose(
    maps: Maps,
    light: Float[np.ndarray, "9 3"],
    kept: float = 1.0,
    paint: UInt8[np.ndarray, "rows columns 4"] | None = None,
    gain: Float[np.ndarray, "3"] | None = None,
) -> Map3:
    """Render the maps under a light, as the studio's shader does.

    The residual is scaled by the new over the old shading, as with `--residual keep` of `illures relight`. Added
    unchanged, it would stain regions that the new light leaves dark. Very bright values are compressed towards white.

    Args:
        maps: maps of the face.
        light: SH radiance, upright.
        kept: share of the residual that is kept, in [0, 1].
        paint: colour (sRGB) and opacity of paint on the albedo.
        gain: factor for everything but the face; None for 1.

    Returns:
        Linear image, not clipped.
    """
    albedo, residual = (maps.albedo, maps.residual) if paint is None else painted(maps, paint)
    behind = maps.image if gain is None else shouldered(maps.image * gain.astype(np.float32), maps.image)
    new = np.maximum(shade(maps.normal, light.astype(np.float32)), maps.floor)
    along = np.clip(new / np.maximum(maps.shading, maps.floor), 0, _MOST_GAIN)
    relit = render(albedo, maps.normal, light.astype(np.float32), np.float32(kept) * along * residual)
    relit = shouldered(relit, maps.image)
    return np.asarray(behind + maps.around[..., None] * (relit - behind), np.float32)


def painted(maps: Maps, paint: UInt8[np.ndarray, "rows columns 4"]) -> tuple[Map3, Map3]:
    """Albedo with paint, and the residual for it: shadows darken the paint as they darkened the skin."""
    colour, cover = split_paint(paint)
    albedo = maps.albedo + cover * (colour - maps.albedo)
    shadow = np.minimum(maps.residual, 0) * (albedo / np.maximum(maps.albedo, DARKEST))
    return albedo, np.where(cover > 0, np.maximum(maps.residual, 0) + shadow, maps.residual)


def split_paint(paint: UInt8[np.ndarray, "rows columns 4"]) -> tuple[Map3, Float[np.ndarray, "rows columns 1"]]:
    """Split paint into linear colour and opacity in [0, 1]."""
    return as_linear(paint[..., :3]), paint[..., 3:] / np.float32(255)


def mean_basis(face: Decomposition) -> Float[np.ndarray, "9"]:
    """Mean shading of the face by each coefficient of an upright light."""
    normal = face.normal @ upright(face.crop).T
    weighted = sh.basis(normal) * face.mask[..., None]
    return np.asarray(sh.ATTENUATION * weighted.sum((0, 1)) / face.mask.sum(), np.float64)


def face_sample(face: Decomposition) -> Float16[np.ndarray, "rows columns 4"]:
    """Upright normals and mask on a coarse grid, on which the page measures the brightness of a light."""
    grid = on_grid(face)
    normal = grid.normal @ upright(face.crop).T
    packed = np.concatenate([normal, grid.mask[..., None]], axis=-1)
    return np.asarray(packed[1::_THINNED, 1::_THINNED], np.float16)


def reduced(
    photo: Photo, faces: Sequence[Decomposition], side: int
) -> tuple[UInt8[np.ndarray, "rows columns 3"], list[Decomposition]]:
    """Convert a photo to 8 bits and at most `side` pixels a side. Faces keep their maps; their crops are moved."""
    codes = photo if photo.dtype == np.uint8 else np.round(as_float(photo) * 255).astype(np.uint8)
    height, width = codes.shape[:2]
    factor = side / max(height, width)
    if factor >= 1:
        return codes, list(faces)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = np.asarray(cv2.resize(codes, size, interpolation=cv2.INTER_AREA))
    return small, [_moved(face, factor, (size[1], size[0])) for face in faces]


def _moved(face: Decomposition, factor: float, photo_size: tuple[int, int]) -> Decomposition:
    """The same face in the scaled photo (pixel centres at integers)."""
    shift = (factor - 1) / 2
    points = face.crop.face.landmarks * factor + np.array([shift, shift, 0])
    back = np.array([[1 / factor, 0, (1 / factor - 1) / 2], [0, 1 / factor, (1 / factor - 1) / 2], [0, 0, 1]])
    matrix = (face.crop.matrix.astype(np.float64) @ back).astype(np.float32)
    there = Face(landmarks=points.astype(np.float32), score=face.crop.face.score)
    return replace(face, crop=FaceCrop(matrix, face.crop.size, photo_size, there))
