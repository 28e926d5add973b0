"""The methods that are compared: one small adapter each. To add a rival, add a class here and a line to `METHODS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float

from illures.faces import crop_face, extract, find_faces, mesh_normals, to_crop
from illures.math.normals import normalize, turn
from illures.model import Predictor
from illures.types import FaceCrop
from illures.upsample import upright

if TYPE_CHECKING:
    from illures.evaluate.yaleb import Subject


@dataclass(frozen=True)
class Found:
    """What a method says of a photo, at the photo's pixels; None where it does not say it."""

    normal: Float[np.ndarray, "height width 3"]
    albedo: Float[np.ndarray, "height width 3"] | None = None
    light: Float[np.ndarray, "9 3"] | None = None


@runtime_checkable
class Method(Protocol):
    """A way from a photo to normals, and perhaps albedo and light."""

    def estimate(self, photo: Float[np.ndarray, "height width 3"], subject: Subject) -> Found:
        """Decompose a photo of `subject`, whose alignment (`subject.face`) may be used and whose truth may not."""
        ...


class Constant:
    """Every normal faces the viewer."""

    def estimate(self, photo: Float[np.ndarray, "height width 3"], subject: Subject) -> Found:
        """As `Method`."""
        return Found(np.broadcast_to(np.array([0, 0, 1], np.float32), photo.shape))


class MeanFace:
    """The mean normals of the other subjects, aligned by their crops: what knowing nothing of the photo gives."""

    def __init__(self, subjects: Sequence[Subject], size: int = 128) -> None:
        self._aligned = {}
        for subject in subjects:
            crop = crop_face(subject.face, subject.mask.shape, size)
            normal = turn(extract(subject.normal * subject.mask[..., None], crop), upright(crop).T)
            self._aligned[subject.name] = normal
        self._size = size

    def estimate(self, photo: Float[np.ndarray, "height width 3"], subject: Subject) -> Found:
        """As `Method`."""
        others = [normal for name, normal in self._aligned.items() if name != subject.name]
        mean = normalize(np.mean(others, axis=0) + np.array([0, 0, 1e-3], np.float32))
        crop = crop_face(subject.face, photo.shape[:2], self._size)
        return Found(_normal_to_photo(mean, crop))


class Mesh:
    """The normals of the dense landmark mesh alone."""

    def estimate(self, photo: Float[np.ndarray, "height width 3"], subject: Subject) -> Found:
        """As `Method`."""
        crop = crop_face(subject.face, photo.shape[:2], 192)
        return Found(_normal_to_photo(_guide(photo, crop) + np.array([0, 0, 1e-3], np.float32), crop))


class Illures:
    """Our network, from the package or from a weights file."""

    def __init__(self, predictor: Predictor) -> None:
        self._predict = predictor

    def estimate(self, photo: Float[np.ndarray, "height width 3"], subject: Subject) -> Found:
        """As `Method`: the alignment is the subject's, everything else comes from the photo."""
        crop = crop_face(subject.face, photo.shape[:2], self._predict.size)
        found = self._predict(extract(photo, crop)[None], _guide(photo, crop)[None])[0]
        return Found(_normal_to_photo(found.normal, crop), _to_photo(found.albedo, crop), found.light)


METHODS: dict[str, Callable[[Sequence[Subject], Path | None], Method]] = {
    "constant": lambda subjects, weights: Constant(),
    "mean face": lambda subjects, weights: MeanFace(subjects),
    "mesh": lambda subjects, weights: Mesh(),
    "illures": lambda subjects, weights: Illures(Predictor.from_pretrained(weights)),
}


def _guide(photo: np.ndarray, crop: FaceCrop) -> Float[np.ndarray, "size size 3"]:
    """Mesh normals from the landmarks of this very photo; the alignment's own where no face is found in it."""
    faces = find_faces(photo)
    landmarks = faces[0].landmarks if faces else crop.face.landmarks
    return mesh_normals(to_crop(landmarks, crop), crop.size)


def _to_photo(values: Float[np.ndarray, "size size 3"], crop: FaceCrop) -> Float[np.ndarray, "height width 3"]:
    height, width = crop.photo_size
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    found = cv2.warpAffine(values, crop.matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found)


def _normal_to_photo(normal: Float[np.ndarray, "size size 3"], crop: FaceCrop) -> Float[np.ndarray, "height width 3"]:
    return normalize(turn(_to_photo(normal.astype(np.float32), crop), upright(crop)))
