"""The normals of the dense landmark mesh alone; the rest follows from them (`geometry.explain`)."""

from __future__ import annotations

from illures.evaluate.benchmark import Estimate
from illures.evaluate.methods.geometry import explain
from illures.evaluate.methods.query import Query, known, spread_normals
from illures.faces import mesh_normals, to_crop

_SIZE = 192  # of the crop that it is drawn in [px]


class Mesh:
    """The 478 landmarks of the photo as a surface."""

    def estimate(self, query: Query) -> Estimate:
        """As `Method`."""
        crop = query.crop(_SIZE)
        normal = mesh_normals(to_crop(query.found.landmarks, crop), crop.size)
        return explain(query.photo, spread_normals(known(normal), crop))
