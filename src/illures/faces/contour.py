"""The 68 iBUG points as a subset of the 478 of the dense mesh, and the contour image C drawn from them."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

# Index in the MediaPipe mesh of each iBUG point, checked against the canonical mesh: points of one curve are about
# evenly spaced. "Left" is the side at the left of the image of a face that is not mirrored.
JAW = (127, 234, 93, 132, 58, 172, 150, 176, 152, 400, 379, 397, 288, 361, 323, 454, 356)
BROW_LEFT = (70, 63, 105, 66, 107)
BROW_RIGHT = (336, 296, 334, 293, 300)
NOSE_BRIDGE = (168, 197, 5, 4)
NOSE_BASE = (98, 97, 2, 326, 327)
EYE_LEFT = (33, 160, 158, 133, 153, 144)
EYE_RIGHT = (362, 385, 387, 263, 373, 380)
LIPS_OUTER = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181)
LIPS_INNER = (78, 81, 13, 311, 308, 402, 14, 178)
INDICES = np.array(
    JAW + BROW_LEFT + BROW_RIGHT + NOSE_BRIDGE + NOSE_BASE + EYE_LEFT + EYE_RIGHT + LIPS_OUTER + LIPS_INNER
)

# First point, one past the last, closed: the polylines of the 68 points.
POLYLINES = (
    (0, 17, False),
    (17, 22, False),
    (22, 27, False),
    (27, 31, False),
    (31, 36, False),
    (36, 42, True),
    (42, 48, True),
    (48, 60, True),
    (60, 68, True),
)


def points68(landmarks: Float[np.ndarray, "478 d"]) -> Float[np.ndarray, "68 d"]:
    """The 68 iBUG points of a dense mesh, in the coordinates of the mesh."""
    return landmarks[INDICES]


def contours(points: Float[np.ndarray, "68 d"]) -> list[Float[np.ndarray, "n 2"]]:
    """Polylines of jaw, brows, nose, eyes and lips; closed ones repeat their first point."""
    lines = []
    for start, stop, closed in POLYLINES:
        line = points[start:stop, :2]
        lines.append(np.concatenate([line, line[:1]]) if closed else line)
    return lines


def draw_contour(
    points: Float[np.ndarray, "68 d"], size: int, width: float | None = None
) -> Float[np.ndarray, "size size"]:
    """The contour image C: anti-aliased lines of 1 on 0.

    Args:
        points: landmarks in crop pixels.
        size: side of the image [px].
        width: of the lines [px]; default: 1 px at 128, in proportion at other sizes.
    """
    # OpenCV takes fixed-point coordinates: 4 fractional bits.
    canvas = np.zeros((size, size), np.uint8)
    thickness = max(1, round(size / 128 if width is None else width))
    for line in contours(points):
        fixed = np.round(np.clip(line, -4 * size, 5 * size) * 16).astype(np.int32)
        cv2.polylines(canvas, [fixed.reshape(-1, 1, 2)], False, 255, thickness, cv2.LINE_AA, 4)
    return canvas.astype(np.float32) / 255
