"""Metrics on arrays: normals, albedo, light. They import only `math`, so they can be used alone.

Points are the pixels of a mask, in any order. Each docstring gives the unit, what is aligned first, and whether the
free scale between albedo and light counts.
"""

from illures.evaluate.metrics.albedo import (
    albedo_drift,
    albedo_error,
    colour_kept,
    drift_over_contrast,
    fill_values,
    flicker,
    flicker_over_contrast,
    gradient_correlation,
    ita_error_deg,
    log_correlation,
    relative_rmse,
    skin_tone_deg,
)
from illures.evaluate.metrics.light import light_angle_deg
from illures.evaluate.metrics.normals import (
    VIEWER,
    NormalScore,
    angle_to_viewer_deg,
    fill_normals,
    normal_drift_deg,
    normal_errors_deg,
    normal_gradient_correlation,
    normal_score,
    without_relief,
    without_tilt,
)

__all__ = [
    "NormalScore",
    "VIEWER",
    "albedo_drift",
    "albedo_error",
    "angle_to_viewer_deg",
    "colour_kept",
    "drift_over_contrast",
    "fill_normals",
    "fill_values",
    "flicker",
    "flicker_over_contrast",
    "gradient_correlation",
    "ita_error_deg",
    "light_angle_deg",
    "log_correlation",
    "normal_drift_deg",
    "normal_errors_deg",
    "normal_gradient_correlation",
    "normal_score",
    "relative_rmse",
    "skin_tone_deg",
    "without_relief",
    "without_tilt",
]
