"""3DDFA_V2 (Guo et al., "Towards Fast, Accurate and Stable 3D Dense Face Alignment", ECCV 2020).

The folder is their repository with the network exported to ONNX, as its demos do on `--onnx`:
`weights/mb1_120x120.onnx` (or `mb05_120x120.onnx`, `resnet22.onnx`), `configs/param_mean_std_62d_120x120.pkl`,
`configs/bfm_noneck_v3.pkl` and `configs/tri.pkl`. The pickles are read as arrays; nothing in them is run.
"""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from illures.errors import InputError
from illures.evaluate.benchmark import Estimate
from illures.evaluate.methods.folders import find_file, read_arrays
from illures.evaluate.methods.geometry import explain_mesh
from illures.evaluate.methods.query import Query
from illures.faces import points68, to_photo
from illures.io.onnx_runtime import onnx_runtime

_INPUT = 120  # px
_SHAPE, _EXPRESSION = 40, 10  # modes; the first 12 of the 62 numbers are the camera


def load(folder: Path) -> Tddfa:
    """Read the network and the face model.

    Raises:
        InputError: the folder does not hold them.
    """
    ort = onnx_runtime()

    weights = find_file(folder, "weights/mb1_120x120.onnx", "weights/*_120x120.onnx", "weights/*.onnx", "*120x120.onnx")
    statistics = read_arrays(find_file(folder, "configs/param_mean_std_62d_120x120.pkl", "param_mean_std_62d_*.pkl"))
    model = read_arrays(find_file(folder, "configs/bfm_noneck_v3*.pkl", "bfm_noneck_v3*.pkl"))
    triangles = read_arrays(find_file(folder, "configs/tri.pkl", "tri.pkl"))
    for name, content, keys in (
        ("param_mean_std", statistics, ("mean", "std")),
        ("bfm", model, ("u", "w_shp", "w_exp")),
    ):
        missing = [key for key in keys if not isinstance(content, dict) or key not in content]
        if missing:
            raise InputError(f"{folder}: the pickle {name}… has no array {missing[0]!r}")
    session = ort.InferenceSession(str(weights), providers=["CPUExecutionProvider"])
    return Tddfa(session, statistics, model, np.asarray(triangles))


class Tddfa:
    """Normals of the regressed mesh; the rest follows from them (`geometry.explain`)."""

    def __init__(
        self, session: Any, statistics: dict[str, np.ndarray], model: dict[str, np.ndarray], triangles: np.ndarray
    ) -> None:
        self._session, self._input = session, session.get_inputs()[0].name
        self._mean, self._std = (np.asarray(statistics[key], np.float64) for key in ("mean", "std"))
        self._base = np.asarray(model["u"], np.float64).reshape(-1)
        self._shape = np.asarray(model["w_shp"], np.float64)[:, :_SHAPE]
        self._expression = np.asarray(model["w_exp"], np.float64)[:, :_EXPRESSION]
        self._triangles = outward(self._base.reshape(-1, 3), triangles.T if len(triangles) == 3 else triangles)

    def estimate(self, query: Query) -> Estimate:
        """As `Method`; cropped by the 68 landmarks, as their `crop_policy="landmark"`."""
        points = points68(query.found.landmarks)[:, :2]
        low, high = points.min(axis=0), points.max(axis=0)
        # The side is the diagonal of the smallest square around the landmarks.
        box = query.square((low + high) / 2, float((high - low).max()) * sqrt(2), _INPUT)
        pixels = np.round(query.pixels(box) * 255)[..., ::-1].transpose(2, 0, 1)[None]  # BGR
        (found,) = self._session.run(None, {self._input: ((pixels - 127.5) / 128).astype(np.float32)})[:1]
        vertices = self.vertices(found.reshape(-1) * self._std + self._mean)
        return explain_mesh(query, to_photo(vertices, box), self._triangles)

    def vertices(self, numbers: Float[np.ndarray, " 62"]) -> Float[np.ndarray, "vertices 3"]:
        """Posed vertices in pixels of the input (x right, y down, z toward the viewer)."""
        camera = numbers[:12].reshape(3, 4)
        shape, expression = numbers[12 : 12 + _SHAPE], numbers[12 + _SHAPE :]
        flat = self._base + self._shape @ shape + self._expression @ expression
        posed = flat.reshape(-1, 3) @ camera[:, :3].T + camera[:, 3]
        # Their coordinates count from 1 and y goes up.
        return np.column_stack([posed[:, 0] - 1, _INPUT - posed[:, 1], posed[:, 2]])


def outward(
    vertices: Float[np.ndarray, "vertices 3"], triangles: Int[np.ndarray, "triangles 3"]
) -> Int[np.ndarray, "triangles 3"]:
    """Triangles counter-clockwise seen from outside: the volume that they enclose with the centre is then positive."""
    ordered = np.asarray(triangles, np.int64)
    a, b, c = (vertices[corner].astype(np.float64) - vertices.mean(axis=0) for corner in ordered.T)
    return ordered if np.einsum("td,td->", a, np.cross(b, c)) > 0 else ordered[:, ::-1]
