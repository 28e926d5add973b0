"""Painting on a head: a texture unrolled round the base head, and brushes that find their way by its landmarks.

A point of the base head (head coordinates, cm: origin between the eye centres) lies at s = 9·atan2(x, z + 10.4),
its arc round an upright axis inside the skull, and at its height y. Shapes morph, the layout stays with the vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

WIDTH, HEIGHT = 640, 400  # of the texture [px]
_HALF_TURN, _TOP, _TALL = 28.4, 11.4, 35.0  # extent of the texture [cm]
_RADIUS, _AXIS = 9.0, 10.4  # arc a radian; the axis lies this far behind the eyes [cm]
PX_PER_CM = WIDTH / (2 * _HALF_TURN)

Plane = Float[np.ndarray, "rows columns"]


@dataclass(frozen=True)
class Canvas:
    """The unrolled surface of one base head.

    Attributes:
        landmarks: its 68 landmarks in texture pixels (x right, y down).
        s: arc from the front, to the subject's left [cm], of each texel.
        y: height above the eyes [cm] of each texel.
    """

    landmarks: Float[np.ndarray, "68 2"]
    s: Plane
    y: Plane

    def fill(self, ids: Sequence[int], soft: float) -> Plane:
        """The polygon of some landmarks in [0, 1], its edge blurred by `soft` [px]."""
        plane = np.zeros_like(self.s)
        cv2.fillPoly(plane, [_fixed(self.landmarks[list(ids)])], 1.0, cv2.LINE_AA, 4)
        return cv2.GaussianBlur(plane, (0, 0), soft)

    def stroke(self, points: Float[np.ndarray, "points 2"], width: float, soft: float) -> Plane:
        """A line through texture points in [0, 1], `width` [px] wide, blurred by `soft` [px]."""
        plane = np.zeros_like(self.s)
        cv2.polylines(plane, [_fixed(points)], False, 1.0, max(1, round(width)), cv2.LINE_AA, 4)
        return cv2.GaussianBlur(plane, (0, 0), soft)

    def blob(self, s: float, y: float, ds: float, dy: float) -> Plane:
        """A Gaussian spot of height 1 at (s, y) with radii (ds, dy) [cm]."""
        return np.exp(-(((self.s - s) / ds) ** 2 + ((self.y - y) / dy) ** 2))

    def noise(self, rng: np.random.Generator, across: float, down: float | None = None) -> Plane:
        """Smooth noise of variance 1 with grains of this size [px]."""
        white = rng.standard_normal(self.s.shape).astype(np.float32)
        plane = cv2.GaussianBlur(white, (0, 0), sigmaX=across, sigmaY=down or across)
        return plane / plane.std()

    def to_texture(self, layout: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 2"]:
        """Texture pixels of places in (s, y) [cm]."""
        return _to_texture(layout)

    def jaw(self) -> Float[np.ndarray, " rows columns"]:
        """Height of the jaw line [cm] below each texel."""
        line = to_layout(self.landmarks[:17])
        return np.interp(self.s, line[:, 0], line[:, 1]).astype(np.float32)


def canvas(landmarks: Float[np.ndarray, "68 3"]) -> Canvas:
    """The canvas of a base head with these landmarks (head coordinates, m)."""
    columns, rows = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    layout = to_layout(np.stack([columns, rows], -1)).astype(np.float32)
    return Canvas(_to_texture(unroll(landmarks)), layout[..., 0], layout[..., 1])


def unroll(points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 2"]:
    """(s, y) [cm] of points of the base head (head coordinates, m)."""
    x, y, z = np.moveaxis(100 * points, -1, 0)
    return np.stack([_RADIUS * np.arctan2(x, z + _AXIS), y], -1)


def texture_uv(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
    """UVs (v up) of vertices of the base head (head coordinates, m), in [0, 1]."""
    texture = (_to_texture(unroll(points)) + 0.5) / [WIDTH, HEIGHT]
    return np.clip(np.stack([texture[:, 0], 1 - texture[:, 1]], -1), 0, 1).astype(np.float32)


def to_layout(texture: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
    """(s, y) [cm] of texture pixels."""
    scale = [2 * _HALF_TURN / WIDTH, -_TALL / HEIGHT]
    return (texture + 0.5) * scale + [-_HALF_TURN, _TOP]


def _to_texture(layout: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
    scale = [WIDTH / (2 * _HALF_TURN), -HEIGHT / _TALL]
    return (layout - [-_HALF_TURN, _TOP]) * scale - 0.5


def _fixed(points: Float[np.ndarray, "points 2"]) -> np.ndarray:
    """Sixteenths of a pixel, as cv2 draws with shift 4."""
    return np.round(points * 16).astype(np.int32)
