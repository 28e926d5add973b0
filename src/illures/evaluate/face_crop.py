"""An upright crop around one face, at a size that every method supports."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num

from illures.faces import crop_face, extract, scale_of, to_crop, to_photo
from illures.io.photos import Photo, as_float
from illures.types import Face, FaceCrop

SIDE = 320  # px; faces smaller in their photo keep their pixels
ROOM = 1.8  # side of the face crop over that of the aligned crop: enough for the framing of other methods


def window_around(face: Face, photo_size: tuple[int, int], side: int = SIDE) -> FaceCrop:
    """An upright square around a face.

    Args:
        face: in the photo's pixels.
        photo_size: height and width [px].
        side: largest side of the square [px]; faces are never enlarged.
    """
    crop = crop_face(face, photo_size, 128)
    reach = ROOM * crop.size / scale_of(crop)  # of the square, in photo pixels
    size = max(16, min(side, round(reach)))
    scale = size / reach
    shift = (size - 1) / 2 - scale * centre_of(crop)
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    return FaceCrop(matrix=matrix, size=size, photo_size=photo_size, face=face)


def centre_of(crop: FaceCrop) -> Float[np.ndarray, "2"]:
    """Centre of a crop in the photo [px]."""
    return to_photo(np.full((1, 2), (crop.size - 1) / 2), crop)[0]


def cut_face_crop(
    photo: Photo | Num[np.ndarray, "height width 3"], face: Face, window: FaceCrop
) -> tuple[Float[np.ndarray, "height2 width2 3"], Face]:
    """The part of the window inside the photo, and the face in its pixels.

    Args:
        photo: uint8, uint16, or float sRGB in [0, 1].
        face: in the photo's pixels.
        window: see `window_around`.
    """
    pixels = np.clip(as_float(extract(photo, window)), 0, 1).astype(np.float32)
    # Beyond the photo's edge there is a mirror image, which would show more faces.
    scale, shift = window.matrix[0, 0].astype(float), window.matrix[:, 2].astype(float)
    low = np.maximum(np.ceil(shift - scale / 2), 0).astype(int)
    high = np.floor(shift + scale * (np.array(photo.shape[1::-1]) - 0.5)).astype(int) + 1
    landmarks = to_crop(face.landmarks, window)
    landmarks[:, :2] -= low.astype(landmarks.dtype)
    return pixels[low[1] : high[1], low[0] : high[0]], Face(landmarks, face.score)
