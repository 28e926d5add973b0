"""Fields on the grid of a crop: warped to the photo, and faded toward the crop's edge."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

from illures.faces.crop import in_photo, padded
from illures.math.curves import smoothstep
from illures.math.sampling import warp_affine
from illures.types import FaceCrop

# Maps fade out toward the crop's edge over this part of its side.
FADE = 0.04


def warped(
    field: Float[np.ndarray, "a a *channels"], crop: FaceCrop, origin: tuple[int, int], shape: tuple[int, int]
) -> Float[np.ndarray, "rows columns *channels"]:
    """Warp a field of a crop's grid to a rectangle of the photo that begins at `origin` (x, y)."""
    back = crop.matrix.astype(np.float64).copy()
    back[:, 2] += back[:, :2] @ np.array(origin, np.float64)
    return warp_affine(field, back, shape[::-1], cv2.BORDER_REPLICATE)


def feathered(mask: Float[np.ndarray, "size size"], crop: FaceCrop) -> Float[np.ndarray, "size size"]:
    """A soft mask of a crop that fades to 0 toward its edge, where the photo goes on beyond it."""
    return np.minimum(mask, feather(crop)).astype(np.float32)


def feather(crop: FaceCrop, share: float = FADE, below: bool = True) -> Float[np.ndarray, "size size"]:
    """1 in the crop, falling smoothly to 0 toward the photo's pixels around it, over a share of its side.

    Not toward those below it unless `below`.
    """
    rim = max(share * crop.size, 1)
    reach = int(np.ceil(rim)) + 1
    around = in_photo(padded(crop, reach))
    around[reach : None if not below else -reach, reach:-reach] = False
    if not around.any():
        return np.ones((crop.size, crop.size), np.float32)
    away = cv2.distanceTransform((~around).astype(np.uint8), cv2.DIST_C, 3)[reach:-reach, reach:-reach]
    return smoothstep((away - 1) / rim).astype(np.float32)
