"""Heads of MakeHuman (CC0): people as blends of its macro targets, its local modifiers and the ARKit face units.

`assets/makehuman_head.npz` is made by scripts/build_makehuman.py from the base mesh [dm]; each head is subdivided once.
"""

from __future__ import annotations

from functools import partial
from importlib.resources import as_file, files

import numpy as np
from jaxtyping import Float
from scipy import sparse

from illures.synth.heads.embedding import load_embedding
from illures.synth.heads.expressions import Weights
from illures.synth.heads.person import Anatomy, Material, Shape, Vertices, cut, split_quads
from illures.synth.heads.subdivision import catmull_clark
from illures.synth.skin.uv_painting import canvas

_MATERIALS: tuple[Material, ...] = ("skin", "mouth", "eyes", "teeth")  # as the file numbers them
_METRES = 0.1  # a unit of the base mesh
_SHIFT = 1e-3  # a unit of stored shifts, in units of the base mesh
_SPREAD = 0.22  # standard deviation of local modifiers; from 0.6 the heads are caricatures
_SPREADS = {"head": 0.12, "neck": 0.12, "nose": 0.16}  # of modifiers with a coarse effect
_UNEVEN = 0.07  # asymmetry between left and right
_PEOPLE = ("african", "asian", "caucasian")
_LEVELS = ("min", "average", "max")
_YOUNG, _OLD = 25.0, 90.0  # what the age targets show [years]
_MOST = 1.3  # of a face unit
_JAW = "jawOpen"


class MakeHumanModel:
    """Macro mix + local modifiers + expression, subdivided."""

    def __init__(self) -> None:
        """Load the model that ships with the package."""
        with as_file(files("illures.synth") / "assets" / "makehuman_head.npz") as path, np.load(path) as file:
            data = dict(file)
        base = data["vertices"]
        self._base = base.astype(np.float64)
        self._targets = sparse.vstack([_stack(data, kind, len(base)) for kind in ("macro", "local", "unit")]).tocsr()
        self._macros, self._units = list(data["macro_names"]), list(data["unit_names"])
        self._locals, self._modifiers = len(data["local_names"]), data["modifiers"].astype(int)
        parts = [str(data["local_names"][high]).split("-")[0] for _, high, _ in self._modifiers]
        self._spread = np.array([_SPREADS.get(part, _SPREAD) for part in parts])
        quads = data["quads"].astype(np.int64)
        eyes = quads[data["material"] == _MATERIALS.index("eyes")]
        self._eyes = [np.unique(eyes[(base[eyes[:, 0], 0] < 0) == right]) for right in (True, False)]
        self._smooth, fine = catmull_clark(quads, len(base))
        material = np.tile(data["material"], 4)
        mean = self.average()
        pieces = ((name, split_quads(fine[material == k])) for k, name in enumerate(_MATERIALS))
        cuts = tuple(cut(name, mean, triangles) for name, triangles in pieces)
        points = data["landmarks"].astype(np.int64)
        self.anatomy = Anatomy(cuts, points, load_embedding("makehuman"), canvas(mean[points]))

    def average(self, expression: Weights | None = None) -> Vertices:
        """Vertices (head coordinates, m) of the average head, at rest or with an expression."""
        mix = self._macro_weights(dict(_macro_mix(np.ones(3) / 3, 0.5, 35.0, 0.5, 0.5)))
        return self._posed(mix, np.zeros(self._locals), expression or {})

    def shape(self, rng: np.random.Generator, spread: float = 1.0) -> Shape:
        """A random grown-up (see `models.HeadModel`)."""
        people = rng.dirichlet((0.4, 0.4, 0.4))
        gender = rng.beta(0.4, 0.4)  # 0 female, 1 male
        muscle, weight = np.clip(rng.normal(0.5, 0.22, 2), 0, 1)
        mix = self._macro_weights(dict(_macro_mix(people, gender, rng.uniform(18, 80), muscle, weight)))
        return partial(self._posed, mix, self._random_locals(rng, spread))

    def _macro_weights(self, mix: dict[str, float]) -> Float[np.ndarray, " macros"]:
        return np.array([mix.get(str(name), 0.0) for name in self._macros])

    def _random_locals(self, rng: np.random.Generator, spread: float) -> Float[np.ndarray, " locals"]:
        """Weights of the local targets: each modifier acts in one of two directions, nearly symmetric."""
        low, high, group = self._modifiers.T
        pull = spread * self._spread * rng.normal(size=group.max() + 1)[group] + _UNEVEN * rng.normal(size=len(group))
        weights = np.zeros(self._locals)
        weights[high] = np.clip(pull, 0, 1)
        paired = low >= 0
        weights[low[paired]] = np.clip(-pull[paired], 0, 1)
        return weights

    def _posed(self, macros: np.ndarray, locals_: np.ndarray, expression: Weights) -> Vertices:
        """Vertices of the subdivided head (head coordinates, m)."""
        rest = self._base + (np.concatenate([macros, locals_]) @ self._targets[: -len(self._units)]).reshape(-1, 3)
        units = np.array([min(expression.get(str(name), 0.0), _MOST) for name in self._units])
        origin = np.mean([rest[eye].mean(0) for eye in self._eyes], axis=0)
        vertices = rest + (units @ self._targets[-len(self._units) :]).reshape(-1, 3)
        return _METRES * (self._smooth @ (vertices - origin))


def _macro_mix(people: np.ndarray, gender: float, age: float, muscle: float, weight: float) -> list[tuple[str, float]]:
    """Macro targets and weights: products of linear hats, as in MakeHuman; gender, muscle, weight in [0, 1]."""
    old = float(np.clip((age - _YOUNG) / (_OLD - _YOUNG), 0, 1))
    build = [(f"{m}muscle-{w}weight", _hat(muscle, m) * _hat(weight, w)) for m in _LEVELS for w in _LEVELS]
    mix = []
    for sex, of_sex in (("female", 1 - gender), ("male", gender)):
        for years, of_age in (("young", 1 - old), ("old", old)):
            share = of_sex * of_age
            mix += [(f"{name}-{sex}-{years}", share * part) for name, part in zip(_PEOPLE, people, strict=True)]
            mix += [(f"universal-{sex}-{years}-{name}", share * part) for name, part in build]
    return mix


def _hat(value: float, level: str) -> float:
    """Weight of a level for a value in [0, 1]: min at 0, average at 0.5, max at 1."""
    return max(0.0, 1 - 2 * abs(value - _LEVELS.index(level) / 2))


def _stack(data: dict[str, np.ndarray], kind: str, count: int) -> sparse.csr_matrix:
    """Targets of a kind, one a row, over the coordinates of all vertices."""
    vertices, starts = data[f"{kind}_vertices"].astype(np.int64), data[f"{kind}_starts"].astype(np.int64)
    columns = (3 * vertices[:, None] + np.arange(3)).ravel()
    shifts = _SHIFT * data[f"{kind}_shifts"].T.ravel().astype(np.float64)
    return sparse.csr_matrix((shifts, columns, 3 * starts), (len(starts) - 1, 3 * count))
