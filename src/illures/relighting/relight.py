"""A face under another light.

With E all the light that the photo shows of a surface (its albedo is A = I / E) and S' the new shading, the face is
`I / E ∘ S' + highlights`: the old shadows and highlights are in E, and go with it. What is before albedo of the photo's
own detail (pores, lashes, make-up) stays.

Lights are upright as the photo is, whatever the turn of the face's crop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float

from illures.decompose.decomposition import Decomposition
from illures.decompose.full_resolution import beyond, feathered, surely, upright
from illures.faces import at_size, to_crop
from illures.math.color import luminance
from illures.math.normals import normalize
from illures.math.quotient import illumination_of
from illures.relighting.lamps import Lamp
from illures.relighting.light import Light
from illures.relighting.shading import Appearance, appearance, floored
from illures.relighting.shadows import Occlusion, nothing_hidden, occlusion
from illures.render import shade
from illures.types import FaceCrop, Region

Residual = Literal["drop", "keep", "recompute"]
Background = Literal["keep", "match", "relight"]

# Light is computed on a grid of at most this side; it is smooth.
GRID = 160
# Hair has no surface that a pixel of the crop could show: its normals are smoothed over this part of the crop's side,
# and its shading goes from dark to bright by this share of a matte surface's.
HAIR_SMOOTH, HAIR_CONTRAST = 0.03, 0.9
# How much of skin's mirror each class has; others have none.
GLOSS = {Region.SKIN: 1.0, Region.LIPS: 1.3, Region.FACIAL_HAIR: 0.4, Region.EYES: 0.5, Region.HAIR: 0.35}

Field = Float[np.ndarray, "size size 3"]


@dataclass(frozen=True)
class Surface:
    """A face on the grid of its light: what does not change with the new light.

    Attributes:
        old: the light that the photo shows, and that the new one takes the place of; floored.
        normal: in the frame of the grid; smooth on hair.
        mask: skin.
        head: where the maps count, feathered.
        hair: share of hair.
        gloss: how much of a highlight shows.
        wet: how much of a sharp highlight shows.
        occlusion: None unless shadows are to be computed.
        crop: of the grid.
    """

    old: Field
    normal: Field
    mask: Float[np.ndarray, "size size"]
    head: Float[np.ndarray, "size size"]
    hair: Float[np.ndarray, "size size"]
    gloss: Float[np.ndarray, "size size"]
    wet: Float[np.ndarray, "size size"]
    occlusion: Occlusion | None
    crop: FaceCrop

    @property
    def turn(self) -> Float[np.ndarray, "3 3"]:
        """Rotation that takes directions of the grid's frame to upright ones."""
        return upright(self.crop)

    def hidden_from(self, lamp: Lamp, place: Float[np.ndarray, "2"]) -> bool:
        """Whether the head hides an upright lamp from a place of the photo (x, y)."""
        if self.occlusion is None:
            return False
        return self.occlusion.hides(self.turn.T @ lamp.direction, to_crop(place[None], self.crop)[0])

    def under(self, light: Light, margin: int = 0) -> Appearance:
        """How an upright light shows on this face; around the head it goes on, as many pixels beyond the grid, too."""
        seen, around = self.lit(light), ((margin, margin), (margin, margin), (0, 0))
        return Appearance(beyond(seen.diffuse, surely(self.head), margin), np.pad(seen.specular, around))

    def lit(self, light: Light) -> Appearance:
        """How an upright light shows where the maps are of a surface."""
        seen = appearance(self.normal, self.mask, light.rotated(self.turn.T), self.occlusion, self.wet)
        weight = self.mask[..., None]
        mean = (seen.diffuse * weight).sum((0, 1)) / max(float(weight.sum()), 1e-6)
        share = self.hair[..., None] * (1 - HAIR_CONTRAST)
        diffuse = seen.diffuse + share * (mean - seen.diffuse)
        return Appearance(diffuse, seen.specular * (self.gloss * self.head)[..., None])


def relight(face: Decomposition, light: Light, *, residual: Residual = "recompute") -> Field:
    """The face under another light: linear RGB in the frame of `face`, not clipped.

    Where the maps show no head, the photo is lit as the nearest part of it is.

    Args:
        face: at the network's or at the photo's resolution.
        light: upright, whatever the turn of the face's crop.
        residual: "keep" lets the whole residual go along, as strong as it was against the shading, so that the face's
            own light gives the photo back; "drop" leaves albedo times shading; "recompute" adds the shadows and the
            highlights of the new light.
    """
    surface = surface_of(reduced(face), residual)
    seen, size = surface.under(light), len(face.image)

    def full(field: np.ndarray) -> np.ndarray:
        return field if len(field) == size else cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC)

    inside = face.image / old_light(face, residual) * full(seen.diffuse)
    outside = face.image * full(seen.diffuse / beyond(surface.old, surely(surface.head), 0))
    weight = np.clip(2 * full(cv2.erode(surface.head, np.ones((3, 3)))) - 1, 0, 1)[..., None]
    lit = outside + weight * (inside - outside)
    return np.asarray(lit + full(seen.specular), dtype=np.float32)


