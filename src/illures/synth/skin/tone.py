"""Tones of skin: one curve of melanin, and blood and yellow pigments beside it, in log albedo.

Light passes pigment twice, so pigments add in log albedo. Tones are drawn evenly over the individual typology angle
(ITA, Chardon et al. 1991, The colour of Caucasian skin and its dispersion), which runs from very light to dark skin.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from illures.math.color import individual_typology_angle_deg

Colour = Float[np.ndarray, "3"]

# Log albedo for even steps of melanin: CIELAB L* 76 to 21 at hue angles of 57 to 49 degrees.
_CURVE = np.log(
    [[0.653, 0.466, 0.375], [0.546, 0.343, 0.252], [0.442, 0.246, 0.162], [0.333, 0.167, 0.099]]
    + [[0.225, 0.110, 0.067], [0.143, 0.072, 0.047], [0.087, 0.047, 0.034], [0.049, 0.0285, 0.022]]
)
_FINE = np.stack([np.interp(np.linspace(0, 7, 141), np.arange(8), channel) for channel in _CURVE.T], axis=1)
LIGHTEST_DEG, DARKEST_DEG = 60.0, -60.0  # ITA

BLOOD = np.array([-0.02, -0.16, -0.14])  # haemoglobin leaves red alone
YELLOW = np.array([0.0, -0.015, -0.12])  # carotene
OLIVE = np.array([-0.045, 0.0, -0.035])
BROWN = np.array([-0.55, -0.85, -1.0])  # melanin


def random_tone(rng: np.random.Generator, melanin: float) -> Colour:
    """Log albedo of skin of a random hue; melanin in [0, 1] runs evenly over the ITA, from 60 to -60 degrees."""
    blood, yellow, olive = np.clip(rng.normal(0, [0.5, 0.6, 0.6]), -1.1, 1.1)
    return tone_of(
        LIGHTEST_DEG + melanin * (DARKEST_DEG - LIGHTEST_DEG), blood * BLOOD + yellow * YELLOW + olive * OLIVE
    )


def tone_of(ita_deg: float, pigment: Colour | float = 0.0) -> Colour:
    """Log albedo of skin of this ITA that has `pigment` besides the melanin of the curve."""
    tones = _FINE + pigment
    angles = individual_typology_angle_deg(np.minimum(np.exp(tones), 1))
    # The angle falls along the curve, and np.interp wants it to rise.
    return np.array([np.interp(ita_deg, angles[::-1], channel[::-1]) for channel in tones.T])
