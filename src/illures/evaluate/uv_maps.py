"""Maps of a face resampled to the UV atlas of the landmark mesh (`illures.faces.atlas`), to compare frames."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from jaxtyping import Bool, Float

from illures.faces import atlas, crop_face, extract, to_crop
from illures.faces.mask import LIPS_INSIDE
from illures.faces.regions import EYES
from illures.types import Face

SIZE = 64  # texels a side: a few pixels each, so that noise of the landmarks counts little
CROP = 96  # side of the crops that are sampled [px]; larger faces are averaged, against flicker of single pixels
_FACING = 0.5  # least cosine to the viewer of a visible texel
_MARGIN = 5  # dilation of lids and lips [texels]


def to_uv_atlas(image: Float[np.ndarray, "height width *c"], face: Face) -> Float[np.ndarray, "size size *c"]:
    """Resample a map to the UV atlas of the mesh.

    Args:
        image: linear values, defined everywhere.
        face: in the image's pixels.
    """
    crop = crop_face(face, image.shape[:2], CROP)
    return atlas.unwrap(extract(image, crop), atlas.positions(to_crop(face.landmarks, crop)[:, :2], SIZE))


def seen_skin(face: Face) -> Bool[np.ndarray, "size size"]:
    """Texels of skin that face the viewer."""
    return skin() & (atlas.facing(face.landmarks, SIZE) > _FACING)


@cache
def skin() -> Bool[np.ndarray, "size size"]:
    """Texels of the mesh that are not lids, eyeballs or the opening of the mouth: those really change."""
    points = np.rint(atlas.vertices(SIZE)).astype(np.int32)
    blocked = np.zeros((SIZE, SIZE), np.uint8)
    for outline in (*EYES, LIPS_INSIDE):
        cv2.fillConvexPoly(blocked, cv2.convexHull(points[list(outline)]), 1)
    return atlas.layout(SIZE).inside & (cv2.dilate(blocked, np.ones((_MARGIN, _MARGIN), np.uint8)) == 0)
