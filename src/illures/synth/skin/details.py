"""Skin details as pigment and displacement: redness, freckles, moles, age spots, blemishes, scars, patches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from illures.synth.skin.displacement import LEFT_EYE, RIGHT_EYE, furrows, wander
from illures.synth.skin.tone import BLOOD, BROWN, tone_of
from illures.synth.skin.uv_painting import Canvas, Layers

_MM = 1e-3


def step(x: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Smooth step from 0 to 1 at x = 0."""
    return 0.5 + 0.5 * np.tanh(x, dtype=np.float32)


def redden(layers: Layers, canvas: Canvas, unrest: float, rng: np.random.Generator) -> None:
    """Clouds of melanin and blood; more blood in cheeks, nose, chin and ears, sometimes much."""
    clouds = 0.05 * canvas.noise(rng, 14) + 0.04 * canvas.noise(rng, 5)
    layers.stain(canvas, unrest * clouds, 0.9 * BROWN)
    face = canvas.window(-11, 11, -12, 7)
    layers.stain(face, 0.05 * unrest * face.noise(rng, 1.5) * face.fade(2), BROWN)
    flush = face.blob(-4.6, -3.8, 2.4, 2.0) + face.blob(4.6, -3.8, 2.4, 2.0)
    flush = rng.uniform(0.1, 1.4) * flush + rng.uniform(0, 1.5) * face.blob(0, -3.5, 1.3, 1.5)
    flush = flush + rng.uniform(0, 0.8) * (face.blob(0, -10, 1.5, 1.2) + face.blob(0, 4.5, 4, 1.5))
    flush = flush + rng.uniform(0.3, 1.5) * (face.blob(-10.5, -1.5, 1.2, 3) + face.blob(10.5, -1.5, 1.2, 3))
    flush = flush * (1 + 0.25 * face.noise(rng, 3)) + 0.3 * unrest * face.noise(rng, 7)
    flush = flush * face.fade(2)
    strong = 2.5 if rng.random() < 0.08 else 1.0  # rosacea, cold or exertion
    layers.stain(face, strong * flush, BLOOD)


def shade(layers: Layers, canvas: Canvas, melanin: float, rng: np.random.Generator) -> None:
    """Where skin is browner: round eyes and mouth, at the temples, under a beardless jaw; more so on dark skin."""
    face = canvas.window(-11, 11, -14, 8)
    mouth = canvas.layout([51, 57]).mean(0)
    edge = step((np.abs(face.s) - 6.5) * 0.7) + step((face.y - 5) * 0.8)
    layers.stain(face, melanin * rng.uniform(0, 0.4) * edge * face.fade(2), 0.6 * BROWN)
    layers.stain(face, melanin * rng.uniform(0, 0.5) * face.blob(mouth[0], mouth[1], 2.4, 2.0), 0.6 * BROWN)
    dark = rng.uniform(0.03, 0.3) + melanin * rng.uniform(0, 0.35)
    ring = np.array([-0.75, -1.0, -0.85]) if rng.random() < 0.5 else 0.8 * BROWN
    pink = rng.uniform(0, 2)
    for eye in (RIGHT_EYE, LEFT_EYE):
        x, y = canvas.layout(eye).mean(0)
        part = canvas.window(x - 4, x + 4, y - 4, y + 4)
        below = part.blob(x - 0.25 * np.sign(x), y - 0.95, 1.5, 0.8) + 0.6 * part.blob(x, y + 0.4, 1.7, 0.9)
        layers.stain(part, dark * below, ring)
        lids = part.fill(eye, 3.0)
        layers.stain(part, pink * lids, BLOOD)
    nose = canvas.window(-2.5, 2.5, -7, -2)
    for wing, nostril in zip(canvas.layout([31, 35]), canvas.layout([32, 34]), strict=True):
        layers.stain(nose, rng.uniform(0.5, 2) * nose.blob(wing[0], wing[1] + 0.3, 0.5, 0.7), BLOOD)
        layers.stain(
            nose, 0.7 * nose.blob(nostril[0] + 0.15 * np.sign(nostril[0]), nostril[1] - 0.05, 0.3, 0.22), BROWN
        )


def speckle(layers: Layers, canvas: Canvas, age: float, melanin: float, rng: np.random.Generator) -> None:
    """Freckles on light skin, moles on all, spots of age, blemishes, and rarely scars, birthmarks, vitiligo, a tan."""
    face = canvas.window(-9.5, 9.5, -12, 7)
    if rng.random() < 0.3 * (1 - melanin):
        _freckles(layers, face, rng)
    for _ in range(rng.poisson(2 + 3 * melanin * (age > 45))):
        _mole(layers, canvas, rng)
    if age > 45 and rng.random() < (age - 40) / 50:
        _age_spots(layers, face, rng)
    if rng.random() < (0.35 if age < 30 else 0.1):
        _blemishes(layers, canvas, rng)
    for paint, share in _RARE.items():
        if rng.random() < share:
            paint(layers, canvas, rng)


