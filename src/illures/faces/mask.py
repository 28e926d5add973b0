"""The masks: what of the head's surface counts as skin, told by the network's classes or by the mesh of landmarks."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

from illures.faces.mesh import mesh_mask
from illures.types import Region

# The inner edge of the lips in the MediaPipe mesh, going round.
LIPS_INSIDE = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
UPPER_INSIDE, LOWER_INSIDE = 13, 14  # the middle of that edge
_OF_SKIN = (Region.SKIN, Region.LIPS, Region.FACIAL_HAIR, Region.EYES)
_TOUCHING = 0.25  # probability from which pixels of skin hang together
LEAST_OPENING = 0.02  # of the crop's side, from which a mouth counts as open


def face_mask(
    image: Float[np.ndarray, "size size 3"], landmarks: Float[np.ndarray, "478 3"]
) -> Float[np.ndarray, "size size"]:
    """1 on the face, 0 elsewhere.

    Args:
        image: aligned crop, sRGB-encoded, in [0, 1].
        landmarks: in the crop's pixels (as `to_crop` gives them).
    """
    size = image.shape[0]
    mask = mesh_mask(landmarks, size)
    # Between closed lips lies a line, not a mouth: cutting it out would only tear the lips.
    opening = np.linalg.norm(landmarks[UPPER_INSIDE, :2] - landmarks[LOWER_INSIDE, :2])
    if opening < LEAST_OPENING * size:
        return mask
    corners = np.clip(landmarks[list(LIPS_INSIDE), :2], -4 * size, 5 * size)
    cv2.fillPoly(mask, [np.rint(corners * 16).astype(np.int32)], 0.0, cv2.LINE_8, 4)
    return mask


def skin_mask(
    regions: Float[np.ndarray, "size size classes"], landmarks: Float[np.ndarray, "478 3"]
) -> Float[np.ndarray, "size size"]:
    """Skin of face, ears and neck with lips, brows, beard and eyes, soft at its edges, in [0, 1].

    Without hair, fringes, glasses, hands and the inner mouth; of other people in the crop nothing but what touches.

    Args:
        regions: probabilities of the classes of `types.Region`.
        landmarks: in the crop's pixels.
    """
    mask = regions[..., list(_OF_SKIN)].sum(axis=-1)
    count, pieces = cv2.connectedComponents((mask > _TOUCHING).astype(np.uint8))
    ours = np.unique(pieces[(mesh_mask(landmarks, len(mask)) > 0) & (pieces > 0)])
    apart = np.isin(pieces, np.setdiff1d(np.arange(1, count), ours))
    return np.where(apart, 0, np.clip(mask, 0, 1)).astype(np.float32)


def soften(mask: Float[np.ndarray, "h w"], width: float) -> Float[np.ndarray, "h w"]:
    """The mask with an edge that falls from 1 to 0 over `width` pixels, all of it inside: for pasting.

    Args:
        mask: of 0 and 1.
        width: of the edge [px].
    """
    # A frame of zeros: the edge of the image is an edge of the mask, too.
    framed = cv2.copyMakeBorder((mask > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    t = np.clip(distance / max(width, 1e-6), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)
