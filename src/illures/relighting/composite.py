"""Composite relit people into their photo, at its own resolution, without seams.

Face, ears, neck and hair are `I / E ∘ S' + highlights`. Around the crop E and S' are extrapolated from the head's
edge. `weight` gives the weight of the change at each pixel. The rest is the photo, or the photo times the gain of
the new light.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, Float16, UInt8

from illures.decompose.decomposition import Decomposition
from illures.decompose.extent import illumination_wide
from illures.decompose.fields import beyond, illumination_at
from illures.errors import InputError
from illures.faces import Rect, at_size, check_photo, feathered, warped
from illures.faces.matte import MARGIN, widened
from illures.io.photos import Photo, as_linear
from illures.math.color import brightest_channel, darkest_channel, luminance, mean_colour
from illures.relighting.exposure import own_tint
from illures.relighting.eyes import Eye, catch_light, eyes_of, without_old
from illures.relighting.light import Light
from illures.relighting.photo_grid import encoded, finer, over_bands
from illures.relighting.surface import Residual, Surface, reduced, surface_of, with_hair_as_in_photo
from illures.relighting.weight import What, photo_weight
from illures.types import FaceCrop, Region

Background = Literal["keep", "match", "relight"]

# Relit pixels with a channel above this value are compressed instead of clipped.
SHOULDER = 0.75
DULL = 0.02  # albedo below which highlights get weaker
GLINT = (0.4, 0.7)  # linear value of the darkest channel: from no glint on glasses to a full one
_MOST = 100.0  # largest quotient of the photo and its light, as half floats are limited


def relight_photo(
    photo: Photo,
    faces: Sequence[Decomposition],
    light: Light,
    *,
    residual: Residual = "recompute",
    background: Background = "keep",
    strength: float = 1.0,
) -> Photo:
    """Relight the faces of a photo; size and type stay.

    Face, ears, neck and hair are relit together, within the person's matte. For many lights on one photo use
    `composite.PhotoRelighter`, which shares work between them.

    Args:
        photo: sRGB-encoded: uint8, uint16, or float in [0, 1].
        faces: those to relight, at the network's resolution, as returned by `Decomposer`.
        light: upright.
        residual: see `relight`.
        background: "keep" leaves clothes and background unchanged; "match" gives them the gain and the white balance
            of the new light against the old; "relight" also gives clothes the light's broad direction.
        strength: of the change, in [0, 1]; 0 returns the photo exactly.

    Raises:
        InputError: a face was found in a photo of another size, or the strength is not from 0 to 1.
    """
    return PhotoRelighter(photo, faces, residual=residual, background=background, strength=strength)(light)


@dataclass(frozen=True)
class Patch:
    """One person in their photo, ready for any light.

    Attributes:
        surface: on the grid of the light.
        wide: the larger grid around it.
        rect: part of the photo that changes (x0, y0, x1, y1).
        base: over `rect`, the photo over its light.
        weight: over `rect`, weight of the change; 255 is full.
        eyes: those that are open and large enough to reflect a lamp.
        glints: over `rect`, 1 where glasses reflect the surroundings; None without glasses.
        balance: colour of this person's old light over that of the first person.
    """

    surface: Surface
    wide: FaceCrop
    rect: Rect
    base: Float16[np.ndarray, "rows columns 3"]
    weight: UInt8[np.ndarray, "rows columns"]
    eyes: tuple[Eye, ...] = ()
    glints: Float16[np.ndarray, "rows columns"] | None = None
    balance: Float[np.ndarray, "3"] | float = 1.0


@dataclass(frozen=True)
class NewLight:
    """The fields of one light for a patch, on a fine grid."""

    gain: Float[np.ndarray, "a a 3"]
    added: Float[np.ndarray, "a a 3"]
    crop: FaceCrop


class PhotoRelighter:
    """Relights one photo under any number of lights; shared work is done once.

    Attributes:
        patches: the people, ready for any light.
    """

    def __init__(
        self,
        photo: Photo,
        faces: Sequence[Decomposition],
        *,
        residual: Residual = "recompute",
        background: Background = "keep",
        strength: float = 1.0,
        shadows: bool = True,
    ) -> None:
        """Prepare a photo; see `relight_photo` for the arguments. `shadows`: let faces cast shadows on themselves."""
        if not 0 <= strength <= 1:
            raise InputError(f"strength {strength:g}: must be from 0 to 1")
        self._photo, self._background, self._strength = photo, background, strength
        for face in faces:
            check_photo(face.crop, photo)
        self.patches = [self._patch(face, faces, residual, shadows) for face in faces] if strength else []
        if len(self.patches) > 1 and residual != "keep":
            # One light is on all of them. Where their estimates differ, skin was taken for light, or light for skin.
            tints = [own_tint(face) for face in faces]
            self.patches = [replace(p, balance=t / tints[0]) for p, t in zip(self.patches, tints, strict=True)]

    def __call__(self, light: Light) -> Photo:
        """The photo under an upright light."""
        photo = self._photo
        out = photo.copy()
        gain = self._backdrop_gain(light)
        if gain is not None:

            def expose(rows: slice) -> None:
                linear = as_linear(photo[rows])
                out[rows] = encoded(shouldered(linear * gain, linear), photo.dtype)

            over_bands(slice(0, len(photo)), expose)
        for patch in self.patches:
            self._lay(out, patch, new_light_of(patch, light.scaled(patch.balance)))
            self._catch(out, patch, light)
        return out

    def _lay(self, out: Photo, patch: Patch, new_light: NewLight) -> None:
        x0, y0, _, y1 = patch.rect

        def blend(rows: slice) -> None:
            band = slice(rows.start - y0, rows.stop - y0)
            columns = _touched(patch.weight[band])
            share = patch.weight[band, columns]
            if not share.size:
                return
            here = rows, slice(x0 + columns.start, x0 + columns.stop)
            origin = x0 + columns.start, rows.start
            linear = as_linear(self._photo[here])
            base = patch.base[band, columns].astype(np.float32)
            new = base * warped(new_light.gain, new_light.crop, origin, share.shape)
            if new_light.added.any():
                new += mirroring(base) * warped(new_light.added, new_light.crop, origin, share.shape)
            new = shouldered(new, linear)
            if patch.glints is not None:
                glint = patch.glints[band, columns, None].astype(np.float32)
                new += glint * np.maximum(linear - new, 0)
            old = linear if self._background == "keep" else as_linear(out[here])
            # Behind a soft edge the background remains, lit as the background.
            new = old + (share * np.float32(1 / 255))[..., None] * (self._mixed(linear, new) - old)
            np.copyto(out[here], encoded(new, out.dtype), where=share[..., None] > 0)

        over_bands(slice(y0, y1), blend)

    def _catch(self, out: Photo, patch: Patch, light: Light) -> None:
        """Draw the reflections of lamps in the eyes."""
        x0, y0 = patch.rect[:2]
        for eye in patch.eyes:
            for lamp in light.lamps:
                mirrored = catch_light(eye, lamp, patch.rect)
                if mirrored is None or patch.surface.hidden_from(lamp, eye.centre):
                    continue
                (rows, columns), added = mirrored
                here = slice(rows.start + y0, rows.stop + y0), slice(columns.start + x0, columns.stop + x0)
                share = patch.weight[rows, columns, None] * np.float32(self._strength / 255)
                linear = as_linear(out[here])
                out[here] = encoded(shouldered(linear + share * added, linear), out.dtype)

    def _mixed(self, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        return new if self._strength == 1 else old + np.float32(self._strength) * (new - old)

    def _backdrop_gain(self, light: Light) -> Float[np.ndarray, "3"] | None:
        """Mean new light over mean old light of the largest face; None if the background stays."""
        if self._background == "keep" or not self.patches:
            return None
        surface = self.patches[0].surface
        new, old = (mean_colour(field, surface.mask) for field in (surface.under(light).diffuse, surface.old))
        return np.asarray(1 + self._strength * (new / np.maximum(old, 1e-6) - 1), dtype=np.float32)

    def _patch(self, face: Decomposition, faces: Sequence[Decomposition], residual: Residual, shadows: bool) -> Patch:
        others = [other.crop for other in faces if other is not face]
        face = with_hair_as_in_photo(face) if residual == "recompute" else face
        photo, surface = self._photo, surface_of(reduced(face), residual, shadows)
        what: What = "person" if self._background == "relight" else "head"
        with ThreadPoolExecutor(1) as aside:  # OpenCV releases the GIL
            light = aside.submit(illumination_wide, face, photo)
            (x0, y0, x1, y1), weight = photo_weight(photo, face, others, what)
            fields = light.result()
        base = np.zeros((y1 - y0, x1 - x0, 3), np.float16)  # it stays so where nothing changes
        kept = finer(beyond(surface.old, surface.head, _margin(surface))) if residual == "keep" else None
        wide = widened(at_size(face.crop, len(surface.mask)))

        def fill(rows: slice) -> None:
            here = slice(rows.start - y0, rows.stop - y0)
            columns = _touched(weight[here])
            origin = x0 + columns.start, rows.start
            image = as_linear(photo[rows, x0 + columns.start : x0 + columns.stop])
            if not image.size:
                return
            if kept is None:
                old = illumination_at(fields, origin, image)
                old = (old + np.sqrt(old * old + 4 * fields.floor**2)) / 2
            else:
                old = warped(kept, at_size(wide, len(kept)), origin, image.shape[:2])
            base[here, columns] = np.minimum(image / old, _MOST)

        over_bands(slice(y0, y1), fill)
        rect = x0, y0, x1, y1
        if residual != "recompute":
            return Patch(surface, wide, rect, base, weight)
        eyes = eyes_of(face.crop.face)
        for eye in eyes:
            without_old(base, eye, rect)
        return Patch(surface, wide, rect, base, weight, eyes, _glints(photo, face, rect))


def _touched(weight: UInt8[np.ndarray, "rows columns"]) -> slice:
    """The columns from the first to the last in which anything changes."""
    columns = np.flatnonzero(weight.any(axis=0))
    return slice(int(columns[0]), int(columns[-1]) + 1) if len(columns) else slice(0, 0)


def _glints(photo: Photo, face: Decomposition, rect: Rect) -> Float16[np.ndarray, "rows columns"] | None:
    """Weight of reflections on glasses: pixels that are bright, and about as neutral as the photo's white."""
    if face.regions is None or not (face.regions[..., Region.GLASSES] > 0.5).any():
        return None
    x0, y0, x1, y1 = rect
    glasses = cv2.dilate(face.regions[..., Region.GLASSES], np.ones((3, 3), np.uint8))
    there = warped(np.ascontiguousarray(feathered(glasses, face.crop)), face.crop, (x0, y0), (y1 - y0, x1 - x0))
    image = as_linear(photo[y0:y1, x0:x1])
    low, high = GLINT
    return np.asarray(there * np.clip((darkest_channel(image) - low) / (high - low), 0, 1), np.float16)


