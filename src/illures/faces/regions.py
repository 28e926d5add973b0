"""Parts of a face as soft masks: lips, eyes, brows, cheeks, nostrils, from the 478 landmarks.

Convention: points in the pixels of the image that is masked. "Left" is the side at the left of the image.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

from illures.faces.mask import LIPS_INSIDE

LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
BROWS = (
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
)
NOSTRILS = ((98, 60, 166, 79, 239, 238, 20, 242), (327, 290, 392, 309, 459, 458, 250, 462))
# Places of blush: the apple of the cheek, and the bone toward the ear.
CHEEKS = ((50, 123), (280, 352))
_EYE_OUTER = (33, 263)

Points = Float[np.ndarray, "478 d"]
Mask = Float[np.ndarray, "size size"]


def lips(points: Points, size: int) -> Mask:
    """1 on the lips, 0 in an open mouth and around."""
    return _softened(_polygon(points, LIPS, size) * (1 - _polygon(points, LIPS_INSIDE, size)), 0.02 * span(points))


def features(points: Points, size: int) -> Mask:
    """1 on eyes, brows and lips."""
    mask = np.zeros((size, size), np.float32)
    for ring in (*EYES, *BROWS, LIPS):
        mask = np.maximum(mask, _polygon(points, ring, size))
    return _softened(cv2.dilate(mask, np.ones((3, 3))), 0.03 * span(points))


def eyes_and_mouth(points: Points, size: int) -> Mask:
    """1 on the eyeballs and in an open mouth, which have no skin colour."""
    mask = np.zeros((size, size), np.float32)
    for ring in (*EYES, LIPS_INSIDE):
        mask = np.maximum(mask, _polygon(points, ring, size))
    return _softened(mask, 0.02 * span(points))


def nostrils(points: Points, size: int) -> Mask:
    """1 in the nostrils."""
    mask = np.zeros((size, size), np.float32)
    for ring in NOSTRILS:
        mask = np.maximum(mask, _polygon(points, ring, size))
    return _softened(cv2.dilate(mask, np.ones((3, 3))), 0.02 * span(points))


def cheeks(points: Points, size: int) -> Mask:
    """Soft ellipses on the cheeks, 1 in the middle."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    mask = np.zeros((size, size), np.float32)
    for apple, bone in CHEEKS:
        start, end = points[apple, :2], points[bone, :2]
        centre, axis = 0.65 * start + 0.35 * end, end - start
        angle = np.arctan2(axis[1], axis[0])
        dx, dy = x - centre[0], y - centre[1]
        along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        long, short = 0.24 * span(points), 0.14 * span(points)
        mask = np.maximum(mask, np.exp(-((along / long) ** 2 + (across / short) ** 2)).astype(np.float32))
    return mask


def span(points: Points) -> float:
    """Distance between the outer corners of the eyes as seen from the front: the unit of soft edges."""
    a, b = points[_EYE_OUTER[0]], points[_EYE_OUTER[1]]
    return float(np.linalg.norm(a - b))


def _polygon(points: Points, ring: tuple[int, ...], size: int) -> Mask:
    mask = np.zeros((size, size), np.float32)
    corners = np.clip(points[list(ring), :2], -4 * size, 5 * size)
    cv2.fillPoly(mask, [np.rint(corners * 16).astype(np.int32)], 1.0, cv2.LINE_8, 4)
    return mask


def _softened(mask: Mask, sigma: float) -> Mask:
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(sigma, 0.5)))
