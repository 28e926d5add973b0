"""Face detection: two BlazeFace detectors over windows of the photo at several scales."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from illures.faces.boxes import overlap
from illures.faces.network import network

SCORE = 0.5  # MediaPipe's own default for both detectors
OVERLAP = 0.3  # intersection over union above which two boxes are one face (MediaPipe's default)
WINDOW = 192  # side of the windows [px]: the input of the full-range detector
STEP = 144  # between windows [px]: faces up to WINDOW - STEP lie completely in one of them
LEVEL = 2.5  # scale between two levels: a face of 45 px at one level has 18 px at the next
SMALLEST_SEEN = 19.0  # least width of a face in a window [px]
LARGE = 0.2  # after a face this wide (share of the short side), small faces are not searched


@dataclass(frozen=True)
class Detection:
    """A face box with six key points, in photo pixels.

    Attributes:
        box: x0, y0, x1, y1 (from brows to chin, ear to ear).
        keypoints: the eyes at the left and right of an upright image, nose tip, mouth, the two ears.
        score: in [0, 1].
    """

    box: Float[np.ndarray, "4"]
    keypoints: Float[np.ndarray, "6 2"]
    score: float


def detect(photo: UInt8[np.ndarray, "height width 3"], smallest: float = 64.0, least: float = SCORE) -> list[Detection]:
    """Faces of an upright photo (sRGB), best first; small ones are searched only if no large one is found.

    Args:
        photo: any size.
        smallest: width of the smallest face searched [px]; cost grows with (photo size / smallest)².
        least: score that a detection must have.
    """
    found = _whole(photo, least=least)
    height, width = photo.shape[:2]
    if any(d.box[2] - d.box[0] > LARGE * min(height, width) for d in found):
        return found
    scale, finest = WINDOW / max(height, width), min(1.0, SMALLEST_SEEN / smallest)
    while scale < 0.95 * finest:
        scale = min(finest, scale * LEVEL)
        found += _tiles(photo, scale, least)
    return merge(found)


def detect_hard(photo: UInt8[np.ndarray, "height width 3"], least: float = SCORE) -> Iterator[list[Detection]]:
    """Second attempt if `detect` finds nothing: the photo with a wide border, then rotated by quarter turns."""
    height, width = photo.shape[:2]
    for share in (0.6, 0.35):
        yield _whole(photo, share, least)
    for quarters in (1, 3, 2):
        turned = [d for share in (1.0, 0.6) for d in _whole(np.rot90(photo, quarters), share, least)]
        yield merge([_turn_back(d, quarters, height, width) for d in turned])


def merge(found: list[Detection]) -> list[Detection]:
    """Non-maximum suppression that averages boxes, weighted by score (BlazeFace, Bazarevsky et al. 2019)."""
    rest = sorted(found, key=lambda d: -d.score)
    kept = []
    while rest:
        best = rest[0]
        same = [d for d in rest if overlap(d.box, best.box) > OVERLAP]
        rest = [d for d in rest if not any(d is s for s in same)]
        weights = np.array([d.score for d in same])[:, None] / sum(d.score for d in same)
        box = (weights * np.stack([d.box for d in same])).sum(0)
        keypoints = (weights[..., None] * np.stack([d.keypoints for d in same])).sum(0)
        kept.append(Detection(box, keypoints, best.score))
    return kept


def _whole(photo: np.ndarray, share: float = 1.0, least: float = SCORE) -> list[Detection]:
    """Both detectors on the whole photo, shrunk to `share` of the window and centred on black."""
    image, scale = _resized(photo, share * WINDOW / max(photo.shape[:2]))
    left, top = (WINDOW - image.shape[1]) // 2, (WINDOW - image.shape[0]) // 2
    window = np.zeros((WINDOW, WINDOW, 3), np.uint8)
    window[top : top + image.shape[0], left : left + image.shape[1]] = image
    small = cv2.resize(window, (128, 128), interpolation=cv2.INTER_AREA)
    found = [*_run("face_detection_full_range", window, least), *_run("face_detector", small, least)]
    return merge([_place(d, scale, left, top) for d in found])


def _tiles(photo: np.ndarray, scale: float, least: float) -> list[Detection]:
    """The full-range detector on overlapping windows of the photo at `scale`."""
    image, exact = _resized(photo, scale)
    found = []
    for y in _starts(image.shape[0]):
        for x in _starts(image.shape[1]):
            tile = image[y : y + WINDOW, x : x + WINDOW]
            window = np.zeros((WINDOW, WINDOW, 3), np.uint8)
            window[: tile.shape[0], : tile.shape[1]] = tile
            found += [_place(d, exact, -x, -y) for d in _run("face_detection_full_range", window, least)]
    return merge(found)


def _starts(length: int) -> list[int]:
    """First pixels of evenly spaced windows that cover `length`."""
    count = max(1, math.ceil((length - WINDOW) / STEP) + 1)
    return [round(i * (length - WINDOW) / (count - 1)) for i in range(count)] if count > 1 else [0]


def _resized(photo: np.ndarray, scale: float) -> tuple[np.ndarray, Float[np.ndarray, "2"]]:
    """The photo at `scale`, and the exact (x, y) scale after rounding to whole pixels."""
    height, width = photo.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(photo, size, interpolation=method), np.array([size[0] / width, size[1] / height])


def _run(name: str, window: np.ndarray, least: float) -> list[Detection]:
    """One detector on one window (192 px: full range, 128 px: short range); results in pixels of a 192 px window."""
    side = window.shape[0]
    raw_boxes, raw_scores = network(name)(window.astype(np.float32) / 127.5 - 1)
    hits = np.flatnonzero(raw_scores[0, :, 0] > math.log(least / (1 - least)))
    if not len(hits):
        return []
    # Each row: centre and size of the box, then key points, in pixels relative to the anchor; size is absolute.
    values = raw_boxes[0, hits].astype(np.float64).reshape(-1, 8, 2)
    values *= WINDOW / side
    anchors = _anchors(side)[hits] * WINDOW - 0.5
    centre, half = values[:, 0] + anchors, values[:, 1] / 2
    boxes, keypoints = np.concatenate([centre - half, centre + half], axis=1), values[:, 2:] + anchors[:, None]
    scores = 1 / (1 + np.exp(-raw_scores[0, hits, 0].astype(np.float64)))
    found = [
        Detection(b, k, float(s)) for b, k, s in zip(boxes, keypoints, scores, strict=True) if np.all(b[2:] > b[:2])
    ]
    return merge(found)


@cache
def _anchors(side: int) -> Float[np.ndarray, "n 2"]:
    """Anchor centres in [0, 1]: (stride, anchors a cell) as in MediaPipe's face_detection_*_common.pbtxt."""
    layers = {128: ((8, 2), (16, 6)), 192: ((4, 1),)}[side]
    centres = []
    for stride, count in layers:
        cells = side // stride
        y, x = np.mgrid[:cells, :cells]
        grid = (np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) / cells
        centres.append(np.repeat(grid, count, axis=0))
    return np.concatenate(centres)


def _place(found: Detection, scale: np.ndarray, left: float, top: float) -> Detection:
    """Window pixels to photo pixels."""
    offset = np.array([left, top])
    box = ((found.box.reshape(2, 2) - offset + 0.5) / scale - 0.5).reshape(4)
    return Detection(box, (found.keypoints - offset + 0.5) / scale - 0.5, found.score)


def _turn_back(found: Detection, quarters: int, height: int, width: int) -> Detection:
    """Pixels of np.rot90(photo, quarters) to pixels of the photo of (height, width)."""

    def turn(points: np.ndarray) -> np.ndarray:
        x, y = points[:, 0], points[:, 1]
        turned = {1: (width - 1 - y, x), 2: (width - 1 - x, height - 1 - y), 3: (y, height - 1 - x)}[quarters]
        return np.stack(turned, axis=1)

    corners = turn(found.box.reshape(2, 2))
    return Detection(np.concatenate([corners.min(0), corners.max(0)]), turn(found.keypoints), found.score)
