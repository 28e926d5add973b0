"""The context input of the network: a thumbnail of the whole photo, and the place of the crop in it.

A crop alone cannot tell dark skin in bright light from light skin in dim light; its surroundings can (Feng et al. 2022,
"Towards Racially Unbiased Skin Tone Estimation via Scene Disambiguation").
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, Num

CONTEXT = 32  # side of the thumbnail [px]


def thumbnail(photo: Num[np.ndarray, "height width 3"]) -> Num[np.ndarray, "32 32 3"]:
    """The whole photo resized to a small square, without keeping its aspect ratio; of the photo's type."""
    return np.asarray(cv2.resize(photo, (CONTEXT, CONTEXT), interpolation=cv2.INTER_AREA))


def photo_context(
    small: Float[np.ndarray, "32 32 3"], photo_size: tuple[int, int], matrix: Float[np.ndarray, "2 3"], size: int
) -> Float[np.ndarray, "32 32 4"]:
    """The context of a photo: its thumbnail, and a fourth channel that is 1 where the crop is.

    Args:
        small: `thumbnail` of the photo.
        photo_size: (height, width) of the photo [px].
        matrix: similarity that takes pixels of the photo to those of the crop.
        size: side of the crop [px].
    """
    height, width = photo_size
    scale = np.array([width, height]) / CONTEXT
    centres = np.stack(np.meshgrid(np.arange(CONTEXT), np.arange(CONTEXT)), -1) + 0.5
    where = (centres * scale - 0.5) @ matrix[:, :2].T.astype(np.float64) + matrix[:, 2]
    # A crop smaller than a cell covers part of it.
    cell = np.abs(matrix[:, :2].astype(np.float64)) @ scale
    inside = np.clip((size / 2 - np.abs(where - (size - 1) / 2)) / cell + 0.5, 0, 1).min(-1)
    return np.concatenate([small, inside[..., None]], -1).astype(np.float32)


def whole_photo(image: Float[np.ndarray, "height width 3"]) -> Float[np.ndarray, "32 32 4"]:
    """The thumbnail of a photo that lies in the crop as a whole; colours as they come."""
    return np.concatenate([thumbnail(image), np.ones((CONTEXT, CONTEXT, 1), image.dtype)], -1).astype(np.float32)


def crop_context(image: Float[np.ndarray, "size size 3"]) -> Float[np.ndarray, "32 32 4"]:
    """The context if only the crop of a photo is known; colours as given."""
    return photo_context(thumbnail(image), image.shape[:2], np.eye(2, 3), len(image))
