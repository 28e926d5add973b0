"""What a face looks like under any light: the parts that do not depend on the new light, and its shading by a light.

Lights are in the upright frame of the photo, not in that of the face's crop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float

from illures.decompose.decomposition import Decomposition
from illures.decompose.fields import beyond
from illures.faces import at_size, feather, feathered, to_crop, upright
from illures.math import sh
from illures.math.color import luminance, mean_colour
from illures.math.normals import normalize
from illures.math.quotient import albedo_of, illumination_of
from illures.relighting.lamps import Lamp
from illures.relighting.light import Light
from illures.relighting.shading import Appearance, appearance, floored
from illures.relighting.shadows import Occlusion, nothing_hidden, occlusion
from illures.types import FaceCrop, Region

Residual = Literal["drop", "keep", "recompute"]

# Largest side of the grid on which light is computed, as light is smooth.
GRID = 160
# Hair is finer than a pixel of the crop. Its normals are smoothed over this part of the crop's side, and its shading
# has this share of the contrast of a matte surface.
HAIR_SMOOTH, HAIR_CONTRAST = 0.03, 0.9
# Where hair looks darker lit than skin, this power of the ratio is taken for light. The rest is taken for gaps between
# strands, which stay dark under any lamp.
HAIR_SHADE = 0.5
# Cast shadows fade out toward the crop's edge over this part of its side, as they would be continued around it; not
# toward the neck, which lies in the shadow of the chin.
SHADOWS_FADE = 0.08
# Toward the crop's edge, highlights on skin turn from light that is added into a factor, over this part of its side. A
# factor can go on around the crop, where skin and hair are not told apart.
HIGHLIGHTS_FADE = 0.1
# Specular weight of each class relative to skin; other classes have none.
GLOSS = {Region.SKIN: 1.0, Region.LIPS: 1.3, Region.FACIAL_HAIR: 0.8, Region.EYES: 0.5}
# Strands shadow each other, and light that passes through hair takes its colour. So highlights on hair multiply the
# photo instead of being added as a haze. Their mean is the same, but for hair that is darker than this.
DARK_HAIR = 0.25

Field = Float[np.ndarray, "size size 3"]


@dataclass(frozen=True)
class Surface:
    """Quantities of a face that do not depend on the new light, on the grid of the light.

    Attributes:
        old: what the new shading replaces: the illumination in the photo, or for "keep" the shading by its light.
        normal: in the frame of the grid; smooth on hair.
        mask: skin.
        head: weight of the maps, feathered.
        hair: share of hair.
        specular_tint: weight of highlights that are multiplied by albedo: on hair, and on skin near the crop's edge,
            where the photo goes on.
        gloss: weight of highlights.
        wet: weight of sharp highlights.
        occlusion: None if shadows are not computed.
        crop: of the grid.
    """

    old: Field
    normal: Field
    mask: Float[np.ndarray, "size size"]
    head: Float[np.ndarray, "size size"]
    hair: Float[np.ndarray, "size size"]
    specular_tint: Float[np.ndarray, "size size"]
    gloss: Float[np.ndarray, "size size"]
    wet: Float[np.ndarray, "size size"]
    occlusion: Occlusion | None
    crop: FaceCrop

    @property
    def turn(self) -> Float[np.ndarray, "3 3"]:
        """Rotation from the grid's frame to the upright frame."""
        return upright(self.crop)

    def hidden_from(self, lamp: Lamp, place: Float[np.ndarray, "2"]) -> bool:
        """Whether the head occludes an upright lamp at a place of the photo (x, y)."""
        if self.occlusion is None:
            return False
        return self.occlusion.hides(self.turn.T @ lamp.direction, to_crop(place[None], self.crop)[0])

    def under(self, light: Light, margin: int = 0) -> Appearance:
        """Shading of this face under an upright light, extrapolated by `margin` pixels around it."""
        seen, around = self.lit(light), ((margin, margin), (margin, margin), (0, 0))
        return Appearance(beyond(seen.diffuse, self.head, margin), np.pad(seen.specular, around))

    def lit(self, light: Light) -> Appearance:
        """Shading of this face under an upright light, valid where the maps show a surface."""
        seen = appearance(self.normal, self.mask, light.rotated(self.turn.T), self.occlusion, self.wet)
        mean = mean_colour(seen.diffuse, self.mask)
        share = self.hair[..., None] * (1 - HAIR_CONTRAST)
        diffuse = seen.diffuse + share * (mean - seen.diffuse) + self.specular_tint[..., None] * seen.specular
        return Appearance(diffuse, seen.specular * (self.gloss * self.head)[..., None])


