"""The maps that the studio relights with: a head's own, continued around the crop.

Around the crop normals and illumination are those of the nearest part of the head, so that hair and neck take the new
light as the face does. The residual is what remains: A ∘ f(N, L) + R is the photo everywhere. `around` says how much of
the change a pixel takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, Float16, UInt8

from illures.decompose.decomposition import Decomposition
from illures.decompose.extent import prepare_wide
from illures.decompose.full_resolution import sample, upright
from illures.io.photos import Photo, as_float, as_linear
from illures.math import sh
from illures.relighting.composite import _shouldered as shouldered
from illures.relighting.person import around
from illures.relighting.relight import reduced as on_grid
from illures.render import render, shade
from illures.types import Face, FaceCrop

# Albedo counts as no darker than this where it is divided by.
DARKEST = 0.004
# The residual is made no more than so many times as strong.
_MOST_GAIN = np.float32(4)
# Of the grid on which light is measured, one point in so many a side does for the mean over a face, to 0.2 %.
_THINNED = 2

Map3 = Float[np.ndarray, "rows columns 3"]


@dataclass(frozen=True)
class Maps:
    """Maps over a rectangle of the photo, linear.

    Attributes:
        image: the photo.
        albedo, normal, residual: with the photo's own light they give `image`.
        head: 1 where the maps are of a head, feathered.
        around: share of the change that a pixel takes: 1 on the head, 0 on clothes and background.
        shading: of the photo's own light.
        floor: shading counts as no darker than this where light is compared with light.
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
    """One face of a photo, ready to give its maps over any band of rows.

    Attributes:
        rect: x0, y0, x1, y1: the part of the photo that the maps cover [px].
        light: the photo's own, upright.
        floor: least shading that counts (`Maps.floor`).
    """

    def __init__(self, photo: Photo, face: Decomposition, others: Sequence[FaceCrop] = ()) -> None:
        """Prepare.

        Args:
            photo: sRGB-encoded.
            face: of the photo, at the network's resolution.
            others: crops of its other faces, which are left alone.
        """
        self._photo, self._fields = photo, prepare_wide(face, photo)
        self.rect, self._around = around(photo, face, others)
        self.light, self.floor = self._fields.light, self._fields.floor

    def band(self, rows: slice) -> Maps:
        """The maps over rows of the photo, as wide as `rect`."""
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
    """The picture under a light, linear and not clipped: what the studio's shader shows.

    The residual that stays is as strong against the new shading as it was against the old, as `--residual keep` of
    `illures relight` has it: added as it was, it would stain what the new light leaves dark. What becomes very bright
    goes to white gently, as there.

    Args:
        maps: of the face.
        light: SH radiance, upright.
        kept: share of the residual that stays, in [0, 1].
        paint: colour (sRGB) and cover on the albedo.
        gain: of what is not the face; None leaves it.
    """
    albedo, residual = (maps.albedo, maps.residual) if paint is None else painted(maps, paint)
    behind = maps.image if gain is None else shouldered(maps.image * gain.astype(np.float32), maps.image)
    new = np.maximum(shade(maps.normal, light.astype(np.float32)), maps.floor)
    along = np.clip(new / np.maximum(maps.shading, maps.floor), 0, _MOST_GAIN)
    relit = render(albedo, maps.normal, light.astype(np.float32), np.float32(kept) * along * residual)
    relit = shouldered(relit, maps.image)
    return np.asarray(behind + maps.around[..., None] * (relit - behind), np.float32)


def painted(maps: Maps, paint: UInt8[np.ndarray, "rows columns 4"]) -> tuple[Map3, Map3]:
    """Albedo with paint on it, and the residual that goes with it: shadow dims the paint as it dimmed the skin."""
    colour, cover = split_paint(paint)
    albedo = maps.albedo + cover * (colour - maps.albedo)
    shadow = np.minimum(maps.residual, 0) * (albedo / np.maximum(maps.albedo, DARKEST))
    return albedo, np.where(cover > 0, np.maximum(maps.residual, 0) + shadow, maps.residual)


def split_paint(paint: UInt8[np.ndarray, "rows columns 4"]) -> tuple[Map3, Float[np.ndarray, "rows columns 1"]]:
    """Linear colour, and cover from 0 to 1."""
    return as_linear(paint[..., :3]), paint[..., 3:] / np.float32(255)


def mean_basis(face: Decomposition) -> Float[np.ndarray, "9"]:
    """Mean over the face of what each coefficient of an upright light adds to its shading."""
    normal = face.normal @ upright(face.crop).T
    weighted = sh.basis(normal) * face.mask[..., None]
    return np.asarray(sh.ATTENUATION * weighted.sum((0, 1)) / face.mask.sum(), np.float64)


def face_sample(face: Decomposition) -> Float16[np.ndarray, "rows columns 4"]:
    """Upright normals and mask, thinned out: what `relight.exposed` measures a light's brightness on."""
    grid = on_grid(face)
    normal = grid.normal @ upright(face.crop).T
    packed = np.concatenate([normal, grid.mask[..., None]], axis=-1)
    return np.asarray(packed[1::_THINNED, 1::_THINNED], np.float16)


def reduced(
    photo: Photo, faces: Sequence[Decomposition], side: int
) -> tuple[UInt8[np.ndarray, "rows columns 3"], list[Decomposition]]:
    """Photo and faces at 8 bits and at most `side` pixels a side; the faces' maps stay, their places move."""
    codes = photo if photo.dtype == np.uint8 else np.round(as_float(photo) * 255).astype(np.uint8)
    height, width = codes.shape[:2]
    factor = side / max(height, width)
    if factor >= 1:
        return codes, list(faces)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = np.asarray(cv2.resize(codes, size, interpolation=cv2.INTER_AREA))
    return small, [_moved(face, factor, (size[1], size[0])) for face in faces]


def _moved(face: Decomposition, factor: float, photo_size: tuple[int, int]) -> Decomposition:
    """The same face in a photo that was scaled; pixel centres are at integers."""
    shift = (factor - 1) / 2
    points = face.crop.face.landmarks * factor + np.array([shift, shift, 0])
    back = np.array([[1 / factor, 0, (1 / factor - 1) / 2], [0, 1 / factor, (1 / factor - 1) / 2], [0, 0, 1]])
    matrix = (face.crop.matrix.astype(np.float64) @ back).astype(np.float32)
    there = Face(landmarks=points.astype(np.float32), score=face.crop.face.score)
    return replace(face, crop=FaceCrop(matrix, face.crop.size, photo_size, there))