def _freckles(layers: Layers, face: Canvas, rng: np.random.Generator) -> None:
    grains = step((face.noise(rng, rng.uniform(0.8, 1.3)) - rng.uniform(1.0, 2.3)) / 0.3)
    band = np.exp(-(((face.y + 2.4) / rng.uniform(2.5, 5)) ** 2)) * (0.4 + np.exp(-((face.s / 5) ** 2)))
    layers.stain(face, rng.uniform(0.3, 0.7) * grains * band, BROWN)


def _age_spots(layers: Layers, face: Canvas, rng: np.random.Generator) -> None:
    patches = step((face.noise(rng, rng.uniform(2, 4)) - rng.uniform(1.3, 2.2)) / 0.35)
    sides = step((np.abs(face.s) - 3) / 2) + step((face.y - 3) / 1)
    layers.stain(face, rng.uniform(0.08, 0.35) * patches * sides * face.fade(1), BROWN)


def _spot(canvas: Canvas, rng: np.random.Generator, reach: float) -> tuple[Canvas, float, float]:
    """A place on the face and a window of `reach` [cm] round it."""
    s, y = rng.uniform(-7.5, 7.5), rng.uniform(-10, 5.5)
    return canvas.window(s - reach, s + reach, y - reach, y + reach), s, y


def _mole(layers: Layers, canvas: Canvas, rng: np.random.Generator) -> None:
    part, s, y = _spot(canvas, rng, 1)
    radius = rng.uniform(0.08, 0.2)
    spot = part.blob(s, y, radius, radius)
    layers.stain(part, rng.uniform(0.5, 1.6) * spot, BROWN)
    layers.lift(part, rng.uniform(-0.2, 0.7) * _MM * spot)


def _blemishes(layers: Layers, canvas: Canvas, rng: np.random.Generator) -> None:
    """Acne, a few spots or many, with flat brown marks where some have healed."""
    for _ in range(rng.poisson(rng.choice([5, 30], p=[0.7, 0.3]))):
        part, s, y = _spot(canvas, rng, 1.2)
        radius = rng.uniform(0.1, 0.28)
        spot = part.blob(s, y, radius, radius)
        healed = rng.random() < 0.35
        layers.stain(
            part, rng.uniform(0.1, 0.4) * spot if healed else rng.uniform(1, 4) * spot, BROWN if healed else BLOOD
        )
        layers.lift(part, rng.uniform(-0.15, 0.0 if healed else 0.5) * _MM * spot)


def _scar(layers: Layers, canvas: Canvas, rng: np.random.Generator) -> None:
    part, s, y = _spot(canvas, rng, 3)
    angle, length = rng.uniform(0, np.pi), rng.uniform(1, 3.5)
    way = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    line = wander(rng, np.array([s, y]) - way, np.array([s, y]) + way, rng.normal(0, 0.15), 0.05)
    width = rng.uniform(0.9, 1.8)
    layers.stain(part, part.lines([(line, 1.0)], width), rng.choice([2.5, -2.0]) * BLOOD - rng.uniform(0, 0.25) * BROWN)
    layers.lift(part, furrows(part, [(line, 1.0)], rng.choice([-0.4, 0.6]) * _MM, width))


def _birthmark(layers: Layers, canvas: Canvas, rng: np.random.Generator) -> None:
    part, s, y = _spot(canvas, rng, 7)
    shape = part.blob(s, y, *rng.uniform(0.7, 3, 2)) - 0.5 + 0.15 * part.noise(rng, 6) + 0.1 * part.noise(rng, 2)
    pigment = rng.uniform(2, 5) * BLOOD if rng.random() < 0.6 else rng.uniform(0.3, 1) * BROWN
    layers.stain(part, step(shape / 0.12), pigment)


def _vitiligo(layers: Layers, canvas: Canvas, rng: np.random.Generator) -> None:
    """Patches without melanin, alike on both sides."""
    part = canvas.window(-12, 12, -16, 8)
    field = part.noise(rng, rng.uniform(8, 16))
    patches = part.fade(2) * step(
        (0.7 * (field + field[:, ::-1]) + 0.25 * part.noise(rng, 2) - rng.uniform(0.6, 1.4)) / 0.1
    )
    layers.cover(part, rng.uniform(0.6, 0.95) * patches, tone_of(rng.uniform(45, 60)))


def _tan(layers: Layers, canvas: Canvas, rng: np.random.Generator) -> None:
    """Paler where a cap or sunglasses kept the sun off."""
    part = canvas.window(-13, 13, -14, 11.4)
    if rng.random() < 0.5:
        pale = step((part.y - rng.uniform(3.2, 5)) / 0.15)
    else:
        centres = [canvas.layout(eye).mean(0) for eye in (RIGHT_EYE, LEFT_EYE)]
        pale = np.clip(sum(step((part.blob(x, y - 0.2, 2.6, 1.9) - 0.4) / 0.06) for x, y in centres), 0, 1)
    layers.stain(part, (1 - pale) * part.fade(3), rng.uniform(0.1, 0.3) * BROWN)


_RARE: dict[Callable[[Layers, Canvas, np.random.Generator], None], float] = {
    _scar: 0.05,
    _birthmark: 0.02,
    _vitiligo: 0.015,
    _tan: 0.03,
}
