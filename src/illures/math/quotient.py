"""Albedo as the quotient of image and illumination: A = I / E, at any resolution."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float

from illures.math.namespace import array_namespace

# Added to the image: where it is black the quotient is undefined, and albedo goes to BLACK / E instead of to noise.
BLACK = 0.003
LEAST_ALBEDO = 0.004  # of any surface; keeps the illumination finite


def albedo_of(image: Float[Any, "*batch 3"], illumination: Float[Any, "*batch 3"]) -> Float[Any, "*batch 3"]:
    """A = (I + black) / E, in [0, 1]; both linear, E above 0."""
    xp = array_namespace(image)
    return xp.clip((image + BLACK) / illumination, min=0.0, max=1.0)


def illumination_of(image: Float[Any, "*batch 3"], albedo: Float[Any, "*batch 3"]) -> Float[Any, "*batch 3"]:
    """The E for which `albedo_of` gives this albedo back (where it lies in [LEAST_ALBEDO, 1])."""
    xp = array_namespace(image)
    return (image + BLACK) / xp.clip(albedo, min=LEAST_ALBEDO)
