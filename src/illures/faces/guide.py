"""The normals of a face as far as its landmarks tell: those of the mesh, and the relief that heads have there.

The mesh has 468 points; eyelids, nostrils and lips are finer, and where it is not, it is flatter than faces are. Over
rendered heads the true normals minus those of the mesh, turned to the head's own frame and laid out in its atlas,
have a mean: `weights/relief.npz`, made by scripts/mean_relief.py.
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
    """Unit normals of the dense mesh with the mean relief of heads, camera frame; zero outside the mesh.

    Args:
        landmarks: in the pixels of a square image of side `size`, z toward the viewer (as `Face.landmarks`).
        size: side of the image [px].
    """
    normal, relief = mesh_normals(landmarks, size), mean_detail_normals()
    turned = wrap(landmarks, size, len(relief))(relief) @ head_rotation(landmarks).T.astype(np.float32)
    return np.asarray(normalize(normal + turned) * normal.any(axis=-1, keepdims=True), dtype=np.float32)


@cache
def mean_detail_normals() -> Float[np.ndarray, "texels texels 3"]:
    """Mean of true minus mesh normals over heads, in the head's frame (x right, y up, z forward), in the atlas."""
    with np.load(str(files("illures.faces") / "weights" / "relief.npz")) as stored:
        return np.asarray(stored["relief"], dtype=np.float32)
