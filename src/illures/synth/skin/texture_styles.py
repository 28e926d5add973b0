"""Fifty texture styles for `align-albedo`: patterns laid over albedos, so that nothing but displacement can be learnt.

A network that warps albedo from one pose to another must not paint skin from memory. Five kinds of pattern in ten
variants each hide the look of skin, but keep the position of each point.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from illures.synth.skin.procedural import Texture
from illures.synth.skin.uv_painting import Canvas, Plane

COUNT = 50


def stylized(albedo: Texture, style: int, canvas: Canvas) -> Texture:
    """The albedo of a head (linear, in [0, 1]) with style `style` in [0, COUNT) laid over it; the same each time."""
    rng = np.random.default_rng([0x57E1, style])
    weight = _KINDS[style % len(_KINDS)](canvas, rng)
    low, high = rng.uniform(0.02, 0.9, (2, 3)) ** 1.5
    pattern = low + (high - low) * weight[..., None]
    opacity = rng.uniform(0.45, 0.9)
    return np.clip((1 - opacity) * albedo + opacity * pattern, 0.004, 0.9).astype(np.float32)


def _stripes(canvas: Canvas, rng: np.random.Generator) -> Plane:
    angle, width = rng.uniform(0, np.pi), rng.uniform(0.6, 2.5)
    along = canvas.s * np.cos(angle) + canvas.y * np.sin(angle) + rng.uniform(0, 0.5) * canvas.noise(rng, 20)
    return _edge(np.sin(2 * np.pi * along / width))


def _checks(canvas: Canvas, rng: np.random.Generator) -> Plane:
    width, height = rng.uniform(0.8, 3, 2)
    return _edge(np.sin(2 * np.pi * canvas.s / width) * np.sin(2 * np.pi * canvas.y / height))


def _dots(canvas: Canvas, rng: np.random.Generator) -> Plane:
    plane = np.zeros_like(canvas.s)
    rows, columns = plane.shape
    for x, y in rng.uniform(0, 1, (int(rng.integers(60, 400)), 2)):
        centre = (int(x * columns), int(y * rows))
        cv2.circle(plane, centre, int(rng.integers(3, 14)), float(rng.uniform(0.3, 1)), -1, cv2.LINE_AA)
    return plane


def _blotches(canvas: Canvas, rng: np.random.Generator) -> Plane:
    return _edge(canvas.noise(rng, rng.uniform(3, 15)) + 0.4 * canvas.noise(rng, 2))


def _brush(canvas: Canvas, rng: np.random.Generator) -> Plane:
    across, down = rng.uniform(1, 12, 2)
    return np.clip(0.5 + 0.3 * canvas.noise(rng, across, down), 0, 1)


def _edge(wave: Plane) -> Plane:
    """Soft steps from 0 to 1 where the wave crosses 0."""
    return (0.5 + 0.5 * np.tanh(3 * wave)).astype(np.float32)


_KINDS: tuple[Callable[[Canvas, np.random.Generator], Plane], ...] = (_stripes, _checks, _dots, _blotches, _brush)
