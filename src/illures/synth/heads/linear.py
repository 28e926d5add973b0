"""Linear head models supplied by users, such as BFM or FLAME: mean + identity modes + expression modes, from an npz.

Arrays of the file, any unit of length, x to the subject's left, y up, z forward:

- `vertices` [V, 3]: the mean head; `triangles` [T, 3], counter-clockwise seen from outside;
- `identity` [K, V, 3]: modes scaled to unit variance; `expression` [E, V, 3]: modes or units;
- `lm68` [68]: the vertices at the iBUG landmarks;
- `expression_names` [E], optional: ARKit names, if the modes are such units;
- `material` [T], optional: 0 skin, 1 mouth, 2 eyes, 3 teeth. Without it, what lies inside the eye landmarks is eyes.

For modes without names, units such as "jawOpen" are fitted to MakeHuman: the weights with the closest motion of the 68
landmarks.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

from illures.errors import InputError
from illures.io.decoding import read_npz
from illures.synth.heads.embedding import Embedding, transfer
from illures.synth.heads.expressions import UNITS, Weights
from illures.synth.heads.makehuman import MakeHumanModel
from illures.synth.heads.person import Anatomy, Material, Shape, Vertices, cut
from illures.synth.skin.uv_painting import canvas

_MATERIALS: tuple[Material, ...] = ("skin", "mouth", "eyes", "teeth")  # as the file numbers them
_MOST_BYTES = 8 << 30  # of the arrays of a model; BFM has a quarter of one
_NEEDED = ("vertices", "triangles", "identity", "expression", "lm68")
_EYES_APART = 0.0625  # mean distance between the centres of the eyes' landmarks [m]
_LIMIT = 2.2  # standard deviations; past it the heads are no longer people
_RIDGE = 0.02  # on the weights of modes, as a share of the mean energy of a mode's landmarks
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)


class LinearModel:
    """Mean + identity + expression."""

    def __init__(self, path: Path) -> None:
        """Read the model.

        Raises:
            InputError: there is no such model in the file.
        """
        data = _read(path)
        points = data["lm68"].astype(np.int64)
        raw = data["vertices"].astype(np.float64)
        eyes = [raw[points[eye]].mean(0) for eye in (_RIGHT_EYE, _LEFT_EYE)]
        scale = _EYES_APART / np.linalg.norm(eyes[1] - eyes[0])
        self._mean = (raw - np.mean(eyes, axis=0)) * scale
        self._eyes = points[36:48]
        self._identity = scale * data["identity"].astype(np.float32).reshape(len(data["identity"]), -1)
        self._modes = scale * data["expression"].astype(np.float32).reshape(len(data["expression"]), -1)
        triangles, material = data["triangles"].astype(np.int64), data.get("material")
        if material is None:
            material = 2 * _inside_eyes(self._mean, points, triangles)
        pieces = ((name, triangles[material == k]) for k, name in enumerate(_MATERIALS))
        cuts = tuple(cut(name, self._mean, piece) for name, piece in pieces if len(piece))
        embedding = borrowed_embedding(self._mean, points, triangles[np.isin(material, (0, 2))])
        self.anatomy = Anatomy(cuts, points, embedding, canvas(self._mean[points]))
        self._units = self._named(data["expression_names"]) if "expression_names" in data else self._learnt(points)

    def shape(self, rng: np.random.Generator, spread: float = 1.0) -> Shape:
        """A random person (see `models.HeadModel`)."""
        modes = np.clip(rng.normal(size=len(self._identity)), -_LIMIT, _LIMIT) * rng.uniform(0.6, 1.1) * spread
        return partial(self._posed, modes.astype(np.float32))

    def _posed(self, modes: np.ndarray, expression: Weights) -> Vertices:
        """Vertices (head coordinates, m)."""
        rest = self._mean + (modes @ self._identity).reshape(-1, 3)
        weights = np.zeros(len(self._modes), np.float32)
        for unit, weight in expression.items():
            if unit in self._units:
                weights += np.float32(weight) * self._units[unit]
        # The origin must not depend on the expression.
        return rest + (weights @ self._modes).reshape(-1, 3) - rest[self._eyes].mean(0)

    def _named(self, names: np.ndarray) -> dict[str, Float[np.ndarray, " modes"]]:
        return {str(name): np.eye(len(names), dtype=np.float32)[k] for k, name in enumerate(names)}

    def _learnt(self, points: Int[np.ndarray, "68"]) -> dict[str, Float[np.ndarray, " modes"]]:
        """Weights of the modes that move the landmarks as MakeHuman's units do, by ridge regression."""
        columns = np.arange(3) + 3 * points[:, None]
        basis = self._modes[:, columns.ravel()].T.astype(np.float64)
        gram = basis.T @ basis
        ridge = gram + _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
        weights = np.linalg.solve(ridge, basis.T @ np.stack([motion.ravel() for motion in _unit_motions()], 1))
        return {unit: weight.astype(np.float32) for unit, weight in zip(UNITS, weights.T, strict=True)}


