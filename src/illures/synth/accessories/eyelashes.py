"""Eyelashes: thin strips of dark hairs that stand off the lids."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

from illures.synth.accessories.primitives import Primitive, curve, joined, occluder, sheet
from illures.types import Part

_UPPER, _LOWER = [[36, 37, 38, 39], [42, 43, 44, 45]], [[36, 41, 40, 39], [42, 47, 46, 45]]  # from image left to right
_ALONG = 14  # points along a lid
_LINE = 0.25  # share of a strip at its root that is nearly closed; lower lids go without
_ROOT = 0.0005  # roots stand before the landmarks by this [m]


def lash_texture(rng: np.random.Generator, density: float) -> Float[np.ndarray, "16 192"]:
    """Opacity of a strip: tapered hairs, row 0 at their tips."""
    columns = np.arange(192)
    height = np.zeros(192)
    for root in rng.uniform(0, 192, int(110 * density)):
        height = np.maximum(height, rng.uniform(0.5, 1.0) * (np.abs(columns - root) < 1.2))
    rows = np.linspace(1, 0, 16)[:, None]
    hairs = np.clip((height - rows) * 6, 0, 1) * np.clip(1.4 - rows, 0, 1)
    line = (0.4 + 0.5 * density) * np.clip((_LINE - rows) * 12, 0, 1)  # where many roots stand, all is dark
    return cv2.GaussianBlur(np.maximum(hairs, line).astype(np.float32), (0, 0), 0.5)


def lash_part(
    landmarks: Float[np.ndarray, "68 3"],
    length: float,
    colour: Float[np.ndarray, "3"],
    opacity: Float[np.ndarray, "16 192"],
) -> Part:
    """Strips on all four lids: upper lashes `length` [m] long, lower ones half of that; `colour` is albedo."""
    strips = [_strip(landmarks, lid, length, 0.5) for lid in _UPPER]
    strips += [_strip(landmarks, lid, 0.5 * length, -0.7) for lid in _LOWER]
    return occluder("lashes", joined(strips), colour, 0.5, 0.2, opacity)


def _strip(landmarks: np.ndarray, lid: list[int], length: float, rise: float) -> Primitive:
    """Three rows of points from the lid outward: forward first, then up (or down)."""
    root = curve(landmarks[lid].astype(np.float64), _ALONG) + [0, 0, _ROOT]
    across = np.linspace(-1, 1, _ALONG)
    # Lashes fan out from the middle of the eye and are short near its inner corner.
    outer = -across if landmarks[lid, 0].mean() < 0 else across
    reach = length * (0.55 + 0.45 * np.clip(outer + 0.6, 0, 1)) * (1 - 0.5 * np.abs(across) ** 3)
    outward = np.stack([0.35 * across, np.full(_ALONG, 0.35 * rise), np.ones(_ALONG)], 1)
    upward = np.stack([0.6 * across, np.full(_ALONG, 2.0 * rise), np.full(_ALONG, 0.5)], 1)
    middle = root + 0.55 * reach[:, None] * outward / np.linalg.norm(outward, axis=1, keepdims=True)
    tip = middle + 0.5 * reach[:, None] * upward / np.linalg.norm(upward, axis=1, keepdims=True)
    strip = sheet(np.stack([tip, middle, root]))
    if rise < 0:
        strip.uv[:, 1] = _LINE + (1 - _LINE) * strip.uv[:, 1]
    return strip
