"""Glasses: two rims before the eyes, a bridge, temples to the ears, and lenses."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from illures.synth.accessories.primitives import Points, Primitive, curve, joined, occluder, sheet, tube
from illures.synth.accessories.shells import Skull
from illures.types import Part

SUN_SHARE = 0.2  # of glasses
_TINTED_SHARE = 0.12  # of glasses: a light tint
_OUTLINE = 40  # points round a rim
_CORNEA = 0.012  # least distance of the lens from the middle of the lids [m]
_CLEAR = 0.002  # least distance of the frame from the skin [m]
_EAR_DEPTH = 0.085  # temples bend down this far behind the eyes [m]
_CELL, _HALF = 0.003, 30  # grid over the skin [m]; cells to either side
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)


@dataclass(frozen=True)
class Glasses:
    """One pair.

    Attributes:
        width, height: of a lens [m].
        square: exponent of the outline's superellipse: 2 is round, 6 almost a rectangle.
        droop: how far the outer lower part hangs down (aviators), share of the height.
        wire: radius of the rim [m].
        wrap: how much the front bends back at the sides [1/m].
        colour: albedo of the frame.
        lens: albedo of the lens.
        opacity: of the lens, top and bottom, in [0, 1].
        gloss: GGX alpha of frame and lens.
    """

    width: float
    height: float
    square: float
    droop: float
    wire: float
    wrap: float
    colour: Float[np.ndarray, "3"]
    lens: Float[np.ndarray, "3"]
    opacity: tuple[float, float]
    gloss: tuple[float, float]

    def parts(self, skull: Skull, skin: Part, landmarks: Float[np.ndarray, "68 3"]) -> tuple[Part, ...]:
        """Frame and lenses on a posed head; both sides mirror each other about the plane between the eyes."""
        front = _Front(skin)
        rims = [self._rim(front, landmarks, eye) for eye in (_RIGHT_EYE, _LEFT_EYE)]
        depth = max(rim[:, 2].max() for rim in rims)
        rims = [rim + [0, 0, depth - rim[:, 2].max()] for rim in rims]
        primitives = [tube(rim, self.wire, closed=True, sides=6) for rim in rims]
        primitives.append(tube(self._bridge(rims, front), 0.9 * self.wire, sides=6))
        primitives += [tube(self._temple(rim, skull, landmarks), max(0.8 * self.wire, 0.0009), sides=6) for rim in rims]
        frame = occluder("glasses", joined(primitives), self.colour, self.gloss[0], 0.8)
        tint = np.repeat(np.linspace(*self.opacity, 16)[:, None], 2, 1).astype(np.float32)
        albedo = np.broadcast_to(self.lens, (16, 2, 3))
        glass = joined([_pane(rim) for rim in rims])
        return frame, occluder("lens", glass, albedo, self.gloss[1], 1.0, tint)

    def _rim(self, front: _Front, landmarks: np.ndarray, eye: slice) -> Points:
        """The outline of one lens, far enough from skin and cornea."""
        middle = landmarks[eye].mean(0)
        side = np.sign(middle[0])
        angle = np.linspace(0, 2 * np.pi, _OUTLINE, endpoint=False)
        c, s = np.cos(angle), np.sin(angle)
        outward = np.sign(c) * np.abs(c) ** (2 / self.square)
        upward = np.sign(s) * np.abs(s) ** (2 / self.square)
        upward = upward - self.droop * np.maximum(-upward, 0) * (0.5 + 0.5 * outward)
        outward = outward * (1 + self.droop * 0.3 * upward)
        x = middle[0] + side * (0.5 * self.width * outward + 0.001)
        y = middle[1] - 0.003 + 0.5 * self.height * upward
        z = -self.wrap * (x - landmarks[27, 0]) ** 2 - 0.08 * (y - middle[1])
        clear = front.shift(x, y, z) + _CLEAR + self.wire
        eye_front = landmarks[eye, 2].max() + _CORNEA + self.wrap * (middle[0] - landmarks[27, 0]) ** 2
        return np.stack([x, y, z + max(clear, eye_front)], 1)

    def _bridge(self, rims: list[Points], front: _Front) -> Float[np.ndarray, "path 3"]:
        """From rim to rim over the nose."""
        ends = []
        for rim in rims:
            height = rim[:, 1].mean() + 0.2 * self.height
            inner = np.abs(rim[:, 0]) + 0.5 * np.abs(rim[:, 1] - height)
            ends.append(rim[inner.argmin()])
        middle = (ends[0] + ends[1]) / 2 + [0, 0.002, 0]
        middle[2] = max(middle[2], front.shift(middle[:1], middle[1:2], np.zeros(1)) + _CLEAR + self.wire)
        return curve(np.stack([ends[0], middle, ends[1]]), 9)

    def _temple(self, rim: Points, skull: Skull, landmarks: np.ndarray) -> Float[np.ndarray, "path 3"]:
        """From the outer end of the rim along the head to behind the ear."""
        side = np.sign(rim[:, 0].mean())
        height = rim[:, 1].mean() + 0.22 * self.height
        hinge = rim[(side * rim[:, 0] - 0.5 * np.abs(rim[:, 1] - height)).argmax()]
        z = np.linspace(hinge[2], -_EAR_DEPTH, 8)
        y = np.linspace(hinge[1], landmarks[[36, 45], 1].mean() + 0.004, 8)
        width = skull.half_width(float(y[-1]), z)
        reach = np.linspace(side * hinge[0], width[-1] + _CLEAR, 8)
        reach[1:] = np.maximum(reach, width + _CLEAR + self.wire)[1:]
        along = np.stack([side * reach, y, z], 1)
        hook = along[-1] + [[-side * 0.002, -0.008, -0.008], [-side * 0.005, -0.03, -0.016]]
        return np.concatenate([along, hook])


def random_glasses(rng: np.random.Generator) -> Glasses:
    """Round, rectangular or aviator; plastic or wire; clear, tinted or dark."""
    kind, sun = rng.choice(["round", "rectangular", "aviator"], p=[0.35, 0.5, 0.15]), rng.random() < SUN_SHARE
    width = rng.uniform(0.046, 0.056) + 0.005 * sun
    height = width * {"round": rng.uniform(0.85, 1.0), "rectangular": rng.uniform(0.58, 0.8), "aviator": 0.85}[kind]
    thin = kind == "aviator" or rng.random() < 0.4
    wire = rng.uniform(0.0006, 0.0011) if thin else rng.uniform(0.0013, 0.0028)
    dark = rng.random() < 0.6
    colour = np.exp(rng.uniform(-4.6, -3.2) + rng.normal(0, 0.1, 3)) if dark else rng.uniform(0.05, 0.7, 3)
    if thin and not dark:
        colour = np.array([0.6, 0.5, 0.35]) * rng.uniform(0.5, 1.2)
    lens, opacity = np.full(3, 0.01), (rng.uniform(0.05, 0.15),) * 2
    if sun:
        lens, low = np.exp(rng.uniform(-5, -3.5) + rng.normal(0, 0.3, 3)), rng.uniform(0.55, 0.97)
        opacity = (rng.uniform(0.88, 0.98), low)
    elif rng.random() < _TINTED_SHARE / (1 - SUN_SHARE):
        lens, opacity = rng.uniform(0.01, 0.2, 3), (rng.uniform(0.25, 0.5), rng.uniform(0.15, 0.4))
    return Glasses(
        width=width,
        height=height,
        square={"round": 2.0, "rectangular": rng.uniform(3.2, 6.0), "aviator": 2.4}[kind],
        droop=0.35 if kind == "aviator" else 0.0,
        wire=wire,
        wrap=rng.uniform(1.0, 2.5),
        colour=colour,
        lens=lens,
        opacity=opacity,
        gloss=(rng.uniform(0.1, 0.3), 0.04),
    )


class _Front:
    """Depth of the skin near the eyes, on a grid over x and y."""

    def __init__(self, skin: Part) -> None:
        rows, columns = (np.rint(skin.vertices[:, k] / _CELL).astype(int) + _HALF for k in (1, 0))
        inside = (rows >= 0) & (rows <= 2 * _HALF) & (columns >= 0) & (columns <= 2 * _HALF)
        depth = np.full((2 * _HALF + 1, 2 * _HALF + 1), -1.0, np.float32)
        np.maximum.at(depth, (rows[inside], columns[inside]), skin.vertices[inside, 2])
        self._depth = cv2.dilate(depth, np.ones((3, 3), np.uint8))

    def shift(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> float:
        """The least shift forward that moves points (x, y, z) in front of nearby skin."""
        rows, columns = (np.clip(np.rint(value / _CELL).astype(int) + _HALF, 0, 2 * _HALF) for value in (y, x))
        return float((self._depth[rows, columns] - z).max())


def _pane(rim: Points) -> Primitive:
    """A lens that fills a rim, slightly domed, its v from the lower to the upper edge."""
    middle = rim.mean(0) + [0, 0, 0.0006]
    rings = np.linspace(0.001, 1, 5)[:, None, None]
    loop = np.concatenate([rim, rim[:1]])
    points = middle + rings * (loop - middle)
    points[..., 2] += 0.0012 * (1 - rings[..., 0] ** 2)
    if rim[:, 0].mean() < 0:  # mirrored outlines run the other way round
        points = points[:, ::-1]
    pane = sheet(points)
    low, high = rim[:, 1].min(), rim[:, 1].max()
    v = np.clip((pane.vertices[:, 1] - low) / (high - low), 0.01, 0.99)
    return Primitive(pane.vertices, pane.triangles, np.stack([np.full(len(v), 0.5), v], 1))
