"""Painting in UV space: one UV layout around the base head, and brushes placed by its landmarks.

A point of the base head (head coordinates, cm: origin between the eye centres) lies at s = 9·atan2(x, z + 10.4),
its arc round an upright axis inside the skull, and at its height y. Shapes morph, the layout stays with the vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from illures.types import Region

WIDTH, HEIGHT = 640, 400  # of the texture [px]
_HALF_TURN, _TOP, _TALL = 28.4, 11.4, 35.0  # extent of the texture [cm]
_RADIUS, _AXIS = 9.0, 10.4  # arc a radian; the axis lies this far behind the eyes [cm]
PX_PER_CM = WIDTH / (2 * _HALF_TURN)

Plane = Float[np.ndarray, "rows columns"]
Texture = Float[np.ndarray, "rows columns 3"]
Points = Float[np.ndarray, "_points 2"]
Point = Float[np.ndarray, "2"]


@dataclass(frozen=True)
class Canvas:
    """The unrolled surface of one base head, or a window of it.

    Attributes:
        landmarks: its 68 landmarks in texture pixels (x right, y down).
        s: arc from the front, to the subject's left [cm], of each texel.
        y: height above the eyes [cm] of each texel.
        at: rows and columns of the whole texture that this is.
    """

    landmarks: Float[np.ndarray, "68 2"]
    s: Plane
    y: Plane
    at: tuple[slice, slice] = (slice(0, HEIGHT), slice(0, WIDTH))

    def window(self, left: float, right: float, bottom: float, top: float) -> Canvas:
        """The part between these s and these y [cm], where local features are painted faster."""
        (x0, y0), (x1, y1) = np.round(_to_texture(np.array([[left, top], [right, bottom]], float))).astype(int)
        x0, x1, y0, y1 = max(x0, 0), min(x1, WIDTH), max(y0, 0), min(y1, HEIGHT)
        rows, columns = slice(y0, y1), slice(x0, x1)
        return replace(
            self,
            landmarks=self.landmarks - [x0, y0],
            s=self.s[rows, columns],
            y=self.y[rows, columns],
            at=(rows, columns),
        )

    def layout(self, ids: Sequence[int]) -> Points:
        """(s, y) [cm] of some landmarks."""
        return to_layout(self.landmarks[list(ids)] + [self.at[1].start, self.at[0].start])

    def pixels(self, layout: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Pixels of points (s, y) [cm]."""
        return _to_texture(layout) - [self.at[1].start, self.at[0].start]

    def fill(self, ids: Sequence[int], soft: float) -> Plane:
        """The polygon of some landmarks in [0, 1], its edge blurred by `soft` [px]."""
        plane = np.zeros_like(self.s)
        cv2.fillPoly(plane, [_fixed(self.landmarks[list(ids)])], 1.0, cv2.LINE_AA, 4)
        return cv2.GaussianBlur(plane, (0, 0), soft)

    def lines(self, lines: Sequence[tuple[Points, float]], width: float) -> Plane:
        """Tapered lines of points (s, y) [cm] and weights in [0, 1], Gaussian across with a radius of `width` [px]."""
        plane = np.zeros(self.s.shape, np.uint8)
        for points, weight in lines:
            along = np.linspace(0, len(points) - 1, 17)
            path = np.stack([np.interp(along, np.arange(len(points)), axis) for axis in points.T], axis=1)
            path = _fixed(self.pixels(path))
            for k, taper in enumerate(255 * weight * np.sin(np.pi * np.linspace(0.06, 0.94, 16)) ** 0.7):
                cv2.line(plane, path[k].tolist(), path[k + 1].tolist(), float(taper), 1, cv2.LINE_AA, 4)
        # A line one pixel wide keeps 1 / (radius √2π) of its height under the blur.
        return cv2.GaussianBlur(plane.astype(np.float32), (0, 0), width) * float(width * np.sqrt(2 * np.pi) / 255)

    def blob(self, s: float, y: float, ds: float, dy: float) -> Plane:
        """A Gaussian spot of height 1 at (s, y) with radii (ds, dy) [cm]."""
        across = np.exp(-(((self.s[:1] - float(s)) / float(ds)) ** 2))
        return across * np.exp(-(((self.y[:, :1] - float(y)) / float(dy)) ** 2))

    def fade(self, width: float) -> Plane:
        """0 at the edges, 1 from `width` [cm] inward, so that paint in a window has no visible edge."""
        s, y = self.s[:1], self.y[:, :1]
        ramps = [np.clip((s - s.min()) / width, 0, 1), np.clip((s.max() - s) / width, 0, 1)]
        ramps += [np.clip((y - y.min()) / width, 0, 1), np.clip((y.max() - y) / width, 0, 1)]
        left, right, bottom, top = (ramp * ramp * (3 - 2 * ramp) for ramp in ramps)
        return (left * right) * (bottom * top)

    def noise(self, rng: np.random.Generator, across: float, down: float | None = None) -> Plane:
        """Smooth noise of variance 1 with grains of this size [px]."""
        down = down or across
        rows, columns = self.s.shape
        # Coarse grains are made small and enlarged.
        shrink_x, shrink_y = max(1.0, across / 2), max(1.0, down / 2)
        shape = max(8, round(rows / shrink_y)), max(8, round(columns / shrink_x))
        white = rng.standard_normal(shape, np.float32)
        plane = cv2.GaussianBlur(white, (0, 0), sigmaX=across / shrink_x, sigmaY=down / shrink_y)
        if shape != (rows, columns):
            plane = cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_CUBIC)
        return plane / plane.std()

    def jaw(self) -> Float[np.ndarray, "1 columns"]:
        """Height of the jaw line [cm] below each column of texels."""
        line = self.layout(range(17))
        return np.interp(self.s[:1], line[:, 0], line[:, 1]).astype(np.float32)


