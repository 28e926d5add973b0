"""What is measured, on arrays alone; usable without the rest.

Each docstring says whether the free scale between albedo and light counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from illures.math.color import best_scale
from illures.math.normals import angular_error_deg, turn


@dataclass(frozen=True)
class NormalScore:
    """Angular errors of one normal map [deg], and shares of the pixels below thresholds [%]."""

    mean_deg: float
    median_deg: float
    below_20: float
    below_25: float
    below_30: float


def normal_score(found: Float[np.ndarray, "points 3"], true: Float[np.ndarray, "points 3"]) -> NormalScore:
    """Score unit normals against the truth, point by point."""
    error = angular_error_deg(found.astype(np.float64), true.astype(np.float64))
    shares = [100 * float(np.mean(error < limit)) for limit in (20, 25, 30)]
    return NormalScore(float(error.mean()), float(np.median(error)), *shares)


def without_tilt(
    found: Float[np.ndarray, "points 3"], true: Float[np.ndarray, "points 3"]
) -> Float[np.ndarray, "points 3"]:
    """`found` turned as a whole by the rotation that brings it nearest to `true` (Kabsch 1976).

    Photometric stereo leaves a global tilt of a few degrees free; scores after this do not count it.
    """
    u, _, vt = np.linalg.svd(true.T.astype(np.float64) @ found.astype(np.float64))
    sign = np.diag([1.0, 1.0, np.linalg.det(u @ vt)])
    return turn(found, u @ sign @ vt)


def albedo_error(found: Float[np.ndarray, " points"], true: Float[np.ndarray, " points"]) -> float:
    """Relative RMSE of a one-channel linear albedo after the best scale; 0 is perfect, scale-invariant."""
    scaled = found * best_scale(found, true)
    return float(np.sqrt(np.mean((scaled - true) ** 2)) / np.sqrt(np.mean(true**2)))


def albedo_drift(albedos: Float[np.ndarray, "lights points"]) -> float:
    """How much the albedo of one face changes with the light: relative RMSE to the mean over the lights.

    Each albedo is scaled to mean 1 first: scale-invariant.
    """
    scaled = albedos / albedos.mean(axis=1, keepdims=True)
    mean = scaled.mean(axis=0)
    return float(np.sqrt(np.mean((scaled - mean) ** 2)) / np.sqrt(np.mean(mean**2)))


def shading_error(found: Float[np.ndarray, " points"], true: Float[np.ndarray, " points"]) -> float:
    """Relative RMSE of one-channel linear shading after the best scale; scale-invariant."""
    return albedo_error(found, true)


def mean_score(scores: list[NormalScore]) -> NormalScore:
    """The mean of each figure over images."""
    values = np.array([[s.mean_deg, s.median_deg, s.below_20, s.below_25, s.below_30] for s in scores])
    return NormalScore(*(float(v) for v in values.mean(axis=0)))