def with_hair_as_in_photo(face: Decomposition) -> Decomposition:
    """The face with another illumination on hair: of the colour of the skin's, and less dark.

    The network often gives hair another colour of light than skin, from the background or because it is dark. Under a
    new light that would be another colour of hair. And it takes all that is dark in hair for shade, which a new lamp
    would turn into glowing patches.
    """
    if face.regions is None:
        return face
    hair, illumination = face.regions[..., Region.HAIR], illumination_of(face.image, face.albedo)
    own = mean_colour(illumination, face.mask)
    if not hair.any() or not own.any():
        return face
    bright, skin = luminance(illumination), luminance(own)
    bright = np.maximum(bright, skin * (bright / skin) ** HAIR_SHADE)
    even = bright[..., None] * (own / skin)
    mixed = illumination * (even / illumination) ** hair[..., None]
    return replace(face, albedo=albedo_of(face.image, mixed).astype(np.float32))


def surface_of(face: Decomposition, residual: Residual, shadows: bool = True) -> Surface:
    """The surface of a face (on the grid of its light); without `shadows` it occludes nothing."""
    points = to_crop(face.crop.face.landmarks, face.crop)
    inside, gloss = feather(face.crop, HIGHLIGHTS_FADE), _gloss(face)
    hair = np.zeros_like(face.mask) if face.regions is None else face.regions[..., Region.HAIR]
    normal = smooth_on_hair(face.normal, hair)
    around = None
    if residual == "recompute":
        around = nothing_hidden(len(face.mask))
        if shadows:
            trust = feather(face.crop, SHADOWS_FADE, below=False)
            around = replace(occlusion(normal, face.head, points, face.regions), trust=trust)
    surface = Surface(
        old=old_light(face),
        normal=normal,
        mask=face.mask,
        head=feathered(face.head, face.crop),
        hair=hair,
        specular_tint=hair / max(_mean_albedo(face, hair), DARK_HAIR)
        + (1 - inside) * gloss / max(_mean_albedo(face, face.mask), DARK_HAIR),
        gloss=inside * gloss,
        occlusion=around,
        wet=np.zeros_like(face.mask) if face.regions is None else face.regions[..., Region.LIPS],
        crop=face.crop,
    )
    if residual != "keep":
        return surface
    # The shading by the face's own light, hair included. Otherwise that light would not reproduce the photo.
    own = Light(sh.rotate(face.light.astype(np.float64), surface.turn))
    return replace(surface, old=surface.lit(own).diffuse)


def _mean_albedo(face: Decomposition, share: Float[np.ndarray, "size size"]) -> float:
    """Mean luminance of the albedo of a class; 0 without pixels of it."""
    return float((luminance(face.albedo) * share).sum() / max(float(share.sum()), 1e-6))


def old_light(face: Decomposition) -> Float[np.ndarray, "h w 3"]:
    """The illumination in the photo, by which it is divided; floored."""
    return floored(illumination_of(face.image, face.albedo), face.mask)


def _gloss(face: Decomposition) -> Float[np.ndarray, "size size"]:
    if face.regions is None:
        return face.mask
    return np.asarray(sum(share * face.regions[..., region] for region, share in GLOSS.items()), np.float32)


def smooth_on_hair(normal: Field, hair: Float[np.ndarray, "size size"]) -> Field:
    """The normals, smooth where the share of hair is high."""
    if not hair.any():
        return normal
    weight, sigma = hair[..., None] + np.float32(0.01), HAIR_SMOOTH * len(normal)
    smooth = normalize(cv2.GaussianBlur(normal * weight, (0, 0), sigma))
    return normalize(normal + hair[..., None] * (smooth - normal))


def reduced(face: Decomposition) -> Decomposition:
    """Downsample a face to at most `GRID` pixels a side, to an even side for the cosine transform."""
    size = len(face.image)
    if size <= GRID and size % 2 == 0:
        return face
    return shrunk(face, min(GRID, size - size % 2))


def shrunk(face: Decomposition, side: int) -> Decomposition:
    """Downsample a face by area averaging."""

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
