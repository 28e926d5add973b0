"""Lamps (distant lights), and their detection: bright spots of an environment map, the main direction of an SH light.

Convention: directions in the camera frame (x right, y up, z toward the viewer).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from jaxtyping import Float

from illures.math import sh
from illures.math.color import luminance

# Texels this many times brighter than the mean over the sphere are candidates for lamps.
_OVER_MEAN = 4.0
_MOST_LAMPS = 3
# Texels within this angle of the brightest one go to the same lamp.
_REACH_DEG = 22.0
# Least share of the total energy of a lamp.
_LEAST_SHARE = 0.03
# |L_1| / (sqrt(3) L_0) is 0 for even light and 1 for a point light. Up to the first value an SH light has no lamp, from
# the second on it is one lamp.
_DIRECTED = (0.25, 0.6)
_SH_RADIUS_DEG = 20.0


@dataclass(frozen=True)
class Lamp:
    """One lamp, far away.

    Attributes:
        direction: unit vector toward the lamp, camera frame.
        irradiance: linear RGB of a white matte surface that faces the lamp (irradiance / pi).
        radius_deg: angular radius of the disc: how soft its shadows are.
    """

    direction: Float[np.ndarray, "3"]
    irradiance: Float[np.ndarray, "3"]
    radius_deg: float = 6.0

    @property
    def sh(self) -> Float[np.ndarray, "9 3"]:
        """SH coefficients of the disc's radiance: those of a point light, attenuated per degree."""
        cos = np.cos(np.deg2rad(min(self.radius_deg, 90.0)))
        kept = np.repeat([1.0, (1 + cos) / 2, cos * (1 + cos) / 2], [1, 3, 5])
        return pi * (kept * sh.basis(self.direction))[:, None] * self.irradiance


def find_lamps(radiance: Float[np.ndarray, "height width 3"]) -> tuple[Lamp, ...]:
    """Bright spots of a latitude-longitude map, strongest first, at most three."""
    height, width = radiance.shape[:2]
    toward = sh.directions(height, width)
    solid_angle = np.broadcast_to(sh.solid_angle(height, width), (height, width))
    bright = luminance(radiance.astype(np.float64))
    mean = float((bright * solid_angle).sum() / (4 * pi))
    excess = np.clip(1 - _OVER_MEAN * mean / np.maximum(bright, 1e-12), 0, None)
    energy = bright * excess * solid_angle
    lamps = []
    for _ in range(_MOST_LAMPS):
        peak = toward.reshape(-1, 3)[np.argmax(energy)]
        near = (toward @ peak > np.cos(np.deg2rad(_REACH_DEG))) & (energy > 0)
        if energy[near].sum() < _LEAST_SHARE * 4 * pi * mean:
            break
        lamps.append(_gathered(toward[near], radiance[near] * excess[near, None], solid_angle[near]))
        energy = np.where(near, 0.0, energy)
    return tuple(lamps)


def dominant_lamp(light: Float[np.ndarray, "9 3"]) -> tuple[Lamp, ...]:
    """A soft lamp for the directional part of an SH light; none if the light is too even.

    A point of irradiance pi E has L_0 = E sqrt(pi) / 2 and |L_1| = E sqrt(3 pi) / 2.
    """
    bands = luminance(np.asarray(light, np.float64))
    axis = bands[[3, 1, 2]]
    length = float(np.linalg.norm(axis))
    directed = length / max(sqrt(3) * float(bands[0]), 1e-9)
    low, high = _DIRECTED
    share = float(np.clip((directed - low) / (high - low), 0, 1))
    if share <= 0:
        return ()
    unit = axis / length
    colour = np.clip(unit @ np.asarray(light, np.float64)[[3, 1, 2]], 0, None)
    return (Lamp(unit, share * colour * 2 / sqrt(3 * pi), _SH_RADIUS_DEG),)


def _gathered(
    toward: Float[np.ndarray, "texels 3"],
    radiance: Float[np.ndarray, "texels 3"],
    solid_angle: Float[np.ndarray, " texels"],
) -> Lamp:
    """Merge texels into one lamp with their energy and mean direction."""
    flux = radiance * solid_angle[:, None]
    weight = luminance(flux)
    mean = (toward * weight[:, None]).sum(axis=0) / weight.sum()
    length = float(np.linalg.norm(mean))
    # A disc of radius r has a mean direction of length (1 + cos r) / 2.
    radius = np.rad2deg(np.arccos(np.clip(2 * length - 1, -1, 1)))
    return Lamp(mean / length, flux.sum(axis=0) / pi, float(np.clip(radius, 0.3, 45)))
