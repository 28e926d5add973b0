"""Relit faces laid back into their photo, at its own resolution, with no seam.

Three zones blend into each other. On the face: `base ∘ S' + highlights`. Skin around the mask (forehead, ears, neck):
the photo times the ratio of new to old image of the nearest face skin, fading with the distance (`skin.py`). The rest:
the photo, or the photo times the gain of the new light.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float16, UInt8

from illures.decomposition import Decomposition
from illures.faces import at_size
from illures.images import Photo, as_linear
from illures.math.fill import continued
from illures.relighting.light import Light
from illures.relighting.photogrid import Rect, encoded, finer, inside, over_bands, warped
from illures.relighting.relight import Background, Residual, Surface, base_of, surface_of
from illures.relighting.skin import skin_around, widened
from illures.types import FaceCrop
from illures.upsample import Fields, bounds, check_photo, prepare, sample

# Above this a relit pixel that has become brighter is bent toward white instead of cut.
SHOULDER = 0.75


@dataclass(frozen=True)
class Patch:
    """One face in its photo, ready for any light.

    Attributes:
        surface: on the grid of the light.
        crop: of that grid; wide: of the larger grid around it.
        inner: rectangle of the photo (x0, y0, x1, y1) that holds the mask; outer: all that changes.
        base: over `inner`, in place of albedo.
        mask: over `inner`, feathered: 1 is all face.
        around: over `outer`: how much of the skin's change a pixel takes.
    """

    surface: Surface
    crop: FaceCrop
    wide: FaceCrop
    inner: Rect
    outer: Rect
    base: Float16[np.ndarray, "rows columns 3"]
    mask: UInt8[np.ndarray, "rows columns"]
    around: UInt8[np.ndarray, "rows2 columns2"]


@dataclass(frozen=True)
class Fresh:
    """What one light gives a patch, on fine grids; `gain` and `added` over the crop, `ratio` over the wide one."""

    gain: Float[np.ndarray, "a a 3"]
    added: Float[np.ndarray, "a a 3"]
    crop: FaceCrop
    ratio: Float[np.ndarray, "b b 3"]
    wide: FaceCrop


class PhotoRelighter:
    """Relights one photo by any number of lights; what they share is done once."""

    def __init__(
        self,
        photo: Photo,
        faces: Sequence[Decomposition],
        *,
        residual: Residual = "recompute",
        background: Background = "keep",
        shadows: bool = True,
    ) -> None:
        """Prepare; see `relight.relight_photo` for the arguments; without `shadows` faces cast none on themselves."""
        self._photo = photo
        self._background = background
        self._faces = tuple(faces)
        for face in faces:
            check_photo(face.crop, photo)
        self._patches = [self._patch(face, residual, shadows) for face in faces]

    def __call__(self, light: Light) -> Photo:
        """The photo under an upright light."""
        photo = self._photo
        out = photo.copy()
        backdrop = self._backdrop_gain(light)
        if backdrop is not None:
            gain = backdrop

            def expose(rows: slice) -> None:
                linear = as_linear(photo[rows])
                out[rows] = encoded(_shouldered(linear * gain, linear), photo.dtype)

            over_bands(slice(0, len(photo)), expose)
        for patch in self._patches:
            self._lay(out, patch, fresh_of(patch, light))
        return out

    def _lay(self, out: Photo, patch: Patch, fresh: Fresh) -> None:
        x0, y0, _, y1 = patch.outer

        def blend(rows: slice) -> None:
            share = patch.around[rows.start - y0 : rows.stop - y0]
            touched = np.flatnonzero(share.any(axis=0))
            if not len(touched):
                return
            first, last = int(touched[0]), int(touched[-1])
            share = share[:, first : last + 1]
            columns = slice(x0 + first, x0 + last + 1)
            linear = as_linear(self._photo[rows, columns])
            new = linear * warped(fresh.ratio, fresh.wide, (columns.start, rows.start), linear.shape[:2])
            _lay_inner(new, patch, fresh, (rows, columns))
            new = _shouldered(new, linear)
            weight = (share.astype(np.float32) / np.float32(255))[..., None]
            old = linear if self._background == "keep" else as_linear(out[rows, columns])
            np.copyto(out[rows, columns], encoded(old + weight * (new - old), out.dtype), where=share[..., None] > 0)

        over_bands(slice(y0, y1), blend)

    def _backdrop_gain(self, light: Light) -> Float[np.ndarray, "3"] | None:
        """Mean new shading over mean old of the largest face; None where the background stays."""
        if self._background == "keep" or not self._faces:
            return None
        surface, old = self._patches[0].surface, self._faces[0]
        weight = old.mask[..., None]
        new = (surface.under(light).diffuse * weight).sum((0, 1))
        return np.asarray(new / np.maximum((surface.shading * weight).sum((0, 1)), 1e-6), dtype=np.float32)

    def _patch(self, face: Decomposition, residual: Residual, shadows: bool) -> Patch:
        photo, surface, fields = self._photo, surface_of(face, residual, shadows), prepare(face)
        wide = widened(face.crop)
        others = [other.crop for other in self._faces if other is not face]
        outer, around = skin_around(photo, face, others)
        inner = inside(bounds(face.crop), photo)
        x0, y0, x1, y1 = inner
        base = np.empty((y1 - y0, x1 - x0, 3), np.float16)
        mask = np.empty((y1 - y0, x1 - x0), np.uint8)
        shading = finer(surface.shading)
        correction = None if surface.correction is None else finer(surface.correction)

        def fill(rows: slice) -> None:
            found = _base_and_mask(photo, fields, shading, correction, (x0, x1), rows)
            base[rows.start - y0 : rows.stop - y0], mask[rows.start - y0 : rows.stop - y0] = found

        over_bands(slice(y0, y1), fill)
        return Patch(surface, face.crop, wide, inner, outer, base, mask, around)


def fresh_of(patch: Patch, light: Light) -> Fresh:
    """The fields of one light, interpolated as far as the photo needs them smooth."""
    surface = patch.surface
    seen = surface.under(light)
    pad = (patch.wide.size - patch.crop.size) // 2
    known = np.pad(surface.mask, pad) > 0.5
    ratio = continued(np.pad(surface.ratio(seen), ((pad, pad), (pad, pad), (0, 0))), known)
    gain, added, ratio = finer(seen.diffuse), finer(seen.specular), finer(ratio)
    return Fresh(gain, added, at_size(patch.crop, len(gain)), ratio, at_size(patch.wide, len(ratio)))


def _lay_inner(new: np.ndarray, patch: Patch, fresh: Fresh, where: tuple[slice, slice]) -> None:
    """Over the part of a band that the mask reaches, the face itself."""
    (rows, columns), (x0, y0, x1, y1) = where, patch.inner
    top, bottom = max(rows.start, y0), min(rows.stop, y1)
    left, right = max(columns.start, x0), min(columns.stop, x1)
    if top >= bottom or left >= right:
        return
    here = slice(top - y0, bottom - y0), slice(left - x0, right - x0)
    mask = patch.mask[here]
    if not mask.any():
        return
    face = patch.base[here] * warped(fresh.gain, fresh.crop, (left, top), mask.shape)
    if fresh.added.any():
        face += warped(fresh.added, fresh.crop, (left, top), mask.shape)
    part = new[top - rows.start : bottom - rows.start, left - columns.start : right - columns.start]
    part += (mask.astype(np.float32) / np.float32(255))[..., None] * (face - part)


def _base_and_mask(
    photo: Photo,
    fields: Fields,
    shading: np.ndarray,
    correction: np.ndarray | None,
    columns: tuple[int, int],
    rows: slice,
) -> tuple[np.ndarray, np.ndarray]:
    origin = (columns[0], rows.start)
    image = as_linear(photo[rows, slice(*columns)])
    if correction is None:
        window = sample(fields, origin, image)
        base, mask = window.albedo, window.mask
    else:
        grid = at_size(fields.crop, len(shading))
        old, kept = (warped(field, grid, origin, image.shape[:2]) for field in (shading, correction))
        base, mask = base_of(image, old, kept), warped(fields.mask, fields.crop, origin, image.shape[:2])
    return np.minimum(base, 100).astype(np.float16), np.round(mask * 255).astype(np.uint8)


def _shouldered(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """Pixels that have become brighter than the shoulder go to 1 gently; those that have not stay as they are."""
    start = np.maximum(old, np.float32(SHOULDER))
    over = np.maximum(new - start, 0)
    room = np.maximum(1 - start, np.float32(1e-3))
    return np.minimum(new, start) + over * room / (over + room)
