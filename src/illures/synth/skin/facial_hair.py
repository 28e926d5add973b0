"""Facial hair painted on skin: brows, beards from a shadow to a full one, and the scalp."""

from __future__ import annotations

import cv2
import numpy as np

from illures.synth.skin.details import step
from illures.synth.skin.displacement import LEFT_BROW, LIPS, RIGHT_BROW
from illures.synth.skin.tone import Colour
from illures.synth.skin.uv_painting import Canvas, Layers, Plane, Points, per_channel
from illures.types import Region

_MM = 1e-3
_HAIRY = 0.15  # mean coverage from which skin counts as brow
_FINER = 4  # single hairs are drawn at this many times the resolution
_BEARDS = {"shadow": 0.3, "stubble": 0.28, "full": 0.18, "moustache": 0.08, "goatee": 0.1, "circle": 0.06}


def paint_brows(layers: Layers, canvas: Canvas, hair: Colour, male: bool, rng: np.random.Generator) -> None:
    """Brows of single hairs: upright at the inner end, lying along the brow at the outer one."""
    count = round(float(rng.uniform(90, 330)) * (1.2 if male else 0.9))
    thick = rng.uniform(0.25, 0.5) if not male else rng.uniform(0.35, 0.75)
    arch, tail, shape = rng.uniform(-0.35, 0.15), rng.uniform(0.75, 1.08), rng.uniform(0.25, 0.7)
    fill = rng.uniform(0, 0.45)  # of the skin below, by fine hairs or a pencil
    for ids in (RIGHT_BROW, LEFT_BROW):
        brow = canvas.layout(ids)[::-1]  # from the inner end
        part = canvas.window(brow[:, 0].min() - 1, brow[:, 0].max() + 1, brow[:, 1].min() - 1.2, brow[:, 1].max() + 1.2)
        t = np.linspace(0, 1, 5)[:, None]
        line = brow + [0, 1] * (arch * np.exp(-(((t - 0.65) / 0.25) ** 2)) - 0.1)
        line = line[0] + (line - line[0]) * tail
        hairs = _brow_hairs(part, line, thick, shape, count, rng)
        under = fill * np.clip(cv2.GaussianBlur(hairs, (0, 0), 1.5) * 2.5, 0, 1)
        layers.cover(part, np.maximum(hairs, under), hair)
        layers.mark(part, cv2.GaussianBlur(hairs, (0, 0), 1.5) > _HAIRY, Region.FACIAL_HAIR)
        layers.lift(part, 0.35 * _MM * cv2.GaussianBlur(hairs, (0, 0), 0.7))


