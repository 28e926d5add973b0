"""Test-time augmentation: the network sees each crop four times, and the results are averaged.

It sees the crop and its mirror image, each in two framings: errors that depend on the side, or on where the face lies
on the grids of pixels of the network, cancel out. The mirror image of a photo has exactly the mirrored maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float

from illures.math import sh
from illures.math.color import srgb_to_linear
from illures.math.normals import mirror, normalize
from illures.math.quotient import albedo_of, illumination_of
from illures.math.sampling import warp_affine
from illures.model.predictor import Prediction, Predictor
from illures.render import shade

# Zoom about the middle of the crop, and shift to the right and down [of its side]. Chosen on Extended Yale B (dev):
# closer framings have better normals there, and two different shifts better albedo than none; four add nothing.
_FRAMINGS = ((1.0, 0.03), (1.12, -0.03))
_HAS_GUIDE = 0.5  # least length of a guide's normal between pixels with and without one


class Averaged:
    """A network that is run four times for each crop.

    Attributes:
        predictor: the network itself.
        size: side of the crops [px].
        info: of the weights.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor, self.size = predictor, predictor.size
        self.info: Any = predictor.info

    def __call__(
        self,
        images: Float[np.ndarray, "batch size size 3"],
        guides: Float[np.ndarray, "batch size size 3"],
        contexts: Float[np.ndarray, "batch 32 32 4"],
    ) -> list[Prediction]:
        """As `Predictor`; the residual is what albedo and shading leave of the image."""
        straight = self._framed(images, guides, contexts)
        other = self._framed(images[:, :, ::-1], mirror(guides), contexts[:, :, ::-1])
        return [
            _mean(image, [*one, *map(_mirror, two)]) for image, one, two in zip(images, straight, other, strict=True)
        ]

    def _framed(
        self,
        images: Float[np.ndarray, "batch size size 3"],
        guides: Float[np.ndarray, "batch size size 3"],
        contexts: Float[np.ndarray, "batch 32 32 4"],
    ) -> list[list[Prediction]]:
        """For each crop the maps from each framing, brought back to its pixels."""
        found: list[list[Prediction]] = [[] for _ in images]
        for zoom, shift in _FRAMINGS:
            matrix = _framing(images.shape[1], zoom, shift)
            shown = np.stack([_warped(image, matrix, cv2.BORDER_REFLECT_101) for image in images])
            seen = self.predictor(shown, np.stack([_guide(guide, matrix) for guide in guides]), contexts)
            for k, prediction in enumerate(seen):
                found[k].append(_brought_back(images[k], shown[k], prediction, matrix))
        return found


def for_photos(predictor: Predictor) -> Predictor | Averaged:
    """Networks with a fine level are made for photos, where quality counts more than time; others stay as they are."""
    return Averaged(predictor) if predictor.info.config.fine_width else predictor


def _framing(size: int, zoom: float, shift: float) -> Float[np.ndarray, "2 3"]:
    """From the pixels of the crop to those of the framing."""
    offset = (1 - zoom) * (size - 1) / 2 + shift * size
    return np.array([[zoom, 0, offset], [0, zoom, offset]])


def _warped(values: np.ndarray, matrix: np.ndarray, border: int, inverse: bool = False) -> np.ndarray:
    size = len(values)
    return warp_affine(np.ascontiguousarray(values, np.float32), matrix, (size, size), border, inverse)


def _guide(guide: Float[np.ndarray, "size size 3"], matrix: np.ndarray) -> Float[np.ndarray, "size size 3"]:
    """The guide in a framing: unit normals, or zero."""
    moved = _warped(guide, matrix, cv2.BORDER_REPLICATE)
    return normalize(moved) * (np.linalg.norm(moved, axis=-1, keepdims=True) > _HAS_GUIDE)


def _brought_back(
    image: Float[np.ndarray, "size size 3"],
    shown: Float[np.ndarray, "size size 3"],
    seen: Prediction,
    matrix: Float[np.ndarray, "2 3"],
) -> Prediction:
    """The maps of a framing at the pixels of the crop.

    Not the albedo is moved but the log of the illumination, which is smooth: so the albedo stays as sharp as the image.
    """

    def back(values: np.ndarray) -> np.ndarray:
        return _warped(values, matrix, cv2.BORDER_REPLICATE, inverse=True)

    log_light = np.log(illumination_of(srgb_to_linear(shown), seen.albedo))
    return replace(
        seen,
        albedo=albedo_of(srgb_to_linear(image), np.exp(back(log_light))),
        normal=back(seen.normal),
        regions=None if seen.regions is None else np.stack([back(one) for one in np.moveaxis(seen.regions, -1, 0)], -1),
    )


def _mirror(seen: Prediction) -> Prediction:
    """The maps of the mirror image, mirrored."""
    return replace(
        seen,
        albedo=seen.albedo[:, ::-1],
        normal=mirror(seen.normal),
        light=sh.mirror(seen.light),
        regions=None if seen.regions is None else seen.regions[:, ::-1],
    )


def _mean(image: Float[np.ndarray, "size size 3"], seen: Sequence[Prediction]) -> Prediction:
    """The geometric mean of the illumination, and the arithmetic mean of all else."""
    linear = srgb_to_linear(image)
    logs = [np.log(illumination_of(linear, one.albedo)) for one in seen]
    albedo = albedo_of(linear, np.exp(np.mean(logs, axis=0)))
    normal = normalize(np.mean([one.normal for one in seen], axis=0))
    light = np.mean([one.light for one in seen], axis=0)
    regions = [one.regions for one in seen if one.regions is not None]
    residual = linear - albedo * shade(normal, light)
    return Prediction(albedo, normal, light, residual, np.mean(regions, axis=0) if regions else None)
