"""Hair as shells: where it grows, how long and thick it is, and its strands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float

from illures.synth.accessories.shells import TEXTURE, Layout, Plane, ShellTextures, layout

FRINGE_SHARE, LONG_SHARE = 0.38, 0.4  # of people with hair
_SHORT = {"crop": 0.4, "swept": 0.25, "curly": 0.2, "bun": 0.15}  # of those whose hair is not long
_FRINGE_DEG = 48.0  # a full fringe reaches this far to either side
_SOFT = 0.5  # width of an edge [cm]
BLOCK = 4  # texels a block, on which the lift is painted
_SHADES = np.array([1.0, 1.05, 1.1], np.float32)  # how strands differ in each channel
_FINE, _CLUMP = (0.8, 16.0), (2.6, 30.0)  # grains of single strands and of locks, across and along [px]


@dataclass(frozen=True)
class Style:
    """A hair style; lengths in cm, on an average head.

    Attributes:
        kind: "crop", "swept", "curly", "bun" or "long".
        fringe: whether hair falls over the forehead.
        line: height of the hair line in the middle.
        arch: how much lower it is at 45 degrees.
        recess: how much higher it is above the temples.
        temple: azimuth where the face ends and hair begins [degree].
        end: height where hair ends at the sides.
        fringe_end: height where a fringe ends.
        volume: thickness at the crown.
        parting: azimuth of the parting [degree].
        sweep: sideways slope of the strands in front.
        ragged: how uneven the ends are.
        covered: share of ears and cheeks that long hair covers, in [0, 1].
    """

    kind: str
    fringe: bool
    line: float
    arch: float
    recess: float
    temple: float
    end: float
    fringe_end: float
    volume: float
    parting: float
    sweep: float
    ragged: float
    covered: float


def random_style(rng: np.random.Generator) -> Style:
    """Sample a common hair style."""
    long, fringe = rng.random() < LONG_SHARE, rng.random() < FRINGE_SHARE
    kind = "long" if long else str(rng.choice(list(_SHORT), p=list(_SHORT.values())))
    volume = {
        "crop": rng.uniform(0.4, 1.4),
        "swept": rng.uniform(1.2, 3.0),
        "curly": rng.uniform(1.6, 4.0),
        "bun": rng.uniform(0.4, 0.9),
        "long": rng.uniform(0.9, 2.2),
    }[kind]
    return Style(
        kind=kind,
        fringe=fringe,
        line=rng.uniform(5.2, 7.4),
        arch=rng.uniform(0.5, 4.0),
        recess=rng.uniform(0, 1.5),
        temple=rng.uniform(53, 65),
        end=rng.uniform(-20, -6) if kind == "long" else rng.uniform(-4, -0.5),
        fringe_end=rng.uniform(1.6, 4.2),
        volume=volume,
        parting=rng.choice([-1, 1]) * rng.uniform(0, 30),
        sweep=rng.normal(0, 0.5),
        ragged=rng.uniform(0.3, 1.0),
        covered=rng.uniform(0, 1),
    )


def hair_shells(
    style: Style, colour: Float[np.ndarray, "3"], rng: np.random.Generator, most: Plane | None = None
) -> tuple[ShellTextures, ...]:
    """The shells of a style from the scalp outward.

    Args:
        style: what to paint.
        colour: log albedo of the hair.
        rng: decides the strands.
        most: upper limit of the lift [m] under a hat, by block of `BLOCK` texels, or None.
    """
    places, blocks = _layout(1), _layout(BLOCK)
    grown = _grown(style, places)
    lift = _lift(style, blocks, _grown(style, blocks), rng)
    ends, flow = _is_end(style, places), _flow(style, places)
    locks = _strands(style, flow, rng, *_CLUMP)
    coarse = cv2.resize(locks, lift.shape[::-1], interpolation=cv2.INTER_AREA)
    shells = []
    for share, fill in _layers(style):
        fine = _strands(style, flow, rng, *_FINE)
        uneven = style.ragged * ends * (0.55 * locks + 0.35 * fine) + (1 - ends) * (0.12 * locks + 0.3 * fine)
        inside = np.clip((grown + uneven) / (_SOFT * (2.5 - 1.5 * ends)) + 0.5, 0, 1)
        opacity = inside * np.clip(fill + 0.35 * (fine + locks), 0, 1) if fill < 1 else inside
        shade = 0.28 * fine + 0.16 * locks - 0.35 * (1 - share)
        albedo = np.exp(colour.astype(np.float32) + shade[..., None] * _SHADES)
        raised = lift * share * (1 + 0.12 * coarse)
        shells.append(
            ShellTextures(
                albedo=np.clip(albedo, 0.003, 0.8).astype(np.float32),
                opacity=np.where(opacity < 0.04, 0, opacity).astype(np.float32),
                lift=(raised if most is None else np.minimum(raised, share * most)).astype(np.float32),
                bump=(1.5e-4 * fine + 4e-4 * locks).astype(np.float32),
                hang=0.9 if style.kind == "long" else 0.0,
                over_ears=style.kind in ("long", "curly"),
                roughness=0.32,
                specular=0.5,
            )
        )
    return tuple(shells)


_layout = cache(layout)


def _layers(style: Style) -> tuple[tuple[float, float], ...]:
    """Share of the lift, and mean opacity, from the scalp outward."""
    if style.kind == "crop":
        return (0.4, 1.0), (1.0, 0.55)
    return (0.45, 1.0), (0.75, 0.75), (1.0, 0.4)


def _line(style: Style, places: Layout) -> Plane:
    """Height of the hair line over the forehead [cm]: a little higher above the temples, then falling."""
    recess = style.recess * np.exp(-(((places.side - 32) / 12) ** 2))
    return style.line + recess - style.arch * (places.side / 45) ** 1.8


def _grown(style: Style, places: Layout) -> Plane:
    """Distance into the hair [cm], negative outside of it."""
    side, y = places.side, places.y
    scalp = np.maximum(y - _line(style, places), _arc(side - style.temple - 0.8 * np.clip(-y, 0, 8)))
    if style.kind == "long":
        opening = style.temple + 12 - 14 * style.covered + 2.0 * np.clip(-y - 4, -4, 5) * (1 - style.covered)
        # Hair behind the ear leaves it free from the temple down.
        ends = _arc(side - np.maximum(opening, style.temple)) + 4 * np.clip(y - 1.5, 0, 3)
        ends = np.minimum(ends, y - style.end)
        scalp = np.maximum(y - _line(style, places), _arc(side - style.temple))
    else:
        ends = y - _lower_end(style, side)
    grown = np.minimum(scalp, ends)
    if style.fringe:
        grown = np.maximum(grown, _fringe(style, places))
    return grown.astype(np.float32)


def _is_end(style: Style, places: Layout) -> Plane:
    """1 where hair has its ends, 0 along the hair line, where its roots are."""
    root = np.clip((places.y - 3.8) / 0.6, 0, 1) * np.clip((62 - places.side) / 4, 0, 1)
    if style.fringe:
        root = root * np.clip((places.side - _FRINGE_DEG) / 4, 0, 1)
    return (1 - root).astype(np.float32)


def _lower_end(style: Style, side: Plane) -> Plane:
    """Height at which hair ends that is not long [cm]: sideburn, over the ear, nape."""
    over = -3.5 if style.kind == "curly" and style.covered > 0.5 else 2.2
    return np.interp(side, [50, 66, 73, 78, 100, 112, 180], [style.end, style.end, style.end, over, over, -5.5, -7.5])


def _fringe(style: Style, places: Layout) -> Plane:
    """Distance into the fringe [cm]: from the hair line to its ends, slanted away from the parting."""
    slant = -0.025 * np.sign(style.parting) * places.azimuth * min(1.0, abs(style.parting) / 15)
    end = style.fringe_end + slant + 0.0006 * places.side**2
    return np.minimum(places.y - end, _arc(_FRINGE_DEG + 8 - places.side))


def _lift(style: Style, places: Layout, grown: Plane, rng: np.random.Generator) -> Plane:
    """Thickness [m]: none at the roots along the hair line, full at the crown, uneven."""
    root = np.maximum(places.y - _line(style, places), _arc(places.side - style.temple))
    rise = np.clip(0.12 + root / 2.5, 0.12, 1) ** 0.7
    lower = np.where(places.y < 2, {"long": 0.6, "curly": 0.8}.get(style.kind, 0.35), 1.0)
    lower = cv2.GaussianBlur(lower.astype(np.float32), (0, 0), 12 / BLOCK)
    thick = style.volume * rise * lower
    thick *= 1 - 0.4 * np.exp(-(((places.azimuth - style.parting) / 7) ** 2)) * (places.y > 5)
    if style.fringe:
        over = np.clip(_fringe(style, places) + 0.6, 0, 1) * np.clip(1 - root / 2, 0, 1)
        thick = np.maximum(thick, over * min(1.0, 0.35 + 0.3 * style.volume))
    grain = (22 if style.kind == "curly" else 40) / BLOCK
    lumps = _noise(rng, grain, grain, places.y.shape)
    tips = np.clip(0.5 + grown / 1.2, 0.35, 1)  # ends lie closer to the head
    if style.kind == "long":
        lumps = lumps + 1.5 * _noise(rng, 60 / BLOCK, 9 / BLOCK, places.y.shape) * (places.y < 0)  # waves
    return 0.01 * np.maximum(thick * tips * np.clip(1 + 0.2 * lumps, 0.4, 1.8), 0.12)


def _flow(style: Style, places: Layout) -> tuple[Plane, Plane]:
    """Columns and rows from which `_strands` takes its noise, so that strands run as they are combed."""
    rows, columns = np.indices(TEXTURE, np.float32)
    # Strands fall away from the parting and run sideways in front of it.
    away = np.tanh((places.azimuth - style.parting) / 25) * np.exp(-((places.azimuth / 70) ** 2))
    shift = (style.sweep + 0.7 * away) * np.clip(places.y - 1, 0, 7) * 7
    wave = 3.0 * np.sin(rows / 14 + places.azimuth / 9) * (style.kind == "long")
    return (columns + shift + wave).astype(np.float32), rows


def _strands(style: Style, flow: tuple[Plane, Plane], rng: np.random.Generator, across: float, along: float) -> Plane:
    """Noise of variance 1 stretched along the strands."""
    if style.kind == "curly":
        return _noise(rng, 1.6 * across, 2.2 * across, TEXTURE)
    return cv2.remap(_noise(rng, across, along, TEXTURE), *flow, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)


def _noise(rng: np.random.Generator, across: float, along: float, shape: tuple[int, int]) -> Plane:
    """Smooth noise of variance 1 with grains of this size [px], periodic round the head."""
    # Wide grains are made small and stretched.
    steps = max(1, int(along / 2)), max(1, int(across / 2))
    small = shape[0] // steps[0] + 1, shape[1] // steps[1] + 1
    white = rng.standard_normal(small, dtype=np.float32)
    pad = min(small[1], int(4 * across / steps[1]) + 1)
    wide = np.concatenate([white[:, -pad:], white, white[:, :pad]], 1)
    plane = cv2.GaussianBlur(wide, (0, 0), sigmaX=across / steps[1], sigmaY=along / steps[0])[:, pad:-pad]
    return cv2.resize(plane / plane.std(), shape[::-1], interpolation=cv2.INTER_LINEAR)


def _arc(degrees: Plane) -> Plane:
    """Arc [cm] of an azimuth on the head."""
    return 9.0 * np.deg2rad(degrees)