def _brow_hairs(part: Canvas, line: Points, thick: float, shape: float, count: int, rng: np.random.Generator) -> Plane:
    """Coverage by hairs rooted about a line from the inner to the outer end, `thick` [cm] wide at most."""
    t, across = rng.uniform(0, 1, count) ** 0.9, np.clip(rng.normal(0, 0.5, count), -1.1, 1.1)
    half = 0.5 * thick * np.interp(t, [0, 0.15, shape, 1], [0.65, 0.95, 1, 0.2])
    middle = np.stack([np.interp(t, np.linspace(0, 1, len(line)), axis) for axis in line.T], 1)
    along = np.sign(line[-1, 0] - line[0, 0])
    root = middle + np.stack([np.zeros(count), across * half], 1)
    # Hairs of the upper edge lie flat or point down, those of the lower edge point up.
    angle = (
        np.deg2rad(np.interp(t, [0, 0.3, 1], [70, 35, -12])) - 0.35 * across * (t > 0.25) + rng.normal(0, 0.18, count)
    )
    length = rng.uniform(0.45, 0.9, count) * np.interp(t, [0, 0.2, 1], [0.7, 1, 0.75])
    tip = root + (length * np.stack([along * np.cos(angle), np.sin(angle)])).T
    ends = (np.stack([part.pixels(root), part.pixels(tip)], 1) + 0.5) * _FINER - 0.5
    rows, columns = part.s.shape
    fine = np.zeros((rows * _FINER, columns * _FINER), np.uint8)
    cv2.polylines(fine, list(np.round(ends * 16).astype(np.int32)), False, 255, 1, cv2.LINE_AA, 4)
    return cv2.resize(fine, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def paint_beard(layers: Layers, canvas: Canvas, hair: Colour, rng: np.random.Generator) -> None:
    """A shadow, stubble, a full beard, a moustache, a goatee, or both round the mouth."""
    kind = str(rng.choice(list(_BEARDS), p=list(_BEARDS.values())))
    part = canvas.window(-12, 12, -18, -1)
    area = _growth(part, kind, rng)
    coarse = kind not in ("shadow", "stubble")
    density = {"shadow": rng.uniform(0.1, 0.35), "stubble": rng.uniform(0.3, 0.65)}.get(kind, rng.uniform(0.7, 1))
    strands = _strands(part, rng, 3.0 if coarse else 0.8)
    patchy = 1 + rng.uniform(0.05, 0.35) * part.noise(rng, 6)
    weight = np.clip(area * density * patchy, 0, 1)
    grey = rng.uniform(0, 1.0) * (rng.random() < 0.2) * (0.4 + 0.6 * part.blob(0, -10.5, 2, 2.5))
    ash = np.log([0.3, 0.27, 0.24])
    colour = per_channel(hair, np.zeros_like(weight)) + np.maximum(ash - hair, 0)[:, None, None] * grey
    if coarse:
        layers.cover(part, weight * np.clip(1 + 0.12 * strands, 0, 1), colour + 0.22 * strands)
        layers.mark(part, weight > 0.5, Region.FACIAL_HAIR)
        layers.lift(part, weight * (rng.uniform(0.3, 2.5) + rng.uniform(0.06, 0.2) * strands) * _MM)
    else:
        layers.cover(part, weight * np.clip(0.8 + 0.16 * strands, 0, 1), colour)
        layers.lift(part, 0.05 * _MM * weight * strands)
        # Roots below the skin scatter bluish grey.
        layers.stain(part, density * area * rng.uniform(0, 0.35), np.array([-1.0, -0.75, -0.6]))


def _growth(part: Canvas, kind: str, rng: np.random.Generator) -> Plane:
    """Coverage by a kind of beard, in [0, 1]."""
    uneven = 0.2 * part.noise(rng, 4)
    moustache = _moustache(part, uneven, rng)
    if kind == "moustache":
        grown = moustache
    elif kind == "goatee":
        grown = np.maximum(_chin(part, uneven, rng), moustache * (rng.random() < 0.5))
    elif kind == "circle":
        grown = np.maximum(_chin(part, uneven, rng, ring=True), moustache)
    else:
        grown = np.maximum(_cheeks(part, uneven, rng), moustache * rng.uniform(0.6, 1))
    return grown * (1 - part.fill(LIPS, 1.2)) * part.fade(1)


def _moustache(part: Canvas, uneven: Plane, rng: np.random.Generator) -> Plane:
    """Between nose and lip, down to or past the corners of the mouth, thin below the septum."""
    corner, lip, nose = part.layout([54, 51, 33])
    half, side, droop = corner[0] + rng.uniform(0, 0.5), np.abs(part.s[:1]), rng.uniform(0, 0.9)
    upper = np.interp(
        side, [0, 1.2, half, half + 0.8], [nose[1] - 0.2, nose[1] - 0.4, corner[1] + 0.4, corner[1] - 0.5]
    )
    lower = np.interp(side, [0, half, half + 0.8], [lip[1] - 0.5, corner[1] - droop, corner[1] - 0.6 - 1.3 * droop])
    band = step((upper - part.y + 0.5 * uneven) / 0.18) * step((part.y - lower) / 0.2)
    return band * step((half + 0.3 - side + uneven) / 0.25) * (1 - rng.uniform(0, 0.6) * np.exp(-((side / 0.35) ** 2)))


def _chin(part: Canvas, uneven: Plane, rng: np.random.Generator, ring: bool = False) -> Plane:
    """A round patch on the chin with a tuft below the lip; as a ring it goes up past the corners of the mouth."""
    corner, lip, chin = part.layout([54, 57, 8])
    top, low = (corner[1] + 0.6 if ring else lip[1] - 0.5), chin[1] - rng.uniform(0, 1.5)
    half = corner[0] + rng.uniform(0.5, 1.0) if ring else corner[0] * rng.uniform(0.5, 1.0)
    x, y = part.s / half, (part.y - (top + low) / 2) / ((top - low) / 2)
    patch = step((1 - (np.abs(x) ** 2.6 + np.abs(y) ** 2.6) + uneven) / 0.3)
    tuft = step((rng.uniform(0.25, 0.6) - np.abs(part.s)) / 0.15) * step((lip[1] - 0.15 - part.y) / 0.1)
    return np.maximum(patch, rng.uniform(0, 1) * tuft * (part.y > (top + low) / 2))


def _cheeks(part: Canvas, uneven: Plane, rng: np.random.Generator) -> Plane:
    """From the sideburns down and forward to the mouth, round the chin, and some way down the neck."""
    corner, lip, chin, ear = part.layout([54, 57, 8, 16])
    side, half = np.abs(part.s[:1]), corner[0]
    high = corner[1] + rng.uniform(-1.2, 0.6)
    turns = [0, half + 0.5, ear[0] - 2.6, ear[0] - 1.7, ear[0] - 1.0]
    line = np.interp(side, turns, [lip[1] - 0.1, high, high + 1.4, high + 3, ear[1] + 0.8])
    cheek = step((line - part.y + uneven) / rng.uniform(0.25, 0.8)) * step((ear[0] + 0.9 - side) / 0.5)
    neck = part.jaw() - rng.uniform(-0.2, 1.3) - 0.4 * np.exp(-((side / 4) ** 2))
    bare = part.blob(half - 0.2, lip[1] - 0.5, 0.5, 0.8) + part.blob(0.2 - half, lip[1] - 0.5, 0.5, 0.8)
    return cheek * step((part.y - neck + 2 * uneven) / 0.6) * (1 - rng.uniform(0, 0.7) * np.clip(bare, 0, 1))


def _strands(part: Canvas, rng: np.random.Generator, length: float) -> Plane:
    """Noise stretched along the growth: down, and outward beside the mouth; variance near 1."""
    noise = part.noise(rng, 0.75, length)
    height, width = part.s.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    slope = np.clip(part.s / 3, -0.7, 0.7)
    source = columns - slope * (rows - height / 2)
    return np.asarray(cv2.remap(noise, source, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.float32)


def paint_scalp(layers: Layers, canvas: Canvas, hair: Colour, male: bool, rng: np.random.Generator) -> None:
    """Cropped hair above the hair line and behind the temples, round the ears; dense or shaven."""
    top = canvas.window(-28, 28, -9, 11.4)
    line = rng.uniform(4.8, 6.9) - 0.012 * rng.uniform(0.2, 1) * top.s**2 + 0.3 * top.noise(rng, 8)
    if male:  # the line recedes above the temples
        line = line + rng.uniform(0, 1.8) * np.exp(-(((np.abs(top.s) - 4.2) / 1.6) ** 2))
    above = step((top.y - line) * rng.uniform(1.5, 5))
    temple, sideburn = rng.uniform(9.0, 11.0), rng.uniform(-4.0, 0.4)
    behind = step((np.abs(top.s) - temple) * 2) * step((top.y - sideburn) * 2)
    weight = rng.choice([rng.uniform(0.3, 0.7), rng.uniform(0.8, 1)], p=[0.2, 0.8]) * np.maximum(above, behind)
    layers.mark(top, weight > 0.5, Region.HAIR)
    streaks = top.noise(rng, 0.8, 3)
    layers.cover(top, weight * np.clip(1 + 0.15 * streaks, 0, 1), per_channel(hair, 0.2 * streaks))
    layers.lift(top, 0.12 * _MM * weight * streaks)
