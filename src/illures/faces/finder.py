"""A finder of faces with settings of its own, which can be sent to other processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Num

from illures.faces.landmarks import PRESENCE, find_faces, width_of
from illures.types import Face


@dataclass(frozen=True)
class FaceFinder:
    """As `find_faces`, but faces that are too small are left out.

    Attributes:
        min_face: width that a face must have [px]; None: faces are sought from 64 px on in large photos, and smaller
            ones that turn up count, too.
        min_score: score that it must have, above 0 and below 1.
    """

    min_face: float | None = None
    min_score: float = PRESENCE

    def __call__(self, photo: Num[np.ndarray, "height width 3"]) -> list[Face]:
        """The faces of an sRGB photo, largest first."""
        if self.min_face is None:
            return find_faces(photo, least=self.min_score)
        found = find_faces(photo, self.min_face, self.min_score)
        return [face for face in found if width_of(face) >= self.min_face]
