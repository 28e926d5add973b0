"""Normals across nostrils: those of a skin stretched over them.

Nostrils of head models are shallow pockets, whose floors face up. A network that learns these paints bright spots in
the nostrils of relit photos; photometric stereo finds the underside of the nose there. So the truth that training sees
is the underside around, continued.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float

from illures.faces.atlas import head_rotation
from illures.faces.regions import NOSTRILS
from illures.math.normals import normalize

# Upright component in the head's frame: of the underside of a nose at most, and of a pocket's floor at least.
_DOWN, _UP = -0.15, 0.35
_REACH = 0.35  # of a nostril's width, over which the underside is continued
_LEAST = 1e-3  # share of the underside in the mean around a pixel, below which nothing is known


def stretched(
    normal: Float[np.ndarray, "size size 3"],
    landmarks: Float[np.ndarray, "478 3"],
    skin: Bool[np.ndarray, "size size"],
) -> Float[np.ndarray, "size size 3"]:
    """The normals, with those in the nostrils that don't face down replaced by the ones around that do.

    Args:
        normal: unit vectors, camera frame; 0 where there is no surface.
        landmarks: in the pixels of the map, z toward the viewer.
        skin: where skin is seen, and no hand or beard before it.
    """
    out, up = normal, head_rotation(landmarks)[:, 1]
    for ring in NOSTRILS:
        points = landmarks[list(ring), :2]
        width = float(np.ptp(points, axis=0).max())
        low = np.maximum(np.floor(points.min(0) - width), 0).astype(int)
        high = np.minimum(np.ceil(points.max(0) + width) + 1, normal.shape[1::-1]).astype(int)
        if (high - low < 2).any():
            continue
        window = slice(low[1], high[1]), slice(low[0], high[0])
        filled = _filled(out[window], out[window] @ up, skin[window], points - low, width)
        if filled is not None:
            out = normal.copy() if out is normal else out
            out[window] = filled
    return out


def _filled(
    normal: Float[np.ndarray, "rows columns 3"],
    upward: Float[np.ndarray, "rows columns"],
    skin: Bool[np.ndarray, "rows columns"],
    ring: Float[np.ndarray, "points 2"],
    width: float,
) -> Float[np.ndarray, "rows columns 3"] | None:
    """The part of a map around one nostril; None where no floor is seen."""
    hole = np.zeros(skin.shape, np.uint8)
    cv2.fillConvexPoly(hole, cv2.convexHull(np.round(16 * ring).astype(np.int32)), 1, cv2.LINE_8, 4)
    hole = cv2.dilate(hole, np.ones((3, 3))) * skin
    under = (upward < _DOWN) & skin
    # The rim of a nostril, which faces down, is above its floor. It isn't above a wing or a lip.
    reach = max(1, round(width / 2))
    above = np.zeros((2 * reach + 1, 1), np.uint8)
    above[:reach] = 1
    floor = (upward > _UP) & (hole > 0) & (cv2.dilate(under.astype(np.uint8), above) > 0)
    around = cv2.GaussianBlur(
        (normal * under[..., None]).astype(np.float32), (0, 0), max(_REACH * width, 0.7), borderType=cv2.BORDER_CONSTANT
    )
    edge = cv2.dilate(floor.astype(np.uint8), np.ones((3, 3))) > 0
    wrong = edge & (hole > 0) & (upward > _DOWN) & (np.linalg.norm(around, axis=-1) > _LEAST)
    return np.where(wrong[..., None], normalize(around), normal).astype(normal.dtype) if wrong.any() else None