def exposed(light: Light, face: Decomposition, stops: float = 0.0) -> Light:
    """The light at the strength that keeps the mean luminance of the face's shading, and `stops` above it.

    Light from a map, a photo or a list of numbers has no scale that would mean something to another photo.
    """
    old, new = _mean_shadings(face, light)
    return light.scaled(2.0**stops * float(luminance(old)) / max(float(luminance(new)), 1e-6))


def matched(light: Light, face: Decomposition) -> Light:
    """The light with the strength and the colour of the face's own: its directions are what is new."""
    old, new = _mean_shadings(face, light)
    return light.scaled(old / np.maximum(new, 1e-6))


def tinted(light: Light, face: Decomposition) -> Light:
    """The light with its colours relative to those of the face's own: white is what the photo takes for white.

    Which part of a photo's colour is the skin's and which the light's is what a network tells least well. Where a light
    does not come from a photo, taking its colours so leaves the skin the colour that it has.
    """
    return light.scaled(own_tint(face))


def own_tint(face: Decomposition) -> Float[np.ndarray, "3"]:
    """The colour of the light on a face, of luminance 1."""
    small = reduced(face)
    old = (old_light(small, "recompute") * small.mask[..., None]).mean((0, 1))
    return np.asarray(old / max(float(luminance(old)), 1e-6))


def _mean_shadings(face: Decomposition, light: Light) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Over the face: of its own light, and of an upright one."""
    small = reduced(face)
    turned = light.rotated(upright(face.crop).T).sh.astype(np.float32)

    def mean(light: np.ndarray) -> np.ndarray:
        weight = small.mask[..., None]
        return np.asarray((floored(shade(small.normal, light), small.mask) * weight).sum((0, 1)) / weight.sum())

    return mean(small.light), mean(turned)


def surface_of(face: Decomposition, residual: Residual, shadows: bool = True) -> Surface:
    """What of a face (on the grid of its light) the new light finds; without `shadows` it hides nothing from it."""
    points = to_crop(face.crop.face.landmarks, face.crop)
    hair = np.zeros_like(face.mask) if face.regions is None else face.regions[..., Region.HAIR]
    normal = _smooth_on_hair(face.normal, hair)
    around = None
    if residual == "recompute":
        around = occlusion(normal, face.head, points, face.regions) if shadows else nothing_hidden(len(face.mask))
    return Surface(
        old=old_light(face, residual),
        normal=normal,
        mask=face.mask,
        head=feathered(face.head),
        hair=hair,
        gloss=_gloss(face),
        occlusion=around,
        wet=np.zeros_like(face.mask) if face.regions is None else face.regions[..., Region.LIPS],
        crop=face.crop,
    )


def old_light(face: Decomposition, residual: Residual) -> Float[np.ndarray, "h w 3"]:
    """What the photo is divided by: E, or with "keep" the shading alone; floored."""
    return floored(face.shading if residual == "keep" else illumination_of(face.image, face.albedo), face.mask)


def _gloss(face: Decomposition) -> Float[np.ndarray, "size size"]:
    if face.regions is None:
        return face.mask
    return np.asarray(sum(share * face.regions[..., region] for region, share in GLOSS.items()), np.float32)


def _smooth_on_hair(normal: Field, hair: Float[np.ndarray, "size size"]) -> Field:
    if not hair.any():
        return normal
    weight, sigma = hair[..., None] + np.float32(0.01), HAIR_SMOOTH * len(normal)
    smooth = normalize(cv2.GaussianBlur(normal * weight, (0, 0), sigma))
    return normalize(normal + hair[..., None] * (smooth - normal))


def reduced(face: Decomposition) -> Decomposition:
    """The face on a grid of at most `GRID` pixels a side: of even side, for the cosine transform."""
    size = len(face.image)
    if size <= GRID and size % 2 == 0:
        return face
    return shrunk(face, min(GRID, size - size % 2))


def shrunk(face: Decomposition, side: int) -> Decomposition:
    """The face on a smaller grid: means over the areas of its pixels."""

    def mean(field: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.resize(field, (side, side), interpolation=cv2.INTER_AREA))

    regions = face.regions
    if regions is not None:  # more channels than OpenCV takes at once
        regions = np.stack([mean(np.ascontiguousarray(one)) for one in np.moveaxis(regions, -1, 0)], axis=-1)
    return replace(
        face,
        image=mean(face.image),
        albedo=mean(face.albedo),
        normal=normalize(mean(face.normal)),
        residual=mean(face.residual),
        mask=mean(face.mask),
        crop=at_size(face.crop, side),
        regions=regions,
    )
