"""Procedural faces: albedo, bump height and gloss of skin with brows, lips, beard, scalp, laid out by `uv_painting`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from illures.synth.skin.clothes import paint_clothes
from illures.synth.skin.details import redden, shade, speckle, step
from illures.synth.skin.displacement import ageing, carve
from illures.synth.skin.facial_hair import paint_beard, paint_brows, paint_scalp
from illures.synth.skin.makeup import lay_foundation, make_up, paint_lips
from illures.synth.skin.tone import Colour, random_tone
from illures.synth.skin.uv_painting import HEIGHT, WIDTH, Canvas, Layers, Plane, Texture, per_channel, to_layout
from illures.types import Region

__all__ = ["Looks", "Skin", "Texture", "eye_strip", "face_mask", "paint_skin", "random_looks", "random_tone"]

_CLOTHED = 0.85  # share of people whose clothes reach up to where a photo may show them
# Log albedo of hair: black, dark brown, brown, light brown, blond, red, auburn, platinum.
_HAIR = np.log(
    [[0.012, 0.009, 0.008], [0.023, 0.015, 0.01], [0.055, 0.031, 0.018], [0.12, 0.072, 0.039], [0.28, 0.19, 0.1]]
    + [[0.17, 0.06, 0.02], [0.07, 0.024, 0.012], [0.48, 0.4, 0.28]]
)
_HAIR_SHARES = np.array(
    [[0.08, 0.2, 0.26, 0.18, 0.14, 0.05, 0.05, 0.04], [0.78, 0.15, 0.03, 0.01, 0.01, 0, 0.01, 0.01]]
)
_GREY = np.log([[0.2, 0.18, 0.16], [0.6, 0.56, 0.51]])  # pepper, white
# From dark brown over hazel and green to grey and pale blue.
_IRIS = np.array(
    [[0.022, 0.011, 0.006], [0.05, 0.024, 0.011], [0.095, 0.052, 0.022], [0.12, 0.09, 0.038], [0.1, 0.115, 0.06]]
    + [[0.13, 0.15, 0.155], [0.085, 0.13, 0.195], [0.16, 0.22, 0.29]]
)
_IRIS_SHARES = np.array(
    [[0.1, 0.18, 0.13, 0.14, 0.12, 0.1, 0.13, 0.1], [0.6, 0.28, 0.07, 0.02, 0.01, 0.01, 0.005, 0.005]]
)


@dataclass(frozen=True)
class Looks:
    """Colours of a person.

    Attributes:
        skin: log albedo of the skin.
        hair: log albedo of the hair.
        unrest: strength of blotches; 1 is usual.
        age: in years.
        male: whether a beard may grow; make-up is rare then.
        melanin: how dark the skin is, in [0, 1] (see `tone.random_tone`).
    """

    skin: Colour
    hair: Colour
    unrest: float
    age: float
    male: bool
    melanin: float


@dataclass(frozen=True)
class Skin:
    """The skin of a head.

    Attributes:
        albedo: linear, in [0.004, 0.9].
        bump: height [m].
        roughness: GGX alpha of the shine, in [0.25, 0.5].
        specular: its weight, in [0.15, 0.7]; oily skin shines more and sharper.
        region: numbers of `types.Region`.
    """

    albedo: Texture
    bump: Plane
    roughness: float
    specular: float
    region: UInt8[np.ndarray, "rows columns"]


def random_looks(rng: np.random.Generator) -> Looks:
    """Sample the whole range of people: uniform in ITA of the skin and in age from 18 to 80."""
    melanin, age, male = rng.uniform(), rng.uniform(18, 80), bool(rng.random() < 0.5)
    shares = np.clip([1.2 - 2 * melanin, 2 * melanin - 0.2], 0, 1) @ _HAIR_SHARES
    hair = _HAIR[rng.choice(len(_HAIR), p=shares / shares.sum())] + rng.normal(0, 0.15)
    grey = np.clip((age - rng.uniform(32, 75)) / 25, 0, 1) * (rng.random() < 0.8)
    hair = hair + grey * (_GREY[0] + rng.uniform() * (_GREY[1] - _GREY[0]) - hair)
    if not male and rng.random() < 0.15:  # dyed
        hair = _HAIR[rng.integers(len(_HAIR))] + rng.normal(0, 0.15)
    return Looks(random_tone(rng, melanin), hair, rng.uniform(0.4, 1.4), age, male, melanin)


def paint_skin(canvas: Canvas, looks: Looks, rng: np.random.Generator) -> Skin:
    """The skin of a whole head."""
    height = np.zeros((HEIGHT, WIDTH), np.float32)
    layers = Layers(per_channel(looks.skin, height), height, np.full(height.shape, Region.SKIN, np.uint8))
    made_up = rng.random() < (0.02 if looks.male else 0.65)
    redden(layers, canvas, looks.unrest, rng)
    shade(layers, canvas, looks.melanin, rng)
    # The tone drawn is that of the whole face.
    face = face_mask(canvas)[::4, ::4] > 0.5
    shift = looks.skin - layers.log[:, ::4, ::4][:, face].mean(1)
    layers.log[:] += shift.astype(np.float32)[:, None, None]
    carve(layers, canvas, ageing(looks.age, rng), rng)
    speckle(layers, canvas, looks.age, looks.melanin, rng)
    if made_up:
        lay_foundation(layers, looks.skin, rng)
    paint_lips(layers, canvas, looks.skin, looks.melanin, rng)
    if made_up:
        make_up(layers, canvas, rng)
    if looks.male and rng.random() < 0.7:
        paint_beard(layers, canvas, looks.hair, rng)
    brow = looks.hair - max(0.0, float(looks.hair.max()) + 1.2)  # brows stay darker than light hair
    paint_brows(layers, canvas, brow, looks.male, rng)
    if rng.random() < 0.85:
        paint_scalp(layers, canvas, looks.hair, looks.male, rng)
    if rng.random() < _CLOTHED:
        paint_clothes(layers, canvas, rng)
    oil = rng.beta(1.5, 1.5)
    albedo = np.ascontiguousarray(np.clip(np.exp(layers.log), 0.004, 0.9).transpose(1, 2, 0))
    roughness, specular = float(0.5 - 0.25 * oil * rng.uniform(0.6, 1)), float(0.15 + 0.55 * oil)
    return Skin(albedo, layers.height, roughness, specular, layers.region)


def face_mask(canvas: Canvas) -> Plane:
    """1 on the face up to the hair line and out to before the ears, in [0, 1]."""
    side = np.abs(to_layout(canvas.landmarks[[0, 16]])[:, 0]).mean() + 0.4
    inside = (canvas.y > canvas.jaw()) & (canvas.y < 5.4 - 0.02 * canvas.s**2) & (np.abs(canvas.s) < side)
    return inside.astype(np.float32)


def eye_strip(rng: np.random.Generator, melanin: float = 0.0) -> Texture:
    """Albedo of an eye by distance from the middle of the pupil: columns from 0 to 1.6 cm.

    Args:
        rng: of the person.
        melanin: of the skin, in [0, 1]; light eyes grow rare with it.
    """
    radius = np.linspace(0, 1.6, 128)[:, None]
    white = np.array([0.62, 0.57, 0.53]) * rng.uniform(0.75, 1.08) * np.exp(rng.normal(0, [0.0, 0.02, 0.05]))
    dark = min(1.6 * melanin, 1.0)
    kind = rng.choice(len(_IRIS), p=np.array([1 - dark, dark]) @ _IRIS_SHARES)
    near = int(np.clip(kind + rng.choice([-1, 1]), 0, len(_IRIS) - 1))
    iris = np.exp(np.log(_IRIS[kind]) + rng.uniform(0, 0.5) * np.log(_IRIS[near] / _IRIS[kind]) + rng.normal(0, 0.12))
    pupil, collarette = rng.uniform(0.12, 0.29), rng.uniform(0, 0.6)
    # A browner ring lies round the pupil, a darker one at the rim; rays show as rings in a strip of radii.
    warm = collarette * np.exp(-(((radius - pupil - 0.06) / 0.08) ** 2))
    rays = rng.normal(0, 0.08, (16, 1)).repeat(8, 0)
    ring = (
        iris
        * (1 + warm * [0.5, 0.0, -0.4])
        * np.exp(rays)
        * (1 - rng.uniform(0.4, 0.85) * step((radius - 0.51) / 0.035))
    )
    strip = ring + (white - ring) * step((radius - rng.uniform(0.57, 0.6)) / 0.015)
    strip = 0.004 + (strip - 0.004) * step((radius - pupil) / 0.015)
    return np.clip(np.repeat(strip[None], 2, 0), 0.004, 0.9).astype(np.float32)
