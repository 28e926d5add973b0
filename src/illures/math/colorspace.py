"""Linear RGB with other primaries: colour spaces for EXR files besides linear sRGB.

A space is defined by its chromaticities (CIE 1931 x, y of red, green, blue and white), as in the EXR attribute of that
name. White points are adapted by the Bradford transform (Lam 1985), as in OpenColorIO's ACES configurations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from jaxtyping import Float

ColorSpaceName = Literal["srgb-linear", "acescg"]
CHROMATICITIES: dict[ColorSpaceName, tuple[float, ...]] = {
    "srgb-linear": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),  # IEC 61966-2-1, D65
    "acescg": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767),  # S-2014-004: AP1, about D60
}


@dataclass(frozen=True)
class Primaries:
    """Primaries of input pictures: a name, and chromaticities as above."""

    name: str
    chromaticities: tuple[float, ...]


# Gamuts wider than sRGB, by their numbers in ITU-T H.273. BT.709 (1) has the primaries of sRGB, BT.601 (5, 6) nearly.
PRIMARIES: dict[int, Primaries] = {
    9: Primaries("BT.2020", (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)),
    11: Primaries("DCI-P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351)),
    12: Primaries("Display P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)),
}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@cache
def from_linear_srgb(name: ColorSpaceName) -> Float[np.ndarray, "3 3"]:
    """Matrix M such that M @ rgb takes linear sRGB to a space; rows sum to 1."""
    return _between(CHROMATICITIES["srgb-linear"], CHROMATICITIES[name])


@cache
def to_linear_srgb(primaries: int) -> Float[np.ndarray, "3 3"]:
    """Matrix M such that M @ rgb takes linear light of numbered primaries (see `PRIMARIES`) to linear sRGB."""
    if primaries not in PRIMARIES:
        return np.eye(3)
    return _between(PRIMARIES[primaries].chromaticities, CHROMATICITIES["srgb-linear"])


def _between(before: tuple[float, ...], after: tuple[float, ...]) -> Float[np.ndarray, "3 3"]:
    source, target = _to_xyz(before), _to_xyz(after)
    ones = np.ones(3)
    adapt = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ target @ ones) / (_BRADFORD @ source @ ones)) @ _BRADFORD
    return np.asarray(np.linalg.inv(target) @ adapt @ source)


def _to_xyz(chromaticities: tuple[float, ...]) -> Float[np.ndarray, "3 3"]:
    """RGB to XYZ with Y of white 1 (SMPTE RP 177)."""
    x, y = np.array(chromaticities[0::2]), np.array(chromaticities[1::2])
    xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    return np.asarray(xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3]))
