"""Figures of normals: angles after one alignment or another, gradients, change between images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from illures.evaluate.metrics.gradients import cosine, gradients
from illures.math.normals import angular_error_deg, normalize, turn

VIEWER = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class NormalScore:
    """Angular errors of one normal map [deg], and shares of the pixels below thresholds [%]."""

    mean_deg: float
    median_deg: float
    below_20: float
    below_25: float
    below_30: float


def fill_normals(
    found: Float[np.ndarray, "points 3"],
) -> tuple[Float[np.ndarray, "points 3"], Bool[np.ndarray, " points"]]:
    """Unit normals, filled where there is no estimate.

    A pixel without an estimate (not finite, or zero) gets the uninformed answer, the direction to the viewer. So every
    method is scored on the same pixels, and skipping the hard ones gains nothing.

    Returns:
        The normals as float64; True where a pixel was filled.
    """
    normal = normalize(np.asarray(found, np.float64))
    # A length that is not finite fails the comparison, too.
    given = np.asarray(np.abs(np.linalg.norm(normal, axis=-1) - 1) < 0.5)
    return np.where(given[:, None], normal, VIEWER), ~given


def normal_errors_deg(
    found: Float[np.ndarray, "points 3"], true: Float[np.ndarray, "points 3"]
) -> Float[np.ndarray, " points"]:
    """Angle at each point [deg], atan2(|a × b|, a · b); nothing is aligned. Every point must hold a normal."""
    return angular_error_deg(found.astype(np.float64), true.astype(np.float64))


def angle_to_viewer_deg(directions: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, " points"]:
    """Angle off the camera's axis [deg]."""
    return normal_errors_deg(directions, np.broadcast_to(VIEWER, directions.shape))


def normal_score(found: Float[np.ndarray, "points 3"], true: Float[np.ndarray, "points 3"]) -> NormalScore:
    """Score unit normals against the truth, point by point; nothing is aligned."""
    error = normal_errors_deg(found, true)
    shares = [100 * float(np.mean(error < limit)) for limit in (20, 25, 30)]
    return NormalScore(float(error.mean()), float(np.median(error)), *shares)


def without_tilt(
    found: Float[np.ndarray, "points 3"], true: Float[np.ndarray, "points 3"]
) -> Float[np.ndarray, "points 3"]:
    """`found` rotated as a whole by the rotation that is closest to `true` (Kabsch 1976).

    Photometric stereo has an ambiguity of a few degrees of global tilt; scores after this ignore it.
    """
    u, _, vt = np.linalg.svd(true.T.astype(np.float64) @ found.astype(np.float64))
    sign = np.diag([1.0, 1.0, np.linalg.det(u @ vt)])
    return turn(found, u @ sign @ vt)


def without_relief(
    found: Float[np.ndarray, "points 3"], true: Float[np.ndarray, "points 3"]
) -> Float[np.ndarray, "points 3"]:
    """`found` after the flattening and the rotation that are closest to `true`.

    Flattening scales depth by one factor λ in [1/3, 3]: n ∝ (λ x, λ y, z). Photometric stereo with slightly
    wrong lights has the generalised bas-relief ambiguity, a tilt and a flattening (Belhumeur et al., IJCV 1999); scores
    after this ignore both. λ is found by golden section on the summed cosine, the rotation as `without_tilt`.
    """
    from scipy.optimize import minimize_scalar

    def aligned(log_factor: float) -> np.ndarray:
        return without_tilt(flattened(found, float(np.exp(log_factor))), true)

    thin = slice(None, None, max(1, len(found) // 4000))  # enough points for four unknowns

    def cost(log_factor: float) -> float:
        return -float(np.sum(without_tilt(flattened(found[thin], float(np.exp(log_factor))), true[thin]) * true[thin]))

    limit = float(np.log(3))
    best = minimize_scalar(cost, bounds=(-limit, limit), method="bounded", options={"xatol": 1e-3})
    return aligned(best.x)


def flattened(normal: Float[np.ndarray, "points 3"], factor: float) -> Float[np.ndarray, "points 3"]:
    """Normals of the surface whose depth is scaled by `factor` (below 1 is flatter)."""
    return normalize(normal.astype(np.float64) * [factor, factor, 1.0])


def normal_gradient_correlation(
    found: Float[Any, "points 3"], true: Float[Any, "points 3"], mask: Bool[Any, "height width"]
) -> float:
    """Correlation of the gradients of normals with those of the truth, in [-1, 1]: lids and nostrils, not the pose.

    Gradients as in `gradient_correlation`, of all three components, after the best rotation of the whole map
    (`without_tilt`). A plane scores 0.

    Args:
        found: unit vectors at the pixels of the mask, row by row.
        true: likewise.
        mask: the pixels that count.
    """
    return cosine(gradients(without_tilt(found, true), mask), gradients(true, mask))


def normal_drift_deg(normals: Float[np.ndarray, "images points 3"]) -> float:
    """Change of the normals of one face between aligned images: mean angle to their mean direction [deg]."""
    mean = normalize(normals.astype(np.float64).mean(axis=0))
    return float(np.mean(angular_error_deg(normals.astype(np.float64), np.broadcast_to(mean, normals.shape))))