@dataclass(frozen=True)
class Layers:
    """The painted layers: log albedo (linear colour), height [m] and region over a whole canvas, changed in place."""

    log: Float[np.ndarray, "3 rows columns"]
    height: Plane
    region: UInt8[np.ndarray, "rows columns"]

    def stain(self, part: Canvas, weight: Plane, pigment: Float[np.ndarray, "3"]) -> None:
        """Add a pigment in log albedo."""
        for channel, strength in zip(self.log, pigment, strict=True):
            channel[part.at] += weight * np.float32(strength)

    def cover(self, part: Canvas, weight: Plane, colour: Float[np.ndarray, "3 *plane"]) -> None:
        """Blend in a log albedo by weight, clipped to [0, 1]."""
        weight = np.clip(weight, 0, 1)
        for channel, ink in zip(self.log, colour.astype(np.float32), strict=True):
            below = channel[part.at]
            below += weight * (ink - below)

    def mark(self, part: Canvas, where: Bool[np.ndarray, "rows columns"], region: Region) -> None:
        """Set the region of some texels."""
        self.region[part.at][where] = region

    def lift(self, part: Canvas, height: Plane) -> None:
        """Raise the surface [m]."""
        self.height[part.at] += height


def per_channel(colour: Float[np.ndarray, "3"], shade: Plane) -> Float[np.ndarray, "3 rows columns"]:
    """A log albedo, lighter and darker by a plane in all channels."""
    return colour.astype(np.float32)[:, None, None] + shade


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


def from_uv(uv: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
    """(s, y) [cm] of UVs (v up), the inverse of `texture_uv` after `unroll`."""
    return to_layout(np.stack([uv[..., 0], 1 - uv[..., 1]], -1) * [WIDTH, HEIGHT] - 0.5)


def around(s: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n 3"]:
    """Unit vectors (head coordinates) from the layout's upright axis outward, at arcs s [cm]."""
    angle = np.asarray(s) / _RADIUS
    return np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], -1)


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
