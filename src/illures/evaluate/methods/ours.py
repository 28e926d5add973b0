"""Our networks, as `illures decompose` and `illures relight` run them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from illures.decompose import Decomposer
from illures.decomposition import Decomposition
from illures.evaluate.benchmark import Estimate
from illures.evaluate.methods.query import Query, spread, spread_normals
from illures.faces import guide_normals, to_crop
from illures.math import sh
from illures.math.color import srgb_to_linear
from illures.model import Predictor
from illures.relighting.light import Light
from illures.relighting.paste import PhotoRelighter
from illures.relighting.relight import exposed
from illures.upsample import upright

if TYPE_CHECKING:
    from illures.model.predictor import Prediction


class Illures:
    """A weights file; maps at the network's resolution, relighting at the photo's.

    The crop is that of the alignment, all else comes from the photo, its landmarks for the guide too.
    """

    def __init__(self, weights: Path | None = None) -> None:
        """Load weights; None takes those of the package.

        Raises:
            InputError: as `Predictor.from_pretrained`.
        """
        self.predictor = Predictor.from_pretrained(weights)
        self.about = f"weights {self.predictor.info.hash}"

    def estimate(self, query: Query) -> Estimate:
        """As `Method`."""
        decomposer = Decomposer(_Guided(self.predictor, query), find_faces=lambda photo: [query.face])
        return estimate_of(decomposer(query.photo)[0], query.photo)


def estimate_of(face: Decomposition, photo: Float[np.ndarray, "height width 3"]) -> Estimate:
    """A decomposition at its photo's pixels."""
    return Estimate(
        normal=spread_normals(face.normal, face.crop),
        albedo=spread(face.albedo, face.crop),
        light=sh.rotate(face.light, upright(face.crop)).astype(np.float32),
        residual=spread(face.residual, face.crop),
        relight=_relight(face, photo),
    )


class _Guided:
    """A network that is told the landmarks of the photo, not those of the alignment."""

    def __init__(self, predictor: Predictor, query: Query) -> None:
        self._predictor, self._query = predictor, query
        self.size, self.info = predictor.size, predictor.info

    def __call__(
        self, images: Float[np.ndarray, "batch size size 3"], guides: Float[np.ndarray, "batch size size 3"]
    ) -> list[Prediction]:
        crop = self._query.crop(self.size)
        guide = guide_normals(to_crop(self._query.found.landmarks, crop), self.size)
        return self._predictor(images, np.broadcast_to(guide, guides.shape))


def _relight(face: Decomposition, photo: Float[np.ndarray, "height width 3"]) -> Callable[[np.ndarray], np.ndarray]:
    """As `illures relight`: the exposure of the photo stays, so that nothing is cut off."""

    @cache
    def relighter() -> PhotoRelighter:
        return PhotoRelighter(photo, [face])

    def run(light: np.ndarray) -> np.ndarray:
        relit = relighter()(exposed(Light(light.astype(np.float64)), face))
        return srgb_to_linear(np.asarray(relit, np.float32))

    return run
