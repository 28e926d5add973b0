"""Displacement of faces, heights over the layout of `uv_painting`: pores, wrinkles by age, folds, lids and lips.

A furrow of depth d and Gaussian radius w slopes 0.61 d / w at most; depths are chosen for 5 to 25 degrees, as seen in
photos of faces, and radii are resolved at 1 to 2 mm per pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from illures.synth.skin.uv_painting import Canvas, Layers, Plane, Point, Points

_MM = 1e-3
RIGHT_EYE, LEFT_EYE = (36, 37, 38, 39, 40, 41), (45, 44, 43, 42, 47, 46)  # outer corner, above, inner corner, below
RIGHT_BROW, LEFT_BROW = (17, 18, 19, 20, 21), (26, 25, 24, 23, 22)  # from the outer end
LIPS = range(48, 60)
SEAM = (48, 60, 61, 62, 63, 64, 54)

Line = tuple[Points, float]


def ageing(age: float, rng: np.random.Generator) -> float:
    """How deep wrinkles are at an age [years]: 0 in youth, near 1 at eighty, people differ."""
    return float(np.clip((age - 22) / 55, 0.03, 1.1) ** 1.2 * np.exp(rng.normal(0, 0.3)))


def carve(layers: Layers, canvas: Canvas, depth: float, rng: np.random.Generator) -> None:
    """Draw the displacement of bare skin into the layers.

    Args:
        layers: to be changed.
        canvas: of the head.
        depth: of wrinkles, from `ageing`.
        rng: of the person.
    """
    face = canvas.window(-9.5, 9.5, -13, 7.5)
    _pores(layers, face, depth, rng)
    _forehead(layers, canvas, depth, rng)
    for eye, brow in ((RIGHT_EYE, RIGHT_BROW), (LEFT_EYE, LEFT_BROW)):
        _lids(layers, canvas, canvas.layout(eye), depth, rng)
        _crows_feet(layers, canvas, canvas.layout(eye), depth, rng)
        _frown(layers, canvas, canvas.layout(brow), depth, rng)
    _folds(layers, canvas, depth, rng)
    _lips(layers, canvas, depth, rng)
    _neck(layers, canvas, depth, rng)


def furrows(part: Canvas, lines: Sequence[Line], depth: float, width: float) -> Plane:
    """Furrows [m] with bulging sides along lines of (s, y) [cm] and weights in [0, 1].

    Args:
        part: window to draw in.
        lines: points and weight of each.
        depth: at weight 1 [m].
        width: Gaussian radius [px].
    """
    valley = part.lines(lines, width)
    return -depth * (valley - 0.5 * cv2.GaussianBlur(valley, (0, 0), 2.2 * width))


def wander(rng: np.random.Generator, start: Point, end: Point, bow: float, rough: float) -> Points:
    """Seven points (s, y) [cm] from start to end, bowed to the left of the way and rough by `rough` [cm]."""
    t = np.linspace(0, 1, 7)[:, None]
    way = np.asarray(end) - start
    side = np.array([-way[1], way[0]]) / max(float(np.hypot(*way)), 1e-6)
    return start + t * way + (4 * bow * t * (1 - t) + rng.normal(0, rough, (7, 1))) * side


def _pores(layers: Layers, face: Canvas, depth: float, rng: np.random.Generator) -> None:
    """Pores on nose and cheeks, crossing fine lines on old skin, and soft unevenness."""
    where = 0.4 + face.blob(0, -3.2, 2, 2.5) + 0.7 * (face.blob(-3.8, -3.5, 2.2, 2.2) + face.blob(3.8, -3.5, 2.2, 2.2))
    pores = rng.uniform(0.006, 0.028) * _MM * face.noise(rng, 0.75) * where
    crossing = face.noise(rng, 0.8, 2.2) + face.noise(rng, 2.2, 0.8)
    soft = (0.04 + 0.12 * depth) * _MM * face.noise(rng, 4)
    layers.lift(face, (pores + (0.006 + 0.03 * depth) * _MM * crossing + soft) * face.fade(2))


def _forehead(layers: Layers, canvas: Canvas, depth: float, rng: np.random.Generator) -> None:
    """Three to six lines across, broken and uneven."""
    strength = depth * rng.uniform(0.1, 1.1)
    low, part = canvas.layout([19, 24])[:, 1].mean() + 0.9, canvas.window(-6.5, 6.5, 1.5, 7.5)
    lines: list[Line] = []
    bow = rng.uniform(-0.25, 0.5)
    for y in np.linspace(low, 6.1, rng.integers(3, 7)) + rng.normal(0, 0.1):
        breaks = np.sort(rng.uniform(-3, 3, rng.integers(0, 3)))
        ends = np.concatenate([[-rng.uniform(3, 4.8)], breaks, [rng.uniform(3, 4.8)]])
        for left, right in zip(ends[:-1], ends[1:], strict=True):
            heights = y + rng.normal(0, 0.1, 2) - bow * (np.array([left, right]) / 4) ** 2
            line = wander(rng, np.array([left - 0.2, heights[0]]), np.array([right + 0.2, heights[1]]), 0.0, 0.05)
            lines.append((line, rng.uniform(0.5, 1)))
    layers.lift(part, furrows(part, lines, 0.75 * _MM * strength, rng.uniform(1.1, 1.7)))


def _frown(layers: Layers, canvas: Canvas, brow: Points, depth: float, rng: np.random.Generator) -> None:
    """One or two upright lines at the inner end of a brow."""
    part, side = canvas.window(-2.5, 2.5, -1, 4.5), np.sign(brow[-1, 0])
    lines: list[Line] = []
    for inward in (0.15, 0.5)[: rng.integers(1, 3)]:
        foot = brow[-1] + [-side * inward, -rng.uniform(0.3, 0.8)]
        top = foot + [side * rng.uniform(-0.1, 0.3), rng.uniform(1.2, 2.2)]
        lines.append((wander(rng, foot, top, 0.08 * side, 0.02), rng.uniform(0.4, 1)))
    layers.lift(part, furrows(part, lines, 0.8 * _MM * depth * rng.uniform(0.1, 1), 1.3))


def _lids(layers: Layers, canvas: Canvas, eye: Points, depth: float, rng: np.random.Generator) -> None:
    """The crease above the upper lid, fine lines and a bag below the lower one."""
    middle = eye.mean(0)
    part = canvas.window(middle[0] - 2.8, middle[0] + 2.8, -3.2, 2.0)
    out = np.array([np.sign(middle[0]), 0.0])
    gap = rng.uniform(0.3, 0.65)
    crease = eye[:4] + np.array([0.15, 1, 0.9, 0.4])[:, None] * [0, gap] + np.outer([0.25, 0.1, -0.1, -0.05], out)
    layers.lift(part, furrows(part, [(crease, 1.0)], rng.uniform(0.2, 1.2) * _MM, 1.4))
    below = eye[[0, 5, 4, 3]]
    drop = np.array([0.35, 0.75, 0.85, 0.6])[:, None] * [0, -rng.uniform(0.8, 1.4)]
    bag, trough = part.lines([(below + 0.55 * drop, 1.0)], 3.0), [(below + drop, 1.0)]
    swelling = rng.uniform(0, 0.5) + depth * rng.uniform(0, 1)
    layers.lift(part, swelling * _MM * bag + furrows(part, trough, (0.15 + 0.7 * swelling) * _MM, 2.0))
    lines: list[Line] = []
    for share in (0.3, 0.5, 0.7):
        ends = (below + share * drop)[[0, 3]] + rng.normal(0, 0.08, (2, 2)) - [[0, 0.1], [0, 0.2]]
        lines.append((np.stack([ends[0], (below + share * drop)[1:3].mean(0), ends[1]]), rng.uniform(0.3, 1)))
    layers.lift(part, furrows(part, lines, 0.4 * _MM * depth, 0.9))


def _crows_feet(layers: Layers, canvas: Canvas, eye: Points, depth: float, rng: np.random.Generator) -> None:
    """Three to five lines that fan out from the outer corner of an eye."""
    corner, side = eye[0], np.sign(eye[0, 0])
    part = canvas.window(corner[0] - 3.5, corner[0] + 3.5, -3.5, 3.0)
    lines: list[Line] = []
    for angle in np.deg2rad(np.linspace(-45, 40, rng.integers(3, 6)) + rng.normal(0, 6)):
        way = np.array([side * np.cos(angle), np.sin(angle)])
        start = corner + rng.uniform(0.35, 0.6) * way
        line = wander(rng, start, start + rng.uniform(0.9, 2.2) * way, -0.1 * side * np.sin(angle), 0.03)
        lines.append((line, rng.uniform(0.4, 1)))
    layers.lift(part, furrows(part, lines, 0.6 * _MM * depth * rng.uniform(0.3, 1.2), 1.0))


def _folds(layers: Layers, canvas: Canvas, depth: float, rng: np.random.Generator) -> None:
    """Folds from the wings of the nose past the mouth, and from its corners down."""
    part = canvas.window(-5.5, 5.5, -11, -2)
    strength, sag = rng.uniform(0.15, 0.4) + 0.9 * depth * rng.uniform(0.5, 1.1), depth * rng.uniform(0, 1)
    nasolabial: list[Line] = []
    marionette: list[Line] = []
    for wing, corner in zip(canvas.layout([31, 35]), canvas.layout([48, 54]), strict=True):
        side = np.sign(corner[0])
        start, end = wing + [0.7 * side, 0.75], corner + [(0.8 + 0.5 * rng.random()) * side, -0.1 - 0.8 * depth]
        nasolabial.append((wander(rng, start, end, side * rng.uniform(-0.05, 0.3), 0.03), rng.uniform(0.8, 1)))
        start = corner + [0.15 * side, -0.25]
        end = start + [rng.uniform(0, 0.5) * side, -rng.uniform(1.0, 2.2)]
        marionette.append((wander(rng, start, end, 0.1 * side, 0.03), rng.uniform(0.5, 1)))
    layers.lift(part, furrows(part, nasolabial, 1.5 * _MM * strength, rng.uniform(1.8, 2.6)))
    layers.lift(part, furrows(part, marionette, 1.0 * _MM * sag, 1.5))
    chin = canvas.layout([57])[0] - [0, 0.75]
    crease = [(np.array([chin - [1.1, 0.1], chin, chin + [1.1, -0.1]]), 1.0)]
    layers.lift(part, furrows(part, crease, rng.uniform(0.1, 1.0) * _MM, 2.6))


def _lips(layers: Layers, canvas: Canvas, depth: float, rng: np.random.Generator) -> None:
    """Upright creases on and above the lips, a raised edge, and the groove where they meet."""
    mouth = canvas.layout(LIPS)
    part = canvas.window(
        mouth[:, 0].min() - 1.2, mouth[:, 0].max() + 1.2, mouth[:, 1].min() - 1, mouth[:, 1].max() + 1.6
    )
    creases = part.noise(rng, 0.8, 4)
    red = part.fill(LIPS, 1.5)
    layers.lift(part, rng.uniform(0.03, 0.1) * _MM * creases * red + 0.4 * _MM * red)
    layers.lift(part, furrows(part, [(canvas.layout(SEAM), 1.0)], 0.5 * _MM, 1.2))
    rim = cv2.GaussianBlur(red, (0, 0), 4) * (1 - red)
    layers.lift(part, 0.25 * depth * _MM * rim * creases)


def _neck(layers: Layers, canvas: Canvas, depth: float, rng: np.random.Generator) -> None:
    """Two to four rings round the neck."""
    chin = canvas.layout([8])[0, 1]
    part = canvas.window(-9, 9, chin - 9, chin - 1)
    lines: list[Line] = []
    for y in chin - rng.uniform(2, 7, rng.integers(2, 5)):
        line = wander(rng, np.array([-6.5, y + 0.8]), np.array([6.5, y + 0.8]), -rng.uniform(0.5, 1.5), 0.06)
        lines.append((line, rng.uniform(0.4, 1)))
    layers.lift(part, furrows(part, lines, (0.15 + 0.9 * depth) * _MM, 1.7))
