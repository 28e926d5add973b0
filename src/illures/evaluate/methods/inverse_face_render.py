"""The method that we follow, in its authors' TensorFlow models (github.com/qiuyuda/InverseFaceRender).

Qiu et al., "Learning Inverse Rendering of Faces from Real-world Videos", 2020.

The folder holds one of their checkpoints: `ckpt_00000.meta`, `.index` and `.data-…`, such as their `model_isa_256`.
Needs TensorFlow (2 does, by its compatibility layer). Which axes the channels of their normals mean is not published:
the signed permutation that agrees best with the landmark mesh on the first photo is taken, which can only flatter them.
"""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from illures.errors import InputError
from illures.evaluate.benchmark import Estimate
from illures.evaluate.methods.folders import find_file
from illures.evaluate.methods.geometry import explain
from illures.evaluate.methods.query import Query, spread, spread_normals
from illures.faces import face_mask, mesh_normals, to_crop, upright
from illures.math import sh
from illures.math.color import srgb_to_linear
from illures.math.normals import normalize

# Tensors of their graph, as its `isa_test.py` and `sa_test.py` name them.
_INPUT, _MASK, _TRAINING = "gt_face:0", "gt_mask:0", "Placeholder:0"
_ALBEDO, _NORMAL, _SHADING = "alconv_2/c3k1/BiasAdd:0", "norconv_2/nc3k1/BiasAdd:0", "transpose_1:0"


def load(folder: Path) -> InverseFaceRender:
    """Read the checkpoint.

    Raises:
        InputError: the folder does not hold it, or TensorFlow is not installed.
    """
    meta = find_file(folder, "*.meta", "*/*.meta")
    try:
        import tensorflow.compat.v1 as tf  # type: ignore[import-untyped]
    except ImportError:
        raise InputError("illures-tf needs TensorFlow: pip install tensorflow") from None
    tf.disable_eager_execution()
    session = tf.Session(graph=tf.Graph())
    with session.graph.as_default():
        try:
            tf.train.import_meta_graph(str(meta)).restore(session, str(meta.with_suffix("")))
            size = int(session.graph.get_tensor_by_name(_INPUT).shape[1])
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            raise InputError(f"{meta}: not one of their checkpoints ({str(error).splitlines()[0]})") from error
    return InverseFaceRender(session, size)


class InverseFaceRender:
    """Normals, albedo and shading of gamma-encoded images; the light is the one that makes their shading."""

    def __init__(self, session: Any, size: int) -> None:
        self._session, self._size = session, size
        self._axes: np.ndarray | None = None

    def estimate(self, query: Query) -> Estimate:
        """As `Method`."""
        crop = query.crop(self._size)
        image, points = query.pixels(crop), to_crop(query.found.landmarks, crop)
        mask = np.repeat(face_mask(image, points).astype(np.float32)[..., None], 3, axis=-1)
        feed = {_INPUT: (image[..., ::-1] * mask)[None], _MASK: mask[None], _TRAINING: False}
        albedo, normal, shading = (out[0] for out in self._session.run([_ALBEDO, _NORMAL, _SHADING], feed))
        vectors = normalize(2 * normal.astype(np.float32) - 1)
        if self._axes is None:
            self._axes = best_axes(vectors, mesh_normals(points, self._size))
        vectors = (vectors @ self._axes.T).astype(np.float32)
        inside = mask[..., 0] > 0.5
        light = sh.fit(vectors[inside].astype(np.float64), shading[..., ::-1][inside].astype(np.float64), ridge=1e-3)
        turned = sh.rotate(light, upright(crop)).astype(np.float32)
        linear = srgb_to_linear(np.clip(albedo[..., ::-1], 0, 1).astype(np.float32))
        return explain(query.photo, spread_normals(vectors, crop), turned, spread(linear, crop))


def best_axes(found: Float[np.ndarray, "size size 3"], mesh: Float[np.ndarray, "size size 3"]) -> np.ndarray:
    """The signed permutation matrix that brings vectors nearest to the mesh's normals, where it has some."""
    agreement = np.einsum("hwi,hwj->ij", mesh, found)
    matrices = [
        np.diag(signs) @ np.eye(3)[list(order)]
        for order in permutations(range(3))
        for signs in product((1.0, -1.0), repeat=3)
    ]
    return max(matrices, key=lambda matrix: float((matrix * agreement).sum()))