def borrowed_embedding(
    mean: Vertices, points68: Int[np.ndarray, "68"], triangles: Int[np.ndarray, "triangles 3"]
) -> Embedding:
    """The 478 landmarks of a model (head coordinates, m) with only 68, transferred from MakeHuman."""
    model = MakeHumanModel()
    rest = model.average()
    return transfer(model.anatomy.embedding.points(rest), rest[model.anatomy.points68], mean[points68], mean, triangles)


@cache
def _unit_motions() -> list[Float[np.ndarray, "68 3"]]:
    """Motion of the landmarks of the average MakeHuman head for each of UNITS [m]."""
    model = MakeHumanModel()
    points = model.anatomy.points68
    rest = model.average()[points]
    return [model.average({unit: 1.0})[points] - rest for unit in UNITS]


def _inside_eyes(
    mean: Vertices, points68: Int[np.ndarray, "68"], triangles: Int[np.ndarray, "triangles 3"]
) -> Bool[np.ndarray, " triangles"]:
    """Triangles whose middle lies inside an eye's landmarks, seen from the front."""
    middle = mean[triangles].mean(1)
    inside = np.zeros(len(triangles), bool)
    for eye in (_RIGHT_EYE, _LEFT_EYE):
        polygon = np.ascontiguousarray(mean[points68[eye], :2] * 1000, np.float32)
        near = np.abs(middle[:, 2] - mean[points68[eye], 2].mean()) < 0.015
        for k in np.flatnonzero(near):
            x, y = (float(value) * 1000 for value in middle[k, :2])
            inside[k] |= cv2.pointPolygonTest(polygon, (x, y), False) >= 0
    return inside


def _read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the file, of the right shapes."""
    data = read_npz(path, _MOST_BYTES)
    missing = [key for key in _NEEDED if key not in data]
    if missing:
        raise InputError(f"{path}: no array {missing[0]!r}; a linear head model holds {', '.join(_NEEDED)}")
    count = len(data["vertices"])
    shapes: dict[str, tuple[int, ...]] = {
        "vertices": (count, 3),
        "triangles": (len(data["triangles"]), 3),
        "identity": (len(data["identity"]), count, 3),
        "expression": (len(data["expression"]), count, 3),
        "lm68": (68,),
        "expression_names": (len(data["expression"]),),
        "material": (len(data["triangles"]),),
    }
    for key in shapes.keys() & data.keys():
        if data[key].shape != shapes[key]:
            raise InputError(f"{path}: {key} has shape {data[key].shape}; must be {shapes[key]}")
    for key in ("triangles", "lm68"):
        if not 0 <= data[key].min() <= data[key].max() < count:
            raise InputError(f"{path}: {key} names vertex {data[key].max()}; there are {count}")
    for key in ("vertices", "identity", "expression"):
        if not np.isfinite(data[key]).all():
            raise InputError(f"{path}: {key} holds values that are not finite")
    right, left = (data["vertices"][data["lm68"][eye].astype(int)].mean(0) for eye in (_RIGHT_EYE, _LEFT_EYE))
    mouth, nose = (data["vertices"][data["lm68"][part].astype(int)].mean(0) for part in (slice(48, 60), slice(30, 31)))
    if not (left[0] > right[0] and mouth[1] < (left[1] + right[1]) / 2 and nose[2] > (left[2] + right[2]) / 2):
        raise InputError(f"{path}: the head must look along +z, y up, with its left eye at larger x")
    return data
