"""Lips and make-up: colours of the mouth, of lids and of cheeks, laid over skin."""

from __future__ import annotations

import numpy as np

from illures.synth.skin.details import step
from illures.synth.skin.displacement import LEFT_BROW, LEFT_EYE, LIPS, RIGHT_BROW, RIGHT_EYE, SEAM
from illures.synth.skin.tone import BLOOD, BROWN, Colour
from illures.synth.skin.uv_painting import Canvas, Layers, Points, per_channel
from illures.types import Region

# Log albedo of pigments as worn.
_LIPSTICKS = np.log(
    [[0.32, 0.015, 0.025], [0.42, 0.05, 0.05], [0.2, 0.012, 0.03], [0.09, 0.008, 0.015], [0.45, 0.12, 0.17]]
    + [[0.5, 0.08, 0.2], [0.42, 0.2, 0.15], [0.28, 0.11, 0.08], [0.16, 0.05, 0.04], [0.16, 0.03, 0.16]]
    + [[0.5, 0.13, 0.07], [0.03, 0.012, 0.014]]
)
_SHADOWS = np.log(
    [[0.05, 0.035, 0.03], [0.12, 0.07, 0.045], [0.03, 0.03, 0.035], [0.07, 0.12, 0.25], [0.06, 0.18, 0.13]]
    + [[0.2, 0.09, 0.22], [0.4, 0.2, 0.2], [0.5, 0.36, 0.18], [0.6, 0.5, 0.45], [0.25, 0.1, 0.06]]
)
_BLUSHES = np.array([[-0.03, -0.4, -0.26], [-0.03, -0.3, -0.3], [-0.1, -0.45, -0.35], [-0.25, -0.4, -0.5]])


def paint_lips(layers: Layers, canvas: Canvas, skin: Colour, melanin: float, rng: np.random.Generator) -> None:
    """Bare lips: thin skin over blood; on dark skin browner, the lower lip often pinker than the upper one."""
    mouth = canvas.layout(LIPS)
    part = canvas.window(mouth[:, 0].min() - 1, mouth[:, 0].max() + 1, mouth[:, 1].min() - 1, mouth[:, 1].max() + 1)
    red, seam = part.fill(LIPS, 1.3), canvas.layout(SEAM)
    paleness = melanin * rng.uniform(-0.25, 0.7)  # lips hold less melanin than dark skin, or more
    colour = skin + rng.uniform(1.7, 4.6) * BLOOD - 0.9 * paleness * BROWN + rng.normal(0, 0.05, 3)
    lower = step((np.interp(part.s[0], *seam.T) - part.y) / 0.1)
    difference = melanin * rng.uniform(0, 0.6) + rng.uniform(-0.05, 0.15)
    shade = 0.07 * part.noise(rng, 0.9, 3) + 0.05 * part.noise(rng, 4)
    tint = per_channel(colour, shade + difference * (lower - 0.6))
    layers.cover(part, rng.uniform(0.75, 1.0) * red, tint)
    layers.mark(part, red > 0.5, Region.LIPS)
    groove = part.lines([(seam, 1.0)], 1.0)
    layers.stain(part, groove * rng.uniform(0.3, 0.8), np.array([-0.8, -1.1, -1.0]))


def make_up(layers: Layers, canvas: Canvas, rng: np.random.Generator) -> None:
    """Lipstick, blush, eye shadow and liner; each may be left out."""
    heavy = rng.uniform(0.3, 1)
    if rng.random() < 0.75:
        _lipstick(layers, canvas, rng, heavy)
    if rng.random() < 0.6:
        _blush(layers, canvas, rng, heavy)
    shadow, liner = rng.random(2) < [0.55, 0.6]
    colours = _SHADOWS[rng.choice(len(_SHADOWS), 2, p=[0.22, 0.24, 0.1, 0.06, 0.04, 0.07, 0.08, 0.07, 0.06, 0.06])]
    width, wing = rng.uniform(0.8, 1.6), rng.uniform(0, 0.7)
    for eye, brow in ((RIGHT_EYE, RIGHT_BROW), (LEFT_EYE, LEFT_BROW)):
        points, above = canvas.layout(eye), canvas.layout(brow)
        part = canvas.window(*_around(points, 2.2, 2.6))
        if shadow:
            _shadow(layers, part, (points, above), colours, heavy)
        if liner:
            _liner(layers, part, points, heavy, width, wing)


