"""How far what is said of a face holds around its crop: over the person, up to where others or the background begin."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, Shaped

from illures.decompose.decomposition import Decomposition
from illures.decompose.full_resolution import own_share
from illures.faces.matte import widened
from illures.math.curves import smoothstep
from illures.types import FaceCrop, Region

# Over this part of the crop's side all falls to 0 at the end of the wide grid.
END = 0.2
# Probabilities of background from which the network has a say against the matte, and the last word.
_SURE = (0.8, 0.97)
# Beyond the crop it is forgotten over this distance [crop sides].
_UNSURE = 0.3
# Of the face's mask, this share at least must be in a matte that shows the person.
_SEEN = 0.5


def limits(face: Decomposition, others: Sequence[FaceCrop]) -> Float[np.ndarray, "wide wide"]:
    """1 on the grid of the widened crop, 0 where another face is nearer, at the grid's end and on sure background."""
    wide = widened(face.crop)
    return own_share(face.crop, wide, others) * _ending(wide.size, face.crop.size) * _no_background(face)


def on_wide(field: Shaped[np.ndarray, "size size"], crop: FaceCrop) -> Shaped[np.ndarray, "wide wide"]:
    """A field of the crop on the grid of the widened crop; 0 around it."""
    return np.pad(field, (widened(crop).size - len(field)) // 2)


def seen_by(alpha: Float[np.ndarray, "*grid"], mask: Float[np.ndarray, "*grid"], share: float = _SEEN) -> bool:
    """Whether a matte shows the person whose skin the mask is: this share of it, at least."""
    return bool((alpha * mask).sum() > share * mask.sum())


def _ending(size: int, side: int) -> Float[np.ndarray, "size size"]:
    """Falls to 0 toward the end of the wide grid."""
    at = np.arange(size) + 0.5
    ramp = smoothstep(np.minimum(at, size - at) / (END * side))
    return np.asarray(ramp[:, None] * ramp, np.float32)


def _no_background(face: Decomposition) -> Float[np.ndarray, "wide wide"]:
    """0 where the network is sure of background, 1 where it is not; around the crop less and less as at its edge."""
    wide, side = widened(face.crop).size, face.crop.size
    if face.regions is None:
        return np.ones((wide, wide), np.float32)
    sure = smoothstep((face.regions[..., Region.BACKGROUND] - _SURE[0]) / (_SURE[1] - _SURE[0])).astype(np.float32)
    outside = 1 - on_wide(np.ones((side, side), np.uint8), face.crop)
    fading = 1 - smoothstep(cv2.distanceTransform(outside, cv2.DIST_L2, 5) / (_UNSURE * side))
    return 1 - np.pad(sure, (wide - side) // 2, mode="edge") * fading
