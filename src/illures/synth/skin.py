"""Procedural faces: albedo of skin, brows, lips, beard and scalp, painted in log albedo over the layout of `paint`.

Light passes pigment twice, so pigments add in log albedo: melanin moves a tone along `_TONES`, blood along `_BLOOD`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from illures.math.color import individual_typology_angle_deg
from illures.synth.paint import Canvas, Plane, to_layout
from illures.synth.relief import paint_relief

Colour = Float[np.ndarray, "3"]
Texture = Float[np.ndarray, "rows columns 3"]

# Linear albedo of skin with little, medium and much melanin.
_TONES = np.log([[0.65, 0.46, 0.37], [0.36, 0.22, 0.155], [0.055, 0.032, 0.023]])
_BLOOD = np.array([-0.02, -0.16, -0.14])
_HAIR = np.log(
    [[0.012, 0.009, 0.008], [0.02, 0.013, 0.01], [0.05, 0.028, 0.016], [0.12, 0.07, 0.035]]
    + [[0.3, 0.2, 0.1], [0.35, 0.33, 0.31], [0.1, 0.04, 0.02]]
)
_GREY = np.log([0.33, 0.31, 0.29])
_HAIR_SHARES = [0.34, 0.22, 0.16, 0.1, 0.07, 0.07, 0.04]
_IRIS = np.array([[0.03, 0.015, 0.008], [0.06, 0.03, 0.015], [0.12, 0.09, 0.05], [0.08, 0.14, 0.2], [0.1, 0.16, 0.1]])
_IRIS_SHARES = [0.4, 0.25, 0.12, 0.15, 0.08]

_RIGHT_EYE, _LEFT_EYE = range(36, 42), range(42, 48)
_RIGHT_BROW, _LEFT_BROW = range(17, 22), range(22, 27)
_LIPS = range(48, 60)
_LIP_SEAM = [48, 60, 61, 62, 63, 64, 54]


def _tone(melanin: float) -> Colour:
    """Log albedo of skin with melanin in [0, 1] and a usual amount of blood."""
    nodes = np.linspace(0, 1, len(_TONES))
    return np.array([np.interp(melanin, nodes, channel) for channel in _TONES.T])


# Melanin and the typology angle that it gives, to draw the angle evenly.
_MELANIN_NODES = np.linspace(0, 1, 65)
_ITA_NODES = individual_typology_angle_deg(np.exp([_tone(melanin) for melanin in _MELANIN_NODES]))
_ITA_RANGE = (-60.0, 62.0)


@dataclass(frozen=True)
class Looks:
    """What a person is coloured like.

    Attributes:
        skin: log albedo of the skin.
        hair: log albedo of the hair.
        unrest: strength of blotches; 1 is usual.
        age: in years.
    """

    skin: Colour
    hair: Colour
    unrest: float
    age: float


def random_looks(rng: np.random.Generator) -> Looks:
    """Over the whole range of people: even over the individual typology angle, so that no tone is rare."""
    tone = random_tone(rng, float(np.interp(rng.uniform(*_ITA_RANGE), _ITA_NODES[::-1], _MELANIN_NODES[::-1])))
    age = rng.uniform(18, 80)
    hair = _HAIR[rng.choice(len(_HAIR), p=_HAIR_SHARES)]
    grey = rng.random() < np.clip((age - 35) / 50, 0, 0.8)
    hair = _GREY if grey else hair
    return Looks(tone, hair + rng.normal(0, 0.15), rng.uniform(0.5, 1.8), age)


def random_tone(rng: np.random.Generator, melanin: float) -> Colour:
    """Log albedo of skin with melanin in [0, 1], blood and a little chance."""
    tone = _tone(melanin)
    return tone + rng.normal(0.3, 0.45) * _BLOOD + rng.normal(0, 0.05) + rng.normal(0, 0.025, 3)


@dataclass(frozen=True)
class Skin:
    """Textures and gloss of a skin: linear albedo, height [m], GGX alpha, specular weight."""

    albedo: Texture
    bump: Plane
    roughness: float
    specular: float


def paint_skin(canvas: Canvas, looks: Looks, rng: np.random.Generator) -> Skin:
    """Skin of a whole head; albedo in [0.004, 0.9]."""
    log = np.tile(looks.skin, (*canvas.s.shape, 1)).astype(np.float32)
    log += _blotches(canvas, looks, rng)
    log += _eye_sockets(canvas, rng)
    log += _spots(canvas, rng)
    if rng.random() < 0.4:
        log = _over(log, *_beard(canvas, looks, rng))
    log = _over(log, *_lips(canvas, looks, rng))
    log = _over(log, *_brows(canvas, looks, rng))
    if rng.random() < 0.85:
        log = _over(log, *_scalp(canvas, looks, rng))
    albedo = np.clip(np.exp(log), 0.004, 0.9).astype(np.float32)
    return Skin(
        albedo, paint_relief(canvas, looks.age, rng), float(rng.uniform(0.28, 0.5)), float(rng.uniform(0.2, 0.7))
    )


def face_mask(canvas: Canvas) -> Plane:
    """1 on the face up to the hair line and out to before the ears, in [0, 1]."""
    side = np.abs(to_layout(canvas.landmarks[[0, 16]])[:, 0]).mean() + 0.4
    inside = (canvas.y > canvas.jaw()) & (canvas.y < 5.4 - 0.02 * canvas.s**2) & (np.abs(canvas.s) < side)
    return inside.astype(np.float32)


def eye_strip(rng: np.random.Generator) -> Texture:
    """Albedo of an eye by distance from the middle of the pupil: columns from 0 to 1.6 cm."""
    radius = np.linspace(0, 1.6, 128)[:, None]
    white = np.array([0.6, 0.55, 0.52]) * rng.uniform(0.7, 1.05)
    iris = _IRIS[rng.choice(len(_IRIS), p=_IRIS_SHARES)] * np.exp(rng.normal(0, 0.2))
    iris = iris * (1 - 0.6 * _step((radius - 0.52) / 0.03))  # limbal ring
    strip = iris + (white - iris) * _step((radius - 0.58) / 0.02)
    strip = 0.004 + (strip - 0.004) * _step((radius - rng.uniform(0.13, 0.28)) / 0.015)
    return np.repeat(strip[None], 2, 0).astype(np.float32)


def _over(log: Texture, weight: Plane, colour: np.ndarray) -> Texture:
    """Lay a colour over by weight, in log albedo."""
    weight = np.clip(weight, 0, 1)[..., None]
    return log * (1 - weight) + colour * weight


def _step(x: np.ndarray) -> np.ndarray:
    """Smooth step from 0 to 1 at x = 0."""
    return 0.5 + 0.5 * np.tanh(x)


def _blotches(canvas: Canvas, looks: Looks, rng: np.random.Generator) -> Texture:
    """Uneven melanin, and blood above all in cheeks and nose."""
    melanin = 0.04 * canvas.noise(rng, 14) + 0.03 * canvas.noise(rng, 5) + 0.025 * canvas.noise(rng, 1.5)
    flush = canvas.blob(-5, -4.1, 2.6, 2.6) + canvas.blob(5, -4.1, 2.6, 2.6) + 0.8 * canvas.blob(0, -3.3, 1.8, 1.8)
    blood = rng.uniform(0, 1.5) * flush + 0.12 * looks.unrest * canvas.noise(rng, 8)
    return looks.unrest * melanin[..., None] + blood[..., None] * _BLOOD


def _eye_sockets(canvas: Canvas, rng: np.random.Generator) -> Texture:
    """Darker skin round the eyes, lash lines, sometimes eye shadow."""
    dark, lash, shadow = rng.uniform(0, 0.25), rng.uniform(0.15, 0.8), rng.normal(0, 0.2, 3) * (rng.random() < 0.12)
    log = np.zeros((*canvas.s.shape, 3), np.float32)
    rows, columns = np.indices(canvas.s.shape, np.float32)
    for eye in (_RIGHT_EYE, _LEFT_EYE):
        points = canvas.landmarks[list(eye)]
        x, y = points.mean(0)
        spot = np.exp(-(((columns - x) / 32) ** 2) - ((rows - y - 5) / 18) ** 2)[..., None]
        log += -dark * spot * [0.8, 1, 0.9] + spot**1.5 * shadow
        upper, lower = canvas.stroke(points[:4], 2, 1.4), canvas.stroke(points[[3, 4, 5, 0]], 1, 1.4)
        log -= (lash * (upper + 0.5 * lower))[..., None]
    return log


def _spots(canvas: Canvas, rng: np.random.Generator) -> Texture:
    """Freckles and moles."""
    log = np.zeros((*canvas.s.shape, 3), np.float32)
    if rng.random() < 0.25:
        grains = _step((canvas.noise(rng, 1.1) - rng.uniform(1.8, 2.6)) / 0.3) * np.exp(-(((canvas.y + 2.6) / 5) ** 2))
        log -= 0.4 * grains[..., None] * [0.6, 1, 1.1]
    for _ in range(rng.poisson(1.5)):
        radius = rng.uniform(0.1, 0.22)
        log -= 0.8 * canvas.blob(rng.uniform(-9, 9), rng.uniform(-10.5, 4.5), radius, radius)[..., None]
    return log


def _lips(canvas: Canvas, looks: Looks, rng: np.random.Generator) -> tuple[Plane, np.ndarray]:
    """Weight and colour of lips: more blood, three in ten with make-up, a darker seam."""
    colour = looks.skin + np.array([-0.12, -0.5, -0.4]) * rng.uniform(0.3, 1.1)
    if rng.random() < 0.3:
        colour = colour + np.array([-0.1, -0.6, -0.4]) * rng.uniform(0, 1.3) + rng.normal(0, 0.12, 3)
    seam = canvas.stroke(canvas.landmarks[_LIP_SEAM], 1, 1.2)
    uneven = 0.08 * canvas.noise(rng, 1, 3) - 0.5 * seam
    return 0.85 * canvas.fill(_LIPS, 1.8), colour + uneven[..., None]


def _brows(canvas: Canvas, looks: Looks, rng: np.random.Generator) -> tuple[Plane, np.ndarray]:
    """Weight and colour of the brows: full at the inner end, thin at the outer, of short hairs."""
    weight = np.zeros_like(canvas.s)
    width, density = rng.uniform(3.0, 8.0), rng.uniform(0.2, 0.9)
    hairs = np.clip(1 + 0.35 * canvas.noise(rng, 2.2, 0.7), 0, 2)
    for brow, inward in ((_RIGHT_BROW, 1), (_LEFT_BROW, -1)):
        points = canvas.landmarks[list(brow)][::inward]  # from the outer end to the inner
        outer = canvas.stroke(points[:3], 0.55 * width, 2.2)
        inner = canvas.stroke(points[1:], width, 2.6)
        weight += np.maximum(outer, inner)
    colour = looks.hair + 0.25 * (looks.skin - looks.hair)
    return density * hairs * weight, colour


def _beard(canvas: Canvas, looks: Looks, rng: np.random.Generator) -> tuple[Plane, np.ndarray]:
    """Weight and colour of a beard: from a shadow to a full one, sometimes on the chin alone."""
    side = np.abs(canvas.s)
    below = _step(-1.5 * (canvas.y + 4.8 - 0.35 * np.clip(side - 2.5, 0, 8)))
    weight = below * _step(10.5 - side) * _step((canvas.y + 13.0) / 1.5) * (1 - canvas.fill(_LIPS, 2.5))
    cheeks = canvas.blob(-4.8, -5.9, 1.6, 1.6) + canvas.blob(4.8, -5.9, 1.6, 1.6)
    weight = weight * (1 - rng.uniform(0.5, 1) * np.clip(cheeks, 0, 1))
    if rng.random() < 0.3:
        weight = weight * _step((3.8 - side) / 0.7)
    density = rng.uniform(0.15, 0.95) ** 1.5
    weight = density * weight * np.clip(1 + 0.3 * canvas.noise(rng, 1.0), 0, 2)
    return weight, looks.hair + (0.2 if density > 0.4 else 0.5) * (looks.skin - looks.hair)


def _scalp(canvas: Canvas, looks: Looks, rng: np.random.Generator) -> tuple[Plane, np.ndarray]:
    """Weight and colour of short hair above the hair line and behind the temples, round the ears."""
    line = rng.uniform(4.8, 6.9) - 0.012 * rng.uniform(0.2, 1) * canvas.s**2 + 0.3 * canvas.noise(rng, 12)
    above = _step((canvas.y - line) * rng.uniform(1, 4))
    temple, sideburn = rng.uniform(10.2, 11.5), rng.uniform(-4.6, 0.4)
    behind = _step((np.abs(canvas.s) - temple) * 1.5) * _step((canvas.y - sideburn) * 1.5)
    streaks = 0.15 * canvas.noise(rng, 0.8, 3)
    return rng.uniform(0.7, 1) * np.maximum(above, behind), looks.hair + streaks[..., None]
