"""Necklaces: chains and beads that lie round the neck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from illures.synth.accessories.primitives import ball, joined, occluder, tube
from illures.types import Part

# Linear albedo: gold, silver, black cord, pearl, coral, jade.
_COLOURS = np.array(
    [[0.55, 0.36, 0.1], [0.5, 0.5, 0.5], [0.02, 0.02, 0.02], [0.75, 0.7, 0.62], [0.5, 0.08, 0.05], [0.08, 0.3, 0.12]]
)
_STEPS = 72  # points round the neck
_NAPE, _BEHIND = -0.105, -0.06  # height and depth at which the neck is measured [m from the eyes]
_NEAR = (0.16, 0.012)  # skin this near in azimuth [radian] and height [m] carries a point
_FAR = 1.35  # farthest from the axis, over half the neck's width
_LEAST = 0.6  # of the points that must lie on skin


@dataclass(frozen=True)
class Necklace:
    """One necklace.

    Attributes:
        back: its height at the nape [m above the eyes, negative].
        drop: how much lower it lies in front [m].
        radius: of chain or beads [m].
        beads: whether it is of beads.
        colour: albedo.
        specular: weight of its highlights.
    """

    back: float
    drop: float
    radius: float
    beads: bool
    colour: Float[np.ndarray, "3"]
    specular: float

    def parts(self, skin: Part) -> tuple[Part, ...]:
        """The part "necklace" on a posed head (head coordinates, m); none where the neck ends above it."""
        path = _path(skin.vertices.astype(np.float64), self.back, self.drop)
        if path is None:
            return ()
        if self.beads:
            length = np.linalg.norm(np.diff(path, axis=0, append=path[:1]), axis=1)
            at = np.arange(0, length.sum(), 2.1 * self.radius)
            along = np.concatenate([[0], length.cumsum()])
            closed = np.concatenate([path, path[:1]])
            centres = np.stack([np.interp(at, along, closed[:, k]) for k in range(3)], axis=1)
            shape = joined([ball(centre, self.radius, rows=5) for centre in centres])
        else:
            shape = tube(path, self.radius, closed=True, sides=6)
        return (occluder("necklace", shape, self.colour, 0.2, self.specular),)


def random_necklace(rng: np.random.Generator) -> Necklace:
    """A thin chain, a cord, or beads."""
    beads = bool(rng.random() < 0.45)
    return Necklace(
        back=float(rng.uniform(-0.125, -0.105)),
        drop=float(rng.uniform(0.01, 0.05)),
        radius=float(rng.uniform(0.003, 0.007) if beads else rng.uniform(0.0008, 0.003)),
        beads=beads,
        colour=_COLOURS[rng.integers(len(_COLOURS))] * rng.uniform(0.7, 1.2),
        specular=float(rng.uniform(0.3, 1.0)),
    )


def _path(points: Float[np.ndarray, "vertices 3"], back: float, drop: float) -> Float[np.ndarray, "steps 3"] | None:
    """Points on the skin round the neck; None if most of them would hang in the air.

    At the shoulders, where the skin is far from the neck, they lie below it.
    """
    nape = points[(np.abs(points[:, 1] - _NAPE) < 0.015) & (points[:, 2] < _BEHIND)]
    if not len(nape):
        return None
    width = np.ptp(nape[:, 0]) / 2
    horizontal = points[:, [0, 2]] - np.array([0.0, nape[:, 2].min() + width])
    azimuth, distance = np.arctan2(horizontal[:, 0], horizontal[:, 1]), np.hypot(*horizontal.T)
    turns = 2 * np.pi * np.arange(_STEPS) / _STEPS - np.pi
    height = back - drop * (1 + np.cos(turns)) / 2  # lowest in front, where the azimuth is 0
    found = np.full(_STEPS, np.nan)
    for k, (turn, y) in enumerate(zip(turns, height, strict=True)):
        apart = np.abs((azimuth - turn + np.pi) % (2 * np.pi) - np.pi)
        near = (apart < _NEAR[0]) & (np.abs(points[:, 1] - y) < _NEAR[1])
        if near.any():
            found[k] = distance[near].max()
    known = np.isfinite(found)
    if known.mean() < _LEAST:
        return None
    found = np.minimum(np.interp(turns, turns[known], found[known], period=2 * np.pi), _FAR * width)
    out = np.maximum(found, sum(np.roll(found, shift) for shift in (-2, -1, 0, 1, 2)) / 5)
    axis_z = float(nape[:, 2].min() + width)
    return np.stack([out * np.sin(turns), height, axis_z + out * np.cos(turns)], axis=1)
