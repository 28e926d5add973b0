"""Our networks, as `illures decompose` and `illures relight` run them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from illures.decompose.decomposer import Decomposer
from illures.decompose.decomposition import Decomposition
from illures.decompose.photo_maps import photo_maps
from illures.evaluate.benchmark import Estimate
from illures.evaluate.methods.query import Query, spread, spread_normals
from illures.faces import guide_normals, to_crop, upright
from illures.io.formats import Format, MapName
from illures.math import sh
from illures.math.color import srgb_to_linear
from illures.math.normals import normalize
from illures.model import Predictor
from illures.model.averaged import Averaged, for_photos
from illures.relighting.composite import PhotoRelighter
from illures.relighting.exposure import exposed
from illures.relighting.light import Light

if TYPE_CHECKING:
    from illures.model.predictor import Prediction

FILES = Format("png16")  # 8 bits are only for viewing


class Illures:
    """A weights file, evaluated as `illures decompose` and `illures relight` use it, at the photo's resolution.

    The crop is that of the alignment; everything else, also the landmarks for the guide, comes from the photo.
    """

    def __init__(self, weights: Path | None = None) -> None:
        """Load weights; None takes those of the package.

        Raises:
            InputError: as `Predictor.from_pretrained`.
        """
        self.predictor = Predictor.from_pretrained(weights)
        self.about = f"weights {self.predictor.info.hash}"
        self._last: tuple[Query, Decomposition] | None = None

    def decompose(self, query: Query) -> Decomposition:
        """The face of a query; the last one is cached, as several methods share it."""
        if self._last is None or self._last[0] is not query:
            network = _Guided(for_photos(self.predictor), query)
            decomposer = Decomposer(network, find_faces=lambda photo: [query.face])
            self._last = query, decomposer(query.photo)[0]
        return self._last[1]

    def estimate(self, query: Query) -> Estimate:
        """As `Method`: the maps of the photo's size as stored in files, also outside their mask."""
        face = self.decompose(query)
        maps = photo_maps(query.photo, [face], FILES)

        def read(name: MapName) -> np.ndarray:
            return FILES.decode(name, maps.take(name))

        return Estimate(
            normal=normalize(read("normal")),
            albedo=read("albedo"),
            light=sh.rotate(face.light, upright(face.crop)).astype(np.float32),
            residual=read("residual"),
            shading=read("shading"),
            mask=read("mask"),
            relight=_relight(face, query.photo),
        )


class Crop:
    """The same network, evaluated on the maps of its crop; does not relight."""

    def __init__(self, model: Illures) -> None:
        self._model = model

    def estimate(self, query: Query) -> Estimate:
        """As `Method`."""
        return estimate_of(self._model.decompose(query))


def estimate_of(face: Decomposition) -> Estimate:
    """The maps of a crop at its photo's pixels."""
    return Estimate(
        normal=spread_normals(face.normal, face.crop),
        albedo=spread(face.albedo, face.crop),
        light=sh.rotate(face.light, upright(face.crop)).astype(np.float32),
        residual=spread(face.residual, face.crop),
    )


class _Guided:
    """A network with a guide from the landmarks of the photo, not from those of the alignment."""

    def __init__(self, predictor: Predictor | Averaged, query: Query) -> None:
        self._predictor, self._query = predictor, query
        self.size, self.info = predictor.size, predictor.info

    def __call__(
        self,
        images: Float[np.ndarray, "batch size size 3"],
        guides: Float[np.ndarray, "batch size size 3"],
        contexts: Float[np.ndarray, "batch 32 32 4"],
    ) -> list[Prediction]:
        crop = self._query.crop(self.size)
        guide = guide_normals(to_crop(self._query.found.landmarks, crop), self.size)
        return self._predictor(images, np.broadcast_to(guide, guides.shape), contexts)


def _relight(face: Decomposition, photo: Float[np.ndarray, "height width 3"]) -> Callable[[np.ndarray], np.ndarray]:
    """As `illures relight`: the exposure of the photo stays, against clipping."""

    @cache
    def relighter() -> PhotoRelighter:
        return PhotoRelighter(photo, [face])

    def run(light: np.ndarray) -> np.ndarray:
        relit = relighter()(exposed(Light(light.astype(np.float64)), face))
        return srgb_to_linear(np.asarray(relit, np.float32))

    return run