def new_light_of(patch: Patch, light: Light) -> NewLight:
    """The fields of one light, upsampled to a grid fine enough for the photo."""
    seen = patch.surface.under(light, _margin(patch.surface))
    gain, added = finer(seen.diffuse), finer(seen.specular)
    return NewLight(gain, added, at_size(patch.wide, len(gain)))


def mirroring(albedo: Float[np.ndarray, "rows columns 3"]) -> Float[np.ndarray, "rows columns 1"]:
    """1 for surfaces as bright as skin, less for darker ones: hair and brows lack the highlights of skin."""
    return np.minimum(luminance(albedo) / np.float32(DULL), 1)[..., None]


def _margin(surface: Surface) -> int:
    return round(MARGIN * len(surface.mask))


def shouldered(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """Compress pixels of which a channel became brighter than the shoulder smoothly toward 1; leave the others.

    All channels of a pixel are compressed alike, so that bright skin keeps its colour.
    """
    peak = brightest_channel(new)
    start = np.maximum(brightest_channel(old), np.float32(SHOULDER))
    over = np.maximum(peak - start, 0)
    room = np.maximum(1 - start, np.float32(1e-3))
    factor = (start + over * room / (over + room)) / np.maximum(peak, start)
    return new * np.where(over > 0, factor, np.float32(1))[..., None]
