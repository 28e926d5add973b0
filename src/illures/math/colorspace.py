"""Linear RGB of other primaries: what EXR files may hold besides linear sRGB.

A space is its chromaticities (CIE 1931 x, y of red, green, blue and white), as the EXR attribute of that name has them.
White stays white: between whites the Bradford transform adapts (Lam 1985; as OpenColorIO's ACES configurations do).
"""

from __future__ import annotations

from functools import cache
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

ColorSpaceName = Literal["srgb-linear", "acescg"]
NAMES: tuple[ColorSpaceName, ...] = get_args(ColorSpaceName)
CHROMATICITIES: dict[ColorSpaceName, tuple[float, ...]] = {
    "srgb-linear": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),  # IEC 61966-2-1, D65
    "acescg": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767),  # S-2014-004: AP1, about D60
}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@cache
def from_linear_srgb(name: ColorSpaceName) -> Float[np.ndarray, "3 3"]:
    """Matrix M such that M @ rgb takes linear sRGB to a space; rows sum to 1."""
    source, target = (_to_xyz(CHROMATICITIES[n]) for n in ("srgb-linear", name))
    ones = np.ones(3)
    adapt = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ target @ ones) / (_BRADFORD @ source @ ones)) @ _BRADFORD
    return np.asarray(np.linalg.inv(target) @ adapt @ source)


def _to_xyz(chromaticities: tuple[float, ...]) -> Float[np.ndarray, "3 3"]:
    """RGB to XYZ with Y of white 1 (SMPTE RP 177)."""
    x, y = np.array(chromaticities[0::2]), np.array(chromaticities[1::2])
    xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    return np.asarray(xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3]))
