"""The input of a method, the interface of methods, and the mapping from a crop's maps to the photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float

from illures.evaluate.benchmark import Estimate, Item
from illures.faces import crop_face, extract, find_faces, upright
from illures.math.normals import normalize, turn
from illures.types import Face, FaceCrop

# Largest distance between a detected face and the alignment, in widths of the face.
_SAME_FACE = 0.25
# Our crop is FFHQ's (Karras et al. 2019) but tighter by this factor (see `illures.faces.crop`).
FFHQ_WIDER = 1 / 0.85


@dataclass(frozen=True)
class Query:
    """A photo with its face, without ground truth.

    Attributes:
        photo: sRGB-encoded, in [0, 1].
        face: the alignment, the same for all methods; may come from another photo of the same pose.
        found: landmarks detected in this photo; the alignment if none are found.
    """

    photo: Float[np.ndarray, "height width 3"]
    face: Face
    found: Face

    def crop(self, size: int, wider: float = 1.0) -> FaceCrop:
        """Our aligned crop of `size` pixels a side, which shows `wider` times as much on each side."""
        crop = crop_face(self.face, self.photo.shape[:2], size)
        middle = (size - 1) / 2
        matrix = crop.matrix.astype(np.float64) / wider
        matrix[:, 2] += middle - middle / wider
        return FaceCrop(matrix.astype(np.float32), size, crop.photo_size, self.face)

    def square(self, centre: Float[np.ndarray, " 2"], side: float, size: int) -> FaceCrop:
        """An upright square of the photo, `side` photo pixels wide, as `size` pixels: other methods' own framing."""
        scale = size / side
        shift = (size - 1) / 2 - scale * centre.astype(np.float64)
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
        return FaceCrop(matrix, size, (self.photo.shape[0], self.photo.shape[1]), self.face)

    def pixels(self, crop: FaceCrop) -> Float[np.ndarray, "size size 3"]:
        """The pixels of the crop, sRGB-encoded; mirrored beyond the photo's edge."""
        return np.clip(extract(self.photo, crop), 0, 1)


@runtime_checkable
class Method(Protocol):
    """An estimator of some of normals, albedo, light, residual and relit images."""

    def estimate(self, query: Query) -> Estimate:
        """The estimate, at the photo's pixels."""
        ...


def ask(item: Item) -> Query:
    """The part of an item that methods may see."""
    faces = find_faces(np.round(item.photo * 255).astype(np.uint8))
    points = item.face.landmarks[:, :2]
    width = float(np.ptp(points[:, 0]))
    away = [float(np.linalg.norm(face.landmarks[:, :2] - points, axis=1).mean()) for face in faces]
    same = bool(away) and min(away) < _SAME_FACE * width
    return Query(item.photo, item.face, faces[int(np.argmin(away))] if same else item.face)


def spread(
    values: Float[np.ndarray, "size size channels"], crop: FaceCrop
) -> Float[np.ndarray, "height width channels"]:
    """A crop's map at the photo's pixels; the edge of the crop is replicated, NaN stays NaN."""
    height, width = crop.photo_size
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    found = cv2.warpAffine(
        values.astype(np.float32), crop.matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(found)


def spread_normals(normal: Float[np.ndarray, "size size 3"], crop: FaceCrop) -> Float[np.ndarray, "height width 3"]:
    """Unit normals of the crop rotated to the frame of the photo; as `spread`."""
    return normalize(turn(spread(normal, crop), upright(crop))).astype(np.float32)


def known(normal: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Replace missing normals (zeros) by NaN."""
    return np.where(np.linalg.norm(normal, axis=-1, keepdims=True) > 0.5, normal, np.nan).astype(np.float32)
