"""The part of a photo or frame around one face, upright, at a size that every method can take."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num

from illures.faces import crop_face, extract, inverse, scale_of, to_crop
from illures.images import Photo, as_float
from illures.types import Face, FaceCrop

SIDE = 320  # px; faces smaller in their photo keep their pixels
ROOM = 1.8  # side of the portrait over that of the aligned crop: enough for other methods' own framing


def portrait(
    photo: Photo | Num[np.ndarray, "height width 3"], face: Face, side: int = SIDE
) -> tuple[Float[np.ndarray, "height2 width2 3"], Face]:
    """A square around a face, as much of it as the photo shows, not turned; and the face in its pixels.

    Args:
        photo: uint8, uint16, or float sRGB in [0, 1].
        face: in the photo's pixels.
        side: of the square at most [px]; nothing is enlarged.
    """
    crop = crop_face(face, photo.shape[:2], 128)
    reach = ROOM * crop.size / scale_of(crop)  # of the square, in photo pixels
    size = max(16, min(side, round(reach)))
    scale = size / reach
    centre = inverse(crop) @ np.array([(crop.size - 1) / 2, (crop.size - 1) / 2, 1.0])
    shift = (size - 1) / 2 - scale * centre
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    upright = FaceCrop(matrix=matrix, size=size, photo_size=(photo.shape[0], photo.shape[1]), face=face)
    pixels = np.clip(as_float(extract(photo, upright)), 0, 1).astype(np.float32)
    # What lies beyond the photo's edge is its mirror image, with faces of its own.
    low = np.maximum(np.ceil(shift - scale / 2), 0).astype(int)
    high = np.floor(shift + scale * (np.array(photo.shape[1::-1]) - 0.5)).astype(int) + 1
    landmarks = to_crop(face.landmarks, upright)
    landmarks[:, :2] -= low.astype(landmarks.dtype)
    return pixels[low[1] : high[1], low[0] : high[0]], Face(landmarks, face.score)
