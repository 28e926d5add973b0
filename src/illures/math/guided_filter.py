"""Guided filter: a target as a local linear function of a guide, so that it follows the edges of the guide.

Sources: He, Sun and Tang, "Guided Image Filtering", 2013, eqs. 5, 6, 8 (grey) and 14 to 16 (colour); He and Sun,
"Fast Guided Filter", 2015, for coefficients at a lower resolution.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float

Grid = Float[np.ndarray, "rows columns"]
Colours = Float[np.ndarray, "rows columns 3"]


class Moments(NamedTuple):
    """Means, covariance and variance of a guide and a target in each neighbourhood."""

    guide: Grid
    target: Grid
    covariance: Grid
    variance: Grid


def box_mean(field: np.ndarray, radius: int) -> np.ndarray:
    """Mean over squares of 2 radius + 1 pixels a side; mirrored at the border."""
    return cv2.blur(field, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT_101)


def moments(guide: Grid, target: Grid, radius: int) -> Moments:
    """Statistics of a grey guide and a target in squares of 2 radius + 1 pixels a side."""
    mean_guide, mean_target = box_mean(guide, radius), box_mean(target, radius)
    covariance = box_mean(guide * target, radius) - mean_guide * mean_target
    return Moments(mean_guide, mean_target, covariance, box_mean(guide * guide, radius) - mean_guide * mean_guide)


def grey_guided(guide: Grid, target: Grid, radius: int, eps: float) -> tuple[Grid, Grid]:
    """Smoothed slope and offset of a target against a grey guide; `eps` is the variance that counts as noise."""
    local = moments(guide, target, radius)
    slope = local.covariance / (local.variance + eps)
    return box_mean(slope, radius), box_mean(local.target - slope * local.guide, radius)


def colour_guided(guide: Colours, target: Grid, radius: int, eps: float) -> tuple[Colours, Grid]:
    """Smoothed slopes and offset of a target against a colour guide; `eps` is the variance that counts as noise."""
    centre, level = box_mean(guide, radius), box_mean(target, radius)
    products = box_mean(np.concatenate([guide * guide, guide * np.roll(guide, -1, axis=-1)], axis=-1), radius)
    squares = products[..., :3] - centre * centre + np.float32(eps)  # rr, gg, bb
    mixed = products[..., 3:] - centre * np.roll(centre, -1, axis=-1)  # rg, gb, br
    covariance = box_mean(guide * target[..., None], radius) - centre * level[..., None]
    slope = _solved(squares, mixed, covariance)
    offset = level - np.einsum("hwi,hwi->hw", slope, centre)
    return box_mean(slope, radius), box_mean(offset.astype(np.float32), radius)


def _solved(squares: Colours, mixed: Colours, target: Colours) -> Colours:
    """Solve a symmetric 3 x 3 matrix (rr, gg, bb and rg, gb, br) for each pixel, by its cofactors."""
    (rr, gg, bb), (rg, gb, br) = (np.moveaxis(v, -1, 0) for v in (squares, mixed))
    x, y, z = np.moveaxis(target, -1, 0)
    xx, xy, xz = gg * bb - gb * gb, br * gb - rg * bb, rg * gb - br * gg
    yy, yz, zz = rr * bb - br * br, rg * br - rr * gb, rr * gg - rg * rg
    least = rr * xx + rg * xy + br * xz
    return (
        np.stack([xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z], -1) / least[..., None]
    )
