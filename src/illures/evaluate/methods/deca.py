"""DECA's coarse shape (Feng et al., "Learning an Animatable Detailed 3D Face Model from In-The-Wild Images", 2021).

The folder is their repository with its data as its `fetch_data.sh` leaves it: `decalib/`, `data/deca_model.tar` and
`data/generic_model.pkl` (FLAME). Its own code is imported and run from there, with the packages that it needs (yacs,
chumpy, scikit-image); rendering is ours, so neither pytorch3d nor CUDA is.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from illures.errors import InputError
from illures.evaluate.benchmark import Estimate
from illures.evaluate.methods.folders import find_file, import_torch
from illures.evaluate.methods.geometry import explain_mesh
from illures.evaluate.methods.query import Query
from illures.evaluate.methods.tddfa import outward
from illures.faces import points68, to_photo

_INPUT = 224  # px
_WIDER = 1.1 * 1.25  # their box around 68 landmarks, `bbox2point` times `scale`


def load(folder: Path) -> Deca:
    """Import their code and read their weights.

    Raises:
        InputError: the folder does not hold them, or a package that they need is not installed.
    """
    torch = import_torch("deca")
    path = find_file(folder, "data/deca_model.tar")
    find_file(folder, "data/generic_model.pkl")
    find_file(folder, "decalib/models/FLAME.py")
    sys.path.insert(0, str(folder.resolve()))
    try:
        from decalib.models.encoders import ResnetEncoder  # type: ignore[import-not-found]
        from decalib.models.FLAME import FLAME  # type: ignore[import-not-found]
        from decalib.utils.config import cfg  # type: ignore[import-not-found]
    except ImportError as error:
        raise InputError(f"{folder}: DECA needs {error.name or error}; see docs/rivals.md") from error
    finally:
        sys.path.remove(str(folder.resolve()))
    sizes = [int(cfg.model[f"n_{name}"]) for name in ("shape", "tex", "exp", "pose", "cam", "light")]
    encoder = ResnetEncoder(outsize=sum(sizes))
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)["E_flame"]
        encoder.load_state_dict(weights)
    except (RuntimeError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not DECA's weights ({str(error).splitlines()[0]})") from error
    return Deca(encoder.eval(), FLAME(cfg.model).eval(), sizes)


class Deca:
    """Normals of the FLAME mesh; the rest follows from them (`geometry.explain`)."""

    def __init__(self, encoder: Any, flame: Any, sizes: list[int]) -> None:
        self._torch, self._encoder, self._flame, self._sizes = import_torch("deca"), encoder, flame, sizes
        self._triangles = outward(flame.v_template.numpy(), flame.faces_tensor.numpy())

    def estimate(self, query: Query) -> Estimate:
        """As `Method`."""
        points = points68(query.found.landmarks)[:, :2]
        low, high = points.min(axis=0), points.max(axis=0)
        torch, box = self._torch, query.square((low + high) / 2, float((high - low).mean()) * _WIDER, _INPUT)
        with torch.inference_mode():
            image = torch.from_numpy(np.ascontiguousarray(query.pixels(box).transpose(2, 0, 1)[None], np.float32))
            shape, _, expression, pose, camera, _ = torch.split(self._encoder(image), self._sizes, dim=1)
            vertices, *_ = self._flame(shape_params=shape, expression_params=expression, pose_params=pose)
        pixels = project(vertices[0].numpy().astype(np.float64), camera[0].numpy().astype(np.float64))
        return explain_mesh(query, to_photo(pixels, box), self._triangles)


def project(
    vertices: Float[np.ndarray, "vertices 3"], camera: Float[np.ndarray, " 3"]
) -> Float[np.ndarray, "vertices 3"]:
    """Their orthographic camera (scale, x, y) to pixels of the input (x right, y down, z toward the viewer)."""
    moved = camera[0] * (vertices + [camera[1], camera[2], 0.0])
    half = _INPUT / 2
    return np.column_stack([half * (1 + moved[:, 0]) - 0.5, half * (1 - moved[:, 1]) - 0.5, half * moved[:, 2]])
