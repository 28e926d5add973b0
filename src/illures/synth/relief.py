"""Relief of the skin as a height texture: pores, lip creases, and the lines that age draws.

Lines run where the muscles under them fold the skin (Lemperle et al., A classification of facial wrinkles, 2001, names
and grades them); a grade-5 fold is about a millimetre deep.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from illures.synth.paint import Canvas, Plane, to_layout

_MILLIMETRE = 1e-3
_LIPS = range(48, 60)
_EYES = ((range(36, 42), -1), (range(42, 48), 1))  # landmarks, side of the outer corner
_FOLDS = ((31, 48, -1), (35, 54, 1))  # wing of the nose, corner of the mouth, side


def paint_relief(canvas: Canvas, age: float, rng: np.random.Generator) -> Plane:
    """Height [m] of the skin over the smooth head, at most about a millimetre below it.

    Args:
        canvas: of the base head.
        age: from 18 to 80 years, how deep the lines are.
        rng: of the person.
    """
    old = float(np.clip((age - 25) / 50, 0, 1))
    pores = rng.uniform(0.01, 0.04) * canvas.noise(rng, 0.8) + rng.uniform(0.02, 0.08) * canvas.noise(rng, 3)
    creases = -0.06 * canvas.fill(_LIPS, 1.5) * np.clip(canvas.noise(rng, 0.8, 4), -1, 2)
    lines = _forehead(canvas, rng) + _frown(canvas, rng) + _crow_feet(canvas, rng) + _bags(canvas, rng)
    depth = rng.uniform(0.05, 0.15) + old * rng.uniform(0.3, 0.8)
    folds = rng.uniform(0.1, 0.3) + old * rng.uniform(0.2, 0.7)
    height = pores + creases - depth * lines - folds * _nasolabial(canvas, rng)
    return (_MILLIMETRE * np.clip(height, -1.2, 0.5)).astype(np.float32)


def _line(canvas: Canvas, rng: np.random.Generator, path: Float[np.ndarray, "points 2"], width: float) -> Plane:
    """A groove of depth 1 along a path in (s, y) [cm], a little crooked, `width` [px] wide."""
    bent = path + 0.06 * np.cumsum(rng.normal(size=path.shape), axis=0) / np.sqrt(len(path))
    return canvas.stroke(canvas.to_texture(bent), 1, width) * width * 2.0


def _forehead(canvas: Canvas, rng: np.random.Generator) -> Plane:
    """Three to six lines across the forehead, broken here and there."""
    plane = np.zeros_like(canvas.s)
    half = rng.uniform(2.5, 4.5)
    for y in np.linspace(2.9, 5.6, int(rng.integers(3, 7))):
        s = np.linspace(-half, half, 24) * rng.uniform(0.6, 1.0)
        path = np.stack([s + rng.normal(0, 0.3), y + 0.03 * s**2 * rng.uniform(-1, 1) + rng.normal(0, 0.1) + 0 * s], -1)
        plane += rng.uniform(0.3, 1) * _line(canvas, rng, path, 1.2)
    return plane * np.clip(0.7 + 0.5 * canvas.noise(rng, 15), 0, 1)


def _frown(canvas: Canvas, rng: np.random.Generator) -> Plane:
    """One or two upright lines between the brows."""
    plane = np.zeros_like(canvas.s)
    for side in (-1, 1):
        y = np.linspace(1.2, 2.9, 10)
        path = np.stack([side * rng.uniform(0.3, 0.8) + side * 0.1 * (y - 2) + 0 * y, y], -1)
        plane += rng.uniform(0, 1) * _line(canvas, rng, path, 1.2)
    return plane


def _crow_feet(canvas: Canvas, rng: np.random.Generator) -> Plane:
    """Lines that fan out from the outer corners of the eyes."""
    plane = np.zeros_like(canvas.s)
    for eye, side in _EYES:
        points = to_layout(canvas.landmarks[list(eye)])
        corner = points[np.argmax(side * points[:, 0])]
        for angle in np.deg2rad(rng.uniform(-40, 35, int(rng.integers(2, 6)))):
            reach = np.linspace(0.4, rng.uniform(1.2, 2.4), 10)
            path = corner + reach[:, None] * np.array([side * np.cos(angle), np.sin(angle)])
            plane += rng.uniform(0.4, 1) * _line(canvas, rng, path, 1.0)
    return plane


def _bags(canvas: Canvas, rng: np.random.Generator) -> Plane:
    """An arc under each eye, and sometimes a second."""
    plane = np.zeros_like(canvas.s)
    for eye, _ in _EYES:
        points = to_layout(canvas.landmarks[list(eye)])
        low, wide = points[:, 1].min(), np.ptp(points[:, 0])
        for drop in rng.uniform(0.35, 1.3, int(rng.integers(1, 3))):
            t = np.linspace(-0.55, 0.5, 16)
            path = np.stack([points[:, 0].mean() + wide * t, low - drop + 1.5 * t**2], -1)
            plane += rng.uniform(0.3, 1) * _line(canvas, rng, path, 1.3)
    return plane


def _nasolabial(canvas: Canvas, rng: np.random.Generator) -> Plane:
    """The folds from the wings of the nose round the corners of the mouth."""
    plane = np.zeros_like(canvas.s)
    points = to_layout(canvas.landmarks)
    for wing, corner, side in _FOLDS:
        start, end = points[wing] + [0.5 * side, 0.3], points[corner] + [0.7 * side, rng.uniform(-1.0, 0.2)]
        t = np.linspace(0, 1, 16)[:, None]
        path = start + t * (end - start) + np.sin(np.pi * t) * [0.35 * side, 0.1]
        plane += _line(canvas, rng, path, 2.2)
    return plane
