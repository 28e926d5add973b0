"""Gradients over a mask and the cosine of two vectors, for correlations."""

from __future__ import annotations

from typing import Any

from jaxtyping import Bool, Float

from illures.math.namespace import array_namespace

_CONSTANT = 1e-5  # spread of a logarithm due to rounding in single precision


def gradients(values: Float[Any, "points channels"], mask: Bool[Any, "height width"]) -> Float[Any, " n"]:
    """Central differences along x, then along y, where all four neighbours lie in the mask too."""
    xp = array_namespace(values)
    field = xp.zeros((*mask.shape, values.shape[-1]), dtype=values.dtype, device=values.device)
    field[mask] = values
    inside = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    along_x, along_y = field[1:-1, 2:] - field[1:-1, :-2], field[2:, 1:-1] - field[:-2, 1:-1]
    return xp.reshape(xp.concat([along_x[inside], along_y[inside]]), (-1,)) / 2


def cosine(a: Float[Any, " n"], b: Float[Any, " n"]) -> float:
    """Cosine of two vectors; 0 if one is only rounding noise, or there are no points."""
    xp = array_namespace(a, b)
    if a.shape[0] == 0:
        return 0.0
    lengths = [float(xp.sqrt(xp.mean(x * x))) for x in (a, b)]
    return 0.0 if min(lengths) < _CONSTANT else float(xp.mean(a * b)) / (lengths[0] * lengths[1])
