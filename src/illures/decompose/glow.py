"""Remove glows: spots of skin or hair with an albedo that no skin or hair of this person has elsewhere.

The quotient A = I / E glows where the network takes a pixel for darker lit than it is: under a chin, in gaps of hair,
at the edge of a cast shadow. There E was too small, and a bound on A gives it back.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from illures.math.color import luminance
from illures.math.quotient import LEAST_ALBEDO
from illures.types import Region

# Classes that share an albedo, the percentile of its log luminance that is usual, and how far above it [log] albedo may
# lie. Beard counts as hair; lips, eyes and teeth are left alone.
_GROUPS = (((Region.SKIN,), 90, 0.1), ((Region.HAIR, Region.FACIAL_HAIR), 90, 0.3))
_LEAST_SHARE = 0.01  # of the crop's pixels that a group needs
_KEPT = 0.2  # of the excess, in log


def without_glow(
    albedo: Float[np.ndarray, "size size 3"], regions: Float[np.ndarray, "size size classes"]
) -> Float[np.ndarray, "size size 3"]:
    """Albedo with its excess over the usual values of its class compressed; its colour stays.

    Args:
        albedo: linear, in [0, 1].
        regions: probabilities of the classes of `types.Region`.
    """
    tone = np.log(np.maximum(luminance(albedo), LEAST_ALBEDO))
    excess = np.zeros_like(tone)
    for classes, percentile, above in _GROUPS:
        share = regions[..., list(classes)].sum(axis=-1)
        sure = share > 0.5
        if sure.mean() >= _LEAST_SHARE:
            excess += share * np.maximum(tone - np.percentile(tone[sure], percentile) - above, 0)
    return np.asarray(albedo * np.exp(-(1 - _KEPT) * excess)[..., None], np.float32)
