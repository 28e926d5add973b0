"""A network and a finder of faces that need no weights: every photo that is not black shows one face in its middle."""

from __future__ import annotations

import numpy as np

from illures.faces.context import CONTEXT
from illures.faces.contour import EYE_LEFT, EYE_RIGHT, LIPS_OUTER
from illures.model import Prediction
from illures.types import Face


class FakePredictor:
    size = 128
    info = {"version": "fake", "hash": "0" * 16, "recipe": {"much": "more"}}

    def __call__(self, images: np.ndarray, guides: np.ndarray, contexts: np.ndarray) -> list[Prediction]:
        assert images.shape == guides.shape and images.dtype == guides.dtype == contexts.dtype == np.float32
        assert contexts.shape == (len(images), CONTEXT, CONTEXT, 4)
        assert images.min() >= 0 and images.max() <= 1
        flat = np.zeros_like(images[0])
        light = np.zeros((9, 3), np.float32)
        light[0] = 3.5449  # sqrt(4 pi): shading 1
        light[3] = 0.5
        return [
            Prediction(albedo=flat + 0.5, normal=flat + np.float32([0, 0, 1]), light=light, residual=flat + 0.01)
            for _ in images
        ]


def find_middle(photo: np.ndarray) -> list[Face]:
    assert photo.dtype == np.uint8
    return [middle_face(*photo.shape[:2])] if photo.any() else []


def middle_face(height: int, width: int) -> Face:
    """Points of a flat oval with eyes and mouth where a frontal face has them."""
    side = min(height, width)
    rng = np.random.default_rng(0)
    angle, radius = rng.uniform(0, 2 * np.pi, 478), np.sqrt(rng.uniform(0, 1, 478))
    points = np.stack([0.22 * radius * np.cos(angle), 0.3 * radius * np.sin(angle), 0.1 * (1 - radius**2)], axis=1)
    for indices, place in [(EYE_LEFT, (-0.1, -0.06)), (EYE_RIGHT, (0.1, -0.06)), (LIPS_OUTER, (0.0, 0.14))]:
        spread = np.linspace(-0.04, 0.04, len(indices))
        points[list(indices), 0], points[list(indices), 1] = place[0] + spread, place[1]
    points = points * side + [width / 2, height / 2, 0]
    return Face(landmarks=points.astype(np.float32), score=0.99)
