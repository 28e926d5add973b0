"""Heads of ICT-FaceKit (Li et al., Learning Formation of Physically-Based Face Attributes, 2020; MIT) from an npz.

The file holds quads and three stacks of vertices [cm]: the mean head, identity modes (of unit variance) and ARKit
face units. It is not shipped; the README tells where to get it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np

from illures.errors import InputError
from illures.io.decoding import read_npz
from illures.synth.heads.embedding import load_embedding
from illures.synth.heads.expressions import Weights
from illures.synth.heads.person import Anatomy, Material, Shape, Vertices, cut, split_quads
from illures.synth.skin.uv_painting import canvas

_MATERIALS: dict[Material, tuple[int, ...]] = {"skin": (0, 1, 2, 3), "eyes": (4, 5, 6, 7), "mouth": (8,), "teeth": (9,)}
_RIGHT_EYE, _LEFT_EYE = (5, 7), (4, 6)  # vertex groups
_KEYS = ("vertices", "quads", "vertex_group", "identity", "expression", "expression_names", "lm68")
_MOST_BYTES = 4 << 30  # of the arrays of a model
_VERTICES = 21614  # of the mesh on which the 478 landmarks are measured
_ACROSS_DEG, _UP_DEG = 15.0, 10.5  # of a full unit of gaze; MakeHuman's units turn its eyes so
_LIMIT = 2.2  # standard deviations; past it the heads are no longer people


class IctModel:
    """The linear model: mean + identity + expression."""

    def __init__(self, path: Path) -> None:
        """Read the model.

        Raises:
            InputError: there is no such model in the file.
        """
        data = _read(path)
        mean = data["vertices"].astype(np.float64) / 100
        self._group = data["vertex_group"]
        self._mean = mean - self._origin(mean)
        self._identity = data["identity"].astype(np.float32).reshape(len(data["identity"]), -1) / 100
        units = data["expression"].astype(np.float32).reshape(len(data["expression"]), -1) / 100
        self._units = {str(name): unit for name, unit in zip(data["expression_names"], units, strict=True)}
        triangles = split_quads(data["quads"])
        group = self._group[triangles[:, 0]]
        pieces = ((name, triangles[np.isin(group, groups)]) for name, groups in _MATERIALS.items())
        cuts = tuple(cut(name, self._mean, piece) for name, piece in pieces if len(piece))
        points = data["lm68"].astype(np.int64)
        self.anatomy = Anatomy(cuts, points, load_embedding("ict"), canvas(self._mean[points]))

    def shape(self, rng: np.random.Generator, spread: float = 1.0) -> Shape:
        """A random person (see `models.HeadModel`)."""
        modes = np.clip(rng.normal(size=len(self._identity)), -_LIMIT, _LIMIT) * rng.uniform(0.6, 1.1) * spread
        return partial(self._posed, modes.astype(np.float32))

    def _posed(self, modes: np.ndarray, weights: Weights) -> Vertices:
        """Vertices (head coordinates, m)."""
        shift = modes @ self._identity
        eyes = self._origin(self._mean + shift.reshape(-1, 3))  # the origin must not depend on the expression
        for unit, weight in weights.items():
            if weight and unit in self._units:
                shift = shift + np.float32(weight) * self._units[unit]
        vertices = self._mean + shift.reshape(-1, 3) - eyes
        for side, outward, groups in (("R", -1, _RIGHT_EYE), ("L", 1, _LEFT_EYE)):
            eye = np.isin(self._group, groups)
            vertices[eye] = _looking(vertices[eye], weights, side, outward)
        return vertices

    def _origin(self, vertices: Vertices) -> np.ndarray:
        """The point between the eyes."""
        return np.mean([vertices[np.isin(self._group, eye)].mean(0) for eye in (_RIGHT_EYE, _LEFT_EYE)], axis=0)


def _looking(eye: Vertices, weights: Weights, side: str, outward: int) -> Vertices:
    """Rotate an eyeball about its centre, as the units of gaze in the file only move the lids."""

    def pull(one: str, other: str) -> float:
        return weights.get(f"eyeLook{one}_{side}", 0.0) - weights.get(f"eyeLook{other}_{side}", 0.0)

    across, up = np.deg2rad([outward * _ACROSS_DEG * pull("Out", "In"), _UP_DEG * pull("Up", "Down")])
    turn = cv2.Rodrigues(np.array([0, across, 0.0]))[0] @ cv2.Rodrigues(np.array([-up, 0, 0.0]))[0]
    middle = (eye.min(0) + eye.max(0)) / 2
    return (eye - middle) @ turn.T + middle


def _read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the file, of the right shapes."""
    data = read_npz(path, _MOST_BYTES)
    missing = [key for key in _KEYS if key not in data]
    if missing:
        raise InputError(f"{path}: no array {missing[0]!r}; an ICT model holds {', '.join(_KEYS)}")
    count, units = _VERTICES, len(data["expression_names"])
    shapes = {
        "vertices": (count, 3),
        "quads": (len(data["quads"]), 4),
        "vertex_group": (count,),
        "identity": (len(data["identity"]), count, 3),
        "expression": (units, count, 3),
        "lm68": (68,),
    }
    for key, shape in shapes.items():
        if data[key].shape != shape:
            raise InputError(f"{path}: {key} has shape {data[key].shape}; must be {shape}")
    for key in ("quads", "lm68"):
        if data[key].size and not 0 <= data[key].min() <= data[key].max() < count:
            raise InputError(f"{path}: {key} names vertex {data[key].max()}; there are {count}")
    return data
