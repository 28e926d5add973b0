"""Test-time augmentation: the network also sees the mirror image, and both results are averaged.

The mirror image of a photo then has exactly the mirrored maps, and errors that depend on the side cancel out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from illures.math import sh
from illures.math.color import srgb_to_linear
from illures.math.normals import mirror, normalize
from illures.math.quotient import LEAST_ALBEDO
from illures.model.predictor import Prediction, Predictor
from illures.render import shade


class Mirrored:
    """A network that is run twice for each crop.

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
        straight = self.predictor(images, guides, contexts)
        other = self.predictor(images[:, :, ::-1], mirror(guides), contexts[:, :, ::-1])
        return [_averaged(*each) for each in zip(images, straight, other, strict=True)]


def for_photos(predictor: Predictor) -> Predictor | Mirrored:
    """Networks with a fine level are made for photos, where quality counts more than time; others stay as they are."""
    return Mirrored(predictor) if predictor.info.config.fine_width else predictor


def _averaged(image: Float[np.ndarray, "size size 3"], one: Prediction, other: Prediction) -> Prediction:
    """The geometric mean of albedo (and so of the illumination), and the arithmetic mean of all else."""
    logs = (np.log(np.maximum(albedo, LEAST_ALBEDO)) for albedo in (one.albedo, other.albedo[:, ::-1]))
    albedo = np.exp(0.5 * sum(logs))
    normal = normalize(one.normal + mirror(other.normal))
    light = 0.5 * (one.light + sh.mirror(other.light))
    regions = one.regions
    if regions is not None and other.regions is not None:
        regions = 0.5 * (regions + other.regions[:, ::-1])
    residual = srgb_to_linear(image) - albedo * shade(normal, light)
    return replace(one, albedo=albedo, normal=normal, light=light, residual=residual, regions=regions)
