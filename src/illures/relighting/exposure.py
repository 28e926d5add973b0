"""Adapt a light to a face: its strength, and its colour.

The scale of a light from a map, a photo or a list of numbers has no meaning for another photo.

Lights are in the upright frame of the photo, not in that of the face's crop.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from illures.decompose.decomposition import Decomposition
from illures.faces import upright
from illures.math.color import luminance, mean_colour
from illures.relighting.light import Light
from illures.relighting.shading import ambient_specular, floored
from illures.relighting.surface import old_light, reduced
from illures.render import shade


def exposed(light: Light, face: Decomposition, stops: float = 0.0) -> Light:
    """Scale a light so that the mean luminance of the face's shading stays, plus `stops`.

    The scale of a light from a map, a photo or a list of numbers has no meaning for another photo.
    """
    old, new = _mean_shadings(face, light)
    return light.scaled(2.0**stops * float(luminance(old)) / max(float(luminance(new)), 1e-6))


def matched(light: Light, face: Decomposition) -> Light:
    """The light with the strength and colour of the face's own light; only its directions are new."""
    old, new = _mean_shadings(face, light)
    return light.scaled(old / np.maximum(new, 1e-6))


def tinted(light: Light, face: Decomposition) -> Light:
    """The light with its colours relative to the face's own light, so that white is the white of the photo.

    A network can hardly separate the colour of skin from the colour of light. With relative colours, a light that does
    not come from a photo keeps the colour of the skin.
    """
    return light.scaled(own_tint(face))


def own_tint(face: Decomposition) -> Float[np.ndarray, "3"]:
    """The colour of the light on a face, of luminance 1.

    Illumination E = I / A holds the highlights, relative to albedo: on skin they look bluer than the light. The share
    that this light has by its shading model is taken out, or highlights of a new light would pale the skin once more.
    """
    small = reduced(face)
    diffuse, specular = small.albedo * floored(small.shading, small.mask), ambient_specular(small.normal, small.light)
    illumination, lit, added = (mean_colour(field, small.mask) for field in (old_light(small), diffuse, specular))
    old = illumination * lit / np.maximum(lit + added, 1e-6)
    return np.asarray(old / max(float(luminance(old)), 1e-6))


def _mean_shadings(face: Decomposition, light: Light) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Mean shading over the face: of its own light, and of an upright light."""
    small = reduced(face)
    turned = light.rotated(upright(face.crop).T).sh.astype(np.float32)

    def mean(light: np.ndarray) -> np.ndarray:
        return mean_colour(floored(shade(small.normal, light), small.mask), small.mask)

    return mean(small.light), mean(turned)
