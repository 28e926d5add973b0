"""A linear 3-D morphable model fitted to the landmarks of the photo: what shape alone can give, without learning.

Any head model of `illures.synth.heads.models` does; that of the package is MakeHuman's (CC0). Its people become a
linear
model by principal components of random heads; identity and expression are then the most probable ones under Gaussian
priors, seen by a weak-perspective camera. After Blanz and Vetter, SIGGRAPH 1999, with the landmark fitting of Aldrian
and Smith, "Inverse Rendering of Faces with a 3D Morphable Model", TPAMI 2013, sections 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from illures.errors import InputError
from illures.evaluate.benchmark import Estimate
from illures.evaluate.methods.geometry import explain_mesh
from illures.evaluate.methods.query import Query
from illures.evaluate.methods.raster import normal_map
from illures.faces import to_crop, to_photo
from illures.synth.heads.expressions import UNITS

PEOPLE = 300  # random heads that the identity modes are taken from
MODES = 80
ITERATIONS = 8
SIZE = 192  # of the crop that the model is fitted in [px]
# Standard deviation of a landmark, in % of the crop's side, as if all were independent. Neighbours err together, so
# it is many times that of one; chosen on the development subjects of Extended Yale B (docs/evaluation.md).
NOISE = 10.0
EXPRESSION = 0.1  # standard deviation of the weights of face units, chosen so too
_SURFACE = 468  # the other landmarks are irises, which gaze moves
_SEED = 5


@dataclass(frozen=True)
class LinearHead:
    """mean + Σ c_k modes_k, c ~ N(0, 1): the visible surface of a head model.

    Attributes:
        mean: vertices (head coordinates, m); modes: identity first, then expression.
        triangles: counter-clockwise seen from outside.
        corners, weights: where the landmarks lie, as in `synth.heads.embedding.Embedding`.
    """

    mean: Float[np.ndarray, "vertices 3"]
    modes: Float[np.ndarray, "modes vertices 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    corners: Int[np.ndarray, "landmarks 3"]
    weights: Float[np.ndarray, "landmarks 3"]

    @cached_property
    def landmarks(self) -> Float[np.ndarray, "landmarks 3"]:
        """Of the mean head."""
        return np.einsum("lk,lkd->ld", self.weights, self.mean[self.corners])

    @cached_property
    def landmark_modes(self) -> Float[np.ndarray, "modes landmarks 3"]:
        """Shifts of the landmarks by each mode."""
        return np.einsum("lk,mlkd->mld", self.weights, self.modes[:, self.corners])


def linear_head(model: str = "makehuman", people: int = PEOPLE, modes: int = MODES) -> LinearHead:
    """Principal components of random heads of a model, and its face units.

    Args:
        model: as `illures.synth.heads.models.load_model`: "makehuman", "ict=FILE" or "linear=FILE".
        people: random heads.
        modes: identity modes kept.

    Raises:
        InputError: there is no such model.
    """
    try:
        from illures.synth.heads.models import load_model
    except ImportError as error:
        raise InputError(f"{error.name}: not installed; head models need `pip install illures[evaluate]`") from error
    head = load_model(model)
    rng = np.random.default_rng(_SEED)
    pieces = [cut for cut in head.anatomy.cuts if cut.material in ("skin", "eyes")]
    used, index = np.unique(
        np.concatenate([head.anatomy.embedding.vertices.ravel(), *(cut.vertices for cut in pieces)]),
        return_inverse=True,
    )
    renamed = np.full(int(used.max()) + 1, -1)
    renamed[used] = np.arange(len(used))
    rest = np.stack([head.shape(rng)({})[used].astype(np.float32) for _ in range(people)])
    mean = rest.mean(axis=0)
    flat = (rest - mean).reshape(people, -1)
    _, values, components = np.linalg.svd(flat @ flat.T)
    identity = components[:modes] @ flat / np.sqrt(people)  # rows: modes scaled to unit variance
    anyone = head.shape(np.random.default_rng(_SEED))
    neutral = anyone({})[used]
    units = [anyone({unit: 1.0})[used] - neutral for unit in UNITS]
    expression = EXPRESSION * np.stack([unit for unit in units if np.abs(unit).max() > 1e-5])
    return LinearHead(
        mean=mean.astype(np.float64),
        modes=np.concatenate([identity.reshape(-1, *mean.shape), expression]).astype(np.float64),
        triangles=np.concatenate([renamed[cut.vertices[cut.triangles]] for cut in pieces]),
        corners=renamed[head.anatomy.embedding.vertices],
        weights=head.anatomy.embedding.weights,
    )


def fit(head: LinearHead, points: Float[np.ndarray, "478 3"], size: int) -> Float[np.ndarray, "vertices 3"]:
    """The most probable head at these landmarks.

    Pose and coefficients take turns, each by least squares. z counts as much as x and y: the landmark network guesses
    it, but without it the fit tilts (15.8 against 14.1 degrees on Extended Yale B).

    Args:
        head: the model.
        points: landmarks in the pixels of a square crop (x right, y down, z toward the viewer).
        size: its side [px].

    Returns:
        Vertices in the same pixels.
    """
    used = slice(0, _SURFACE)
    wanted = points[used].astype(np.float64) * [1, -1, 1]
    base, modes = head.landmarks[used], head.landmark_modes[:, used]
    coefficients = np.zeros(len(modes))
    for _ in range(ITERATIONS):
        scale, rotation, shift = _pose(base + np.einsum("m,mld->ld", coefficients, modes), wanted)
        design = (scale * modes @ rotation.T).reshape(len(modes), -1) / (NOISE * size / 100)
        missing = (wanted - scale * base @ rotation.T - shift).ravel() / (NOISE * size / 100)
        coefficients = np.linalg.solve(design @ design.T + np.eye(len(modes)), design @ missing)
    vertices = head.mean + np.einsum("m,mvd->vd", coefficients, head.modes)
    return (scale * vertices @ rotation.T + shift) * [1, -1, 1]


def _pose(
    model: Float[np.ndarray, "landmarks 3"], wanted: Float[np.ndarray, "landmarks 3"]
) -> tuple[float, Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """Scale, rotation and shift of the weak-perspective camera: wanted ≈ scale · R model + shift.

    Umeyama's closed form (PAMI 1991).
    """
    centre, middle = model.mean(axis=0), wanted.mean(axis=0)
    a, b = model - centre, wanted - middle
    u, _, vt = np.linalg.svd(b.T @ a)
    rotation = (u * np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])) @ vt
    turned = a @ rotation.T
    scale = float((turned * b).sum() / (turned * turned).sum())
    return scale, rotation, middle - scale * rotation @ centre


class Morphable:
    """Normals of the fitted head; the rest follows from them (`geometry.explain`)."""

    def __init__(self, model: str = "makehuman") -> None:
        """Build the linear model; takes some seconds.

        Raises:
            InputError: as `linear_head`.
        """
        self._head = linear_head(model)
        self.about = f"{model.partition('=')[0]} head, {len(self._head.modes)} modes"

    def estimate(self, query: Query) -> Estimate:
        """As `Method`."""
        crop = query.crop(SIZE)
        vertices = fit(self._head, to_crop(query.found.landmarks, crop), SIZE)
        return explain_mesh(query, to_photo(vertices, crop), self._head.triangles)


def mean_head_normals(size: int) -> Float[np.ndarray, "size size 3"]:
    """Normals of the average MakeHuman head, looking at the viewer, in our aligned crop of `size` pixels.

    Raises:
        InputError: as `linear_head`.
    """
    from illures.faces import alignment, points68
    from illures.synth.heads.makehuman import MakeHumanModel

    model = MakeHumanModel()
    pixels = model.average() * np.array([1.0, -1, 1]) * 1000  # some size; the alignment gives the right one
    points = model.anatomy.embedding.points(pixels).astype(np.float32)
    matrix = alignment(points68(points)[:, :2], size).astype(np.float64)
    scale = float(np.hypot(*matrix[:, 0]))
    placed = np.column_stack([pixels[:, :2] @ matrix[:, :2].T + matrix[:, 2], scale * pixels[:, 2]])
    triangles = np.concatenate([cut.vertices[cut.triangles] for cut in model.anatomy.cuts])
    return normal_map(placed, triangles, size)