def lay_foundation(layers: Layers, skin: Colour, rng: np.random.Generator) -> None:
    """Bring all skin nearer to an even tone."""
    cover = np.float32(rng.uniform(0.2, 0.65))
    layers.log[:] += cover * (skin.astype(np.float32)[:, None, None] - layers.log)


def _around(points: Points, aside: float, above: float) -> tuple[float, float, float, float]:
    low, high = points.min(0), points.max(0)
    return low[0] - aside, high[0] + aside, low[1] - above, high[1] + above


def _lipstick(layers: Layers, canvas: Canvas, rng: np.random.Generator, heavy: float) -> None:
    mouth = canvas.layout(LIPS)
    part = canvas.window(*_around(mouth, 1, 1))
    colour = _LIPSTICKS[rng.integers(len(_LIPSTICKS))] + rng.normal(0, 0.12) + rng.normal(0, 0.06, 3)
    red = part.fill(LIPS, rng.uniform(0.7, 1.2))
    ink = per_channel(colour, 0.05 * part.noise(rng, 0.9, 3))
    layers.cover(part, red * (rng.uniform(0.35, 1) ** 0.6 * (0.5 + 0.5 * heavy)), ink)
    layers.stain(part, 0.4 * part.lines([(canvas.layout(SEAM), 1.0)], 1.0), np.full(3, -1.0))


def _blush(layers: Layers, canvas: Canvas, rng: np.random.Generator, heavy: float) -> None:
    """On the cheek bones, rising outward; sometimes with a darker hollow below."""
    face = canvas.window(-10, 10, -9, 2)
    side = np.abs(face.s)
    centre, lean, reach = rng.uniform(4.0, 5.8), rng.uniform(0, 0.5), rng.uniform(1.2, 2.2)
    across = face.y + rng.uniform(2.8, 4.0) - lean * (side - centre)
    patch = np.exp(-(((side - centre) / reach) ** 2) - (across / (0.65 * reach)) ** 2)
    layers.stain(face, 1.3 * heavy * rng.uniform(0.3, 1) * patch, _BLUSHES[rng.integers(len(_BLUSHES))])
    if rng.random() < 0.3:
        hollow = np.exp(-(((side - centre - 0.5) / 2) ** 2) - ((across + 1.9) / 0.8) ** 2)
        layers.stain(face, rng.uniform(0.1, 0.3) * hollow, BROWN)


def _shadow(layers: Layers, part: Canvas, lines: tuple[Points, Points], colours: np.ndarray, heavy: float) -> None:
    """Dense on the upper lid, fading toward the brow."""
    eye, brow = lines
    order = np.argsort(eye[:4, 0])
    lid = np.interp(part.s[0], eye[order, 0], eye[order, 1])
    top = np.interp(part.s[0], *(brow[np.argsort(brow[:, 0])].T))
    height = (part.y - lid) / np.maximum(top - lid, 0.6)
    sides = step((part.s[0] - eye[:, 0].min() + 0.25) / 0.25) * step((eye[:, 0].max() + 0.25 - part.s[0]) / 0.25)
    lower, upper = step((height + 0.12) / 0.08) * step((0.42 - height) / 0.14), step((0.75 - height) / 0.2)
    layers.cover(part, 0.45 * heavy * sides * upper * step((height - 0.3) / 0.15), colours[1])
    layers.cover(part, (0.2 + 0.65 * heavy) * sides * lower, colours[0])


def _liner(layers: Layers, part: Canvas, eye: Points, heavy: float, width: float, wing: float) -> None:
    side = np.sign(eye[0, 0])
    tip = eye[0] + [side * wing, 0.45 * wing]
    upper, lower = np.stack([tip, *eye[:4]]), eye[[0, 5, 4, 3]]
    ink = part.lines([(upper, 1.0)], width) + heavy * 0.6 * part.lines([(lower, 1.0)], 0.9)
    layers.cover(part, 0.9 * ink, np.log([0.015, 0.012, 0.012]))
