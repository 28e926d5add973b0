"""Normals of a face estimated from its landmarks: mesh normals plus the mean detail normals of heads.

The mesh of 468 points is too coarse for eyelids, nostrils and lips, and flatter than real faces. The correction is the
mean, over rendered heads, of true minus mesh normals in the head's own frame, as a UV atlas: `weights/relief.npz`,
written by scripts/mean_detail_normals.py.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float

from illures.faces.atlas import head_rotation, wrap
from illures.faces.mesh import mesh_normals
from illures.math.normals import normalize


def guide_normals(landmarks: Float[np.ndarray, "478 3"], size: int) -> Float[np.ndarray, "size size 3"]:
    """Unit normals of the dense mesh plus mean detail normals, camera frame; zero outside the mesh.

    Args:
        landmarks: in the pixels of a square image of side `size`, z toward the viewer (as `Face.landmarks`).
        size: side of the image [px].
    """
    normal, detail = mesh_normals(landmarks, size), mean_detail_normals()
    turned = wrap(landmarks, size, len(detail))(detail) @ head_rotation(landmarks).T.astype(np.float32)
    return np.asarray(normalize(normal + turned) * normal.any(axis=-1, keepdims=True), dtype=np.float32)


@cache
def mean_detail_normals() -> Float[np.ndarray, "texels texels 3"]:
    """Mean of true minus mesh normals over heads, in the head's frame (x right, y up, z forward), in the atlas."""
    with np.load(str(files("illures.faces") / "weights" / "relief.npz")) as stored:
        return np.asarray(stored["relief"], dtype=np.float32)
