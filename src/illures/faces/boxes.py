"""Axis-aligned boxes, [x0, y0, x1, y1] in pixels, and how much two of them overlap."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from illures.types import Face

Box = Float[np.ndarray, "4"]


def box_of(face: Face) -> Box:
    """Box of the landmarks [px]."""
    points = face.landmarks[:, :2]
    return np.concatenate([points.min(0), points.max(0)])


def area(box: Box) -> float:
    """Width times height [px²]."""
    return float(np.prod(box[2:] - box[:2]))


def intersection(a: Box, b: Box) -> float:
    """Area that two boxes share [px²]."""
    return float(np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)))


def overlap(a: Box, b: Box) -> float:
    """Intersection over union: 0 for separate boxes, 1 for equal ones."""
    common = intersection(a, b)
    union = area(a) + area(b) - common
    return common / union if union > 0 else 0.0


def are_double(a: Face, b: Face, least: float) -> bool:
    """Whether two results are the same face: they share more than a part `least` of the smaller box."""
    box_a, box_b = box_of(a), box_of(b)
    return intersection(box_a, box_b) > least * min(area(box_a), area(box_b))
