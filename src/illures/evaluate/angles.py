"""Histograms of angular errors, which can be added over images."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def angle_histogram(errors: Float[np.ndarray, " points"]) -> Int[np.ndarray, "180"]:
    """Counts of angles [deg] in bins of one degree; histograms of images add up to that of all their pixels."""
    return np.histogram(errors, bins=180, range=(0, 180))[0].astype(np.int64)


def histogram_quantile(counts: Int[np.ndarray, "180"], share: float = 0.5) -> float:
    """Angle [deg] that a share of the pixels stays below, linear within a bin; NaN of an empty histogram."""
    total = np.concatenate([[0], np.cumsum(counts)])
    return float(np.interp(share * total[-1], total, np.arange(181))) if total[-1] else float("nan")


def histogram_std(counts: Int[np.ndarray, "180"]) -> float:
    """Standard deviation of the angles [deg], each taken to lie in the middle of its bin."""
    middle, total = np.arange(180) + 0.5, max(int(counts.sum()), 1)
    mean = counts @ middle / total
    return float(np.sqrt(counts @ (middle - mean) ** 2 / total))
