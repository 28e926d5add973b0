"""Curves from 0 to 1."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float

from illures.math.namespace import array_namespace


def smoothstep(t: Float[Any, "*shape"]) -> Float[Any, "*shape"]:
    """3 t² - 2 t³ of t within [0, 1], as GLSL has it; level at both ends, and beyond them."""
    xp = array_namespace(t)
    t = xp.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
