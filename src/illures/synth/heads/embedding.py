"""Dense landmarks of head models: the 478 points of the MediaPipe face mesh, embedded in a model's surface.

A point is a place within one triangle, so it moves with the surface. `assets/landmarks.npz` is measured by
scripts/build_landmarks.py: the places whose projections lie nearest to what the photo detector finds on renders.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files

import numpy as np
from jaxtyping import Float, Int

from illures.errors import InputError


@dataclass(frozen=True)
class Embedding:
    """Points on a surface, such as the 478 of the face mesh on a head model.

    Attributes:
        vertices: the corners of each point's triangle, as numbers of the model's vertices.
        weights: barycentric, in [0, 1]; rows sum to 1.
    """

    vertices: Int[np.ndarray, "points 3"]
    weights: Float[np.ndarray, "points 3"]

    def points(self, vertices: Float[np.ndarray, "vertices 3"]) -> Float[np.ndarray, "points 3"]:
        """The points on the posed surface, in the coordinates of its vertices."""
        return np.einsum("pk,pkd->pd", self.weights, vertices[self.vertices])


def load_embedding(model: str) -> Embedding:
    """The measured points of a head model: "makehuman" (subdivided once) or "ict"."""
    with as_file(files("illures.synth") / "assets" / "landmarks.npz") as path, np.load(path) as file:
        if f"{model}_vertices" not in file:
            known = ", ".join(sorted(key[: -len("_vertices")] for key in file if key.endswith("_vertices")))
            raise InputError(f"model {model!r}: no measured landmarks; there are those of {known}")
        return Embedding(file[f"{model}_vertices"].astype(np.int64), file[f"{model}_weights"].astype(np.float64))


def transfer(
    points_source: Float[np.ndarray, "478 3"],
    landmarks68_source: Float[np.ndarray, "68 3"],
    landmarks68_target: Float[np.ndarray, "68 3"],
    vertices_target: Float[np.ndarray, "vertices 3"],
    triangles_target: Int[np.ndarray, "triangles 3"],
) -> Embedding:
    """Transfer the points of a head to one of which only the 68 iBUG landmarks are known.

    A thin-plate spline maps the 68 landmarks of one head to those of the other. The 478 points are mapped by it, then
    projected to the surface. Both heads at rest, in head coordinates (any common unit).

    Args:
        points_source: of the head with measured points.
        landmarks68_source: of the same head.
        landmarks68_target: of the other.
        vertices_target: of the other.
        triangles_target: triangles for the points: skin and eyeballs, not teeth or the inside of the mouth.
    """
    points = thin_plate(points_source, landmarks68_source, landmarks68_target)
    return embed(points, vertices_target, triangles_target)


def thin_plate(
    points: Float[np.ndarray, "n 3"], source: Float[np.ndarray, "68 3"], target: Float[np.ndarray, "68 3"]
) -> Float[np.ndarray, "n 3"]:
    """Map points by the thin-plate spline from the source landmarks to the target ones."""
    from scipy.interpolate import RBFInterpolator  # slow to import, and MakeHuman's own heads need no transfer

    return np.asarray(RBFInterpolator(source, target, kernel="thin_plate_spline")(points))


def embed(
    points: Float[np.ndarray, "points 3"],
    vertices: Float[np.ndarray, "vertices 3"],
    triangles: Int[np.ndarray, "triangles 3"],
) -> Embedding:
    """Project points to a surface."""
    from scipy.spatial import cKDTree

    corners = vertices[triangles]
    middle = corners.mean(axis=1)
    reach = np.linalg.norm(corners - middle[:, None], axis=2).max()
    near, _ = cKDTree(vertices[np.unique(triangles)]).query(points)
    # The nearest triangle is no farther than the nearest vertex, and its middle at most `reach` farther.
    candidates = cKDTree(middle).query_ball_point(points, near + reach)
    found, weights = np.empty(len(points), np.int64), np.empty((len(points), 3))
    for k, (point, some) in enumerate(zip(points, candidates, strict=True)):
        bary = _nearest(point, corners[some])
        distance = np.linalg.norm(np.einsum("tk,tkd->td", bary, corners[some]) - point, axis=1)
        best = int(distance.argmin())
        found[k], weights[k] = some[best], bary[best]
    return Embedding(triangles[found].astype(np.int64), weights)


def _nearest(
    point: Float[np.ndarray, "3"], corners: Float[np.ndarray, "triangles 3 3"]
) -> Float[np.ndarray, "triangles 3"]:
    """Barycentric weights of the place in each triangle that is nearest to the point."""
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    aa, bb, cc = (np.einsum("td,td->t", x, y) for x, y in ((ab, ab), (ab, ac), (ac, ac)))
    u, v = (np.einsum("td,td->t", point - a, edge) for edge in (ab, ac))
    area = np.maximum(aa * cc - bb * bb, 1e-300)
    b, c = (cc * u - bb * v) / area, (aa * v - bb * u) / area
    inside = np.stack([1 - b - c, b, c], axis=1)
    # Where the foot of the perpendicular is outside, the nearest place lies on one of the edges.
    options = [np.where((inside >= 0).all(1, keepdims=True), inside, np.nan)]
    for i, j in ((0, 1), (1, 2), (2, 0)):
        edge = corners[:, j] - corners[:, i]
        along = np.einsum("td,td->t", point - corners[:, i], edge) / np.maximum((edge**2).sum(1), 1e-300)
        weights = np.zeros_like(inside)
        weights[:, j] = np.clip(along, 0, 1)
        weights[:, i] = 1 - weights[:, j]
        options.append(weights)
    stacked = np.stack(options)
    distance = np.linalg.norm(np.einsum("otk,tkd->otd", stacked, corners) - point, axis=2)
    return stacked[np.where(np.isnan(distance), np.inf, distance).argmin(axis=0), np.arange(len(corners))]
