"""Figures of light."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from illures.evaluate.metrics.normals import fill_normals
from illures.math.normals import angular_error_deg
from illures.math.sh import main_direction


def light_angle_deg(found: Float[np.ndarray, "9 3"], true: Float[np.ndarray, "9 3"]) -> float:
    """Angle between the dominant directions of two SH lights [deg], those of their linear terms' luminance.

    Scale-invariant. A light without direction (an even environment) is taken to come from the viewer.
    """
    (ours, theirs), _ = fill_normals(np.stack([main_direction(light) for light in (found, true)]))
    return float(angular_error_deg(ours, theirs))
