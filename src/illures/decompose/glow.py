"""Remove glows and tinges: spots of skin or hair with an albedo that no skin or hair of this person has elsewhere.

The quotient A = I / E glows where the network takes a pixel for darker lit than it is: under a chin, in gaps of hair,
at the edge of a cast shadow. There E was too small, and a bound on A gives it back. In such places E has a wrong
colour, too, which ends as pink, yellow and green streaks beside the face; a bound on the colour of A gives that back.
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
# Likewise, and how far [log of red and of blue over green, together] colour may lie from the median colour.
_COLOURS = (((Region.SKIN,), 0.25), ((Region.HAIR, Region.FACIAL_HAIR), 0.2))
_LEAST_SHARE = 0.01  # of the crop's pixels that a group needs
_KEPT = 0.2  # of an excess, in log


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


def without_tinge(
    image: Float[np.ndarray, "size size 3"],
    albedo: Float[np.ndarray, "size size 3"],
    regions: Float[np.ndarray, "size size classes"],
) -> Float[np.ndarray, "size size 3"]:
    """Albedo whose colour goes less far from the usual colour of its class than light takes it; its luminance stays.

    What the image itself shows in another colour, such as dyed hair, keeps it.

    Args:
        image: linear.
        albedo: linear, in [0, 1].
        regions: probabilities of the classes of `types.Region`.
    """
    colour, seen = _colour(albedo), _colour(image)
    excess = np.zeros_like(colour)
    for classes, reach in _COLOURS:
        share = regions[..., list(classes)].sum(axis=-1, keepdims=True)
        sure = share[..., 0] > 0.5
        if sure.mean() >= _LEAST_SHARE:
            away = colour - np.median(colour[sure], axis=0)
            by_light = away - (seen - np.median(seen[sure], axis=0))
            far = np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-6)
            along = (by_light * away).sum(axis=-1, keepdims=True) / far
            excess += share * (away / far) * np.clip(along, 0, np.maximum(far - reach, 0))
    if not excess.any():
        return albedo
    changed = albedo.copy()
    changed[..., ::2] *= np.exp(-(1 - _KEPT) * excess)
    level = luminance(albedo) / np.maximum(luminance(changed), LEAST_ALBEDO)
    return np.asarray(np.clip(changed * np.where(excess.any(axis=-1), level, 1)[..., None], 0, 1), np.float32)


def _colour(linear: Float[np.ndarray, "size size 3"]) -> Float[np.ndarray, "size size 2"]:
    """Log of red and of blue over green."""
    logs = np.log(np.maximum(linear, LEAST_ALBEDO))
    return np.asarray(logs[..., ::2] - logs[..., 1:2])
