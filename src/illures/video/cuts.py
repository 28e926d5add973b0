"""Detect hard cuts between the frames of a clip."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from illures.math.color import mean_channel


class CutDetector:
    """Finds hard cuts in consecutive frames.

    Two measures are combined. Layout: correlation of small grey pictures, the best over small shifts, which is
    invariant to exposure. Colours: a histogram over brightness and colour relative to the frame's mean. Fast motion and
    pans keep the colours, a flash keeps the layout, a cut keeps neither. Their product must exceed that of the last
    frames. Frames without contrast (black, white) are skipped, so that a white flash is no cut, but black between two
    shots is one.
    """

    def __init__(self) -> None:
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self._level = 0.0

    def is_cut(self, image: UInt8[np.ndarray, "height width 3"]) -> bool:
        """Whether this frame begins a new shot; the first frame of all does not."""
        small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        grey = mean_channel(small)
        if grey.std() < _LEAST_CONTRAST:
            return False
        seen = _layout(grey), _colours(small)
        last, self._last = self._last, seen
        if last is None:
            return False
        change = change_of(last, seen)
        cut = change > max(_CUT, _ABOVE_LEVEL * self._level)
        # A cut does not count as motion of the shot.
        self._level = 0.0 if cut else max(change, _FORGET * self._level)
        return cut


_SIDE = 32  # of the small pictures [px]
_SHIFT = 4  # largest shift tried [px of the small picture]
_LEAST_CONTRAST = 3.0  # standard deviation of grey, of 255
_CUT = 0.3  # least change of a cut: hands before the camera reach 0.23, cuts between shots 0.7
_ABOVE_LEVEL = 2.5  # times the largest recent change
_FORGET = 0.9  # decay of that per frame
_BINS = 8


def change_of(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    """Geometric mean of the change of layout and of colours, 0 (none) to 1."""
    inner = np.ascontiguousarray(a[0][_SHIFT:-_SHIFT, _SHIFT:-_SHIFT])
    correlation = float(cv2.matchTemplate(b[0], inner, cv2.TM_CCOEFF_NORMED).max())
    layout = min(max(1 - correlation, 0.0), 1.0)
    colours = 0.5 * float(np.abs(a[1] - b[1]).sum())
    return float(np.sqrt(layout * colours))


def _layout(grey: Float[np.ndarray, "s s"]) -> Float[np.ndarray, "s s"]:
    return cv2.GaussianBlur(grey, (0, 0), 1.0)


def _colours(small: Float[np.ndarray, "s s 3"]) -> Float[np.ndarray, " bins"]:
    """Histogram over brightness relative to the mean and two colour differences; with soft bins."""
    scaled = small / max(float(small.mean()), 1.0)
    total = mean_channel(scaled)
    axes = np.stack([total / 2, 0.5 + (scaled[..., 0] - total), 0.5 + (scaled[..., 2] - total)], -1)
    place = np.clip(axes.reshape(-1, 3), 0, 1) * (_BINS - 1)
    low = np.minimum(place.astype(int), _BINS - 2)
    part = place - low
    histogram = np.zeros(_BINS**3)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part), axis=1)
        histogram += np.bincount((low + corner) @ (_BINS**2, _BINS, 1), weight, _BINS**3)
    return (histogram / len(place)).astype(np.float32)
