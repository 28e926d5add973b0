"""Groups of skin tone by the individual typology angle, for breaking down errors."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from illures.evaluate.metrics import skin_tone_deg

# Upper ends of the ITA groups [deg] (Chardon et al. 1991; Del Bino and Bernerd 2013), dark first.
_LIMITS = ((-30.0, "dark"), (10.0, "brown"), (28.0, "tan"), (41.0, "intermediate"), (55.0, "light"))
_LIGHTEST = "very light"
TONES = (*(name for _, name in _LIMITS), _LIGHTEST)


def tone_of(albedo: Float[np.ndarray, "points 3"]) -> str:
    """ITA group of a face's linear albedo: dark, brown, tan, intermediate, light, very light."""
    angle = skin_tone_deg(albedo)
    return next((name for limit, name in _LIMITS if angle <= limit), _LIGHTEST)
