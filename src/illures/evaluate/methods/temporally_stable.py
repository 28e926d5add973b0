"""Our networks on successive frames of one face, temporally stable, as `illures video` runs them."""

from __future__ import annotations

import numpy as np

from illures.decompose.decomposer import Decomposer
from illures.evaluate.benchmark import Estimate
from illures.evaluate.methods.ours import estimate_of
from illures.evaluate.methods.query import Query
from illures.faces.track import TrackedFace
from illures.model import Predictor
from illures.video.stabilize import Stabilizer

_RATE = 25.0  # assumed frame rate [1/s], as queries have no times


class TemporallyStable:
    """Keeps a memory of the face between queries; use a new object for each clip."""

    def __init__(self, predictor: Predictor) -> None:
        self._stabilizer = Stabilizer(Decomposer(predictor))
        self._count = 0

    def estimate(self, query: Query) -> Estimate:
        """As `Method`, for the frame that follows the last call."""
        image = np.round(query.photo * 255).astype(np.uint8)
        face = self._stabilizer(image, [TrackedFace(query.face, 0)], self._count / _RATE)[0]
        self._count += 1
        return estimate_of(face)
