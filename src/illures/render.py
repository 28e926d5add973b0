"""The image formation model: `image = albedo ∘ shading(normal, light) + residual`. All shading calls this module."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float

from illures.math import sh


def shade(normal: Float[Any, "*batch 3"], light: Float[Any, "*lights 9 c"]) -> Float[Any, "*batch c"]:
    """f(N, L): what a white Lambertian surface would show, unshadowed; linear RGB (a light), not clipped."""
    return sh.irradiance(normal, light)


def render(
    albedo: Float[Any, "*batch 3"],
    normal: Float[Any, "*batch 3"],
    light: Float[Any, "*lights 9 3"],
    residual: Float[Any, "*batch 3"] | float = 0.0,
) -> Float[Any, "*batch 3"]:
    """The image in linear RGB; with no residual it is the local image I_l."""
    return albedo * shade(normal, light) + residual
