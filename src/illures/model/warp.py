"""`illures-warp`: the dense face mesh warps maps from one frame to another, without learning.

Both frames of a pair show the same 468 surface points. Each pixel of frame j lies on a triangle of the mesh, and
corresponds to the same point of that triangle in frame i: a piecewise-affine warp, exact for the mesh. Albedo is
sampled there; normals are also rotated with the mesh. Points hidden in one of the frames (turned away, behind the nose,
in the mouth) have weight 0.

Correspondences are NumPy and take a few milliseconds per pair; warping is PyTorch, differentiable in the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import grid_sample

from illures.faces.mask import LIPS_INSIDE
from illures.faces.mesh import triangles
from illures.math.normals import normalize, vertex_normals

# The eyelids' edges in the MediaPipe mesh. Eyeballs and teeth move without the mesh around them.
EYE_LEFT_INSIDE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
EYE_RIGHT_INSIDE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
_FACING = (0.2, 0.6)  # cosines to the viewer at which weight starts, and is full: little is visible beyond 78°
_BEHIND = 0.03  # tolerance of the depth test, relative to the image's side
_SMOOTHING = 2  # rounds of averaging rotations with those of neighbours; best for noise of 0.25 px
_POINTS = 468  # of the surface; the irises follow
_EDGE = 1e-9  # barycentric slack: a pixel on an edge belongs to either triangle, never to none


@dataclass(frozen=True)
class Correspondence:
    """Position in frame i of each pixel of frame j; NumPy for one pair, PyTorch for a batch.

    Attributes:
        grid: x, y in pixels of frame i (centres at integers); the pixel itself off the mesh.
        rotation: of normals from frame i to frame j, camera frame. A mean of rotations, so results must be normalised.
        valid: weight in [0, 1]: 1 where the point is well visible in both frames, 0 where it is hidden in one.
    """

    grid: Float[Any, "*batch height width 2"]
    rotation: Float[Any, "*batch height width 3 3"]
    valid: Float[Any, "*batch height width"]


class _Raster(NamedTuple):
    """Per pixel: the nearest triangle (-1: none), the place on it, its depth (-inf: none)."""

    triangle: Int[np.ndarray, "size size"]
    weights: Float[np.ndarray, "size size 3"]
    depth: Float[np.ndarray, "size size"]


class _Mesh(NamedTuple):
    """The mesh in one frame: its surface points in pixels, their normals in the camera frame, and its picture."""

    points: Float[np.ndarray, "468 3"]
    normals: Float[np.ndarray, "468 3"]
    raster: _Raster


def correspond(
    landmarks_i: Float[np.ndarray, "478 3"], landmarks_j: Float[np.ndarray, "478 3"], size: int
) -> Correspondence:
    """The correspondence for warping maps of frame i to frame j.

    Args:
        landmarks_i: in the pixels of frame i's aligned crop, z toward the viewer (as `Face.landmarks`).
        landmarks_j: of frame j.
        size: side of both crops [px].
    """
    i, j = _mesh(landmarks_i, size), _mesh(landmarks_j, size)
    return _between(i, j, _vertex_rotations(i, j))


def both_ways(
    landmarks_i: Float[np.ndarray, "478 3"], landmarks_j: Float[np.ndarray, "478 3"], size: int
) -> tuple[Correspondence, Correspondence]:
    """The correspondences i → j and j → i, at nearly the cost of one; arguments as for `correspond`."""
    i, j = _mesh(landmarks_i, size), _mesh(landmarks_j, size)
    rotations = _vertex_rotations(i, j)
    return _between(i, j, rotations), _between(j, i, np.swapaxes(rotations, 1, 2))


def _mesh(landmarks: Float[np.ndarray, "478 3"], size: int) -> _Mesh:
    points = landmarks[:_POINTS].astype(np.float64)
    normals = normalize(vertex_normals(points * [1, -1, 1], triangles()))
    return _Mesh(points, np.asarray(normals), _rasterise(points, size))


def _between(i: _Mesh, j: _Mesh, rotations: Float[np.ndarray, "468 3 3"]) -> Correspondence:
    covered = j.raster.triangle >= 0
    size = len(covered)
    index = j.raster.triangle[covered]
    # All values interpolated over the triangles: position in i, rotation, cosines to the viewer.
    known = np.concatenate([i.points, rotations.reshape(-1, 9), i.normals[:, 2:], j.normals[:, 2:]], axis=1)
    found = np.einsum("pc,pcv->pv", j.raster.weights[covered], known[triangles()[index]])
    weight = _steps(found[:, 12]) * _steps(found[:, 13]) * _detail(i.points, j.points)[index]
    weight *= _is_seen(found[:, :3], i.raster.depth, size)

    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).astype(np.float32)
    rotation = np.broadcast_to(np.eye(3, dtype=np.float32), (size, size, 3, 3)).copy()
    valid = np.zeros((size, size), np.float32)
    grid[covered], rotation[covered], valid[covered] = found[:, :2], found[:, 3:12].reshape(-1, 3, 3), weight
    return Correspondence(grid, rotation, valid)


def batched(pairs: Sequence[Correspondence], device: torch.device | str = "cpu") -> Correspondence:
    """Stack correspondences as PyTorch tensors."""
    return Correspondence(
        *(
            torch.from_numpy(np.stack([getattr(pair, name) for pair in pairs])).to(device)
            for name in ("grid", "rotation", "valid")
        )
    )


def warp_map(
    values: Float[Tensor, "batch height width channels"], pair: Correspondence
) -> Float[Tensor, "batch height width channels"]:
    """Warp maps of frame i, such as albedo or mask, to frame j: bilinear, with replicated border."""
    height, width = values.shape[1:3]
    scale = torch.tensor([2 / width, 2 / height], dtype=values.dtype, device=values.device)
    grid = (pair.grid.to(values.dtype) + 0.5) * scale - 1
    found = grid_sample(values.permute(0, 3, 1, 2), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return found.permute(0, 2, 3, 1)


def warp_normal(
    normal: Float[Tensor, "batch height width 3"], pair: Correspondence
) -> Float[Tensor, "batch height width 3"]:
    """Warp normals of frame i to frame j, and rotate them with the mesh."""
    return normalize((pair.rotation.to(normal.dtype) @ warp_map(normal, pair)[..., None])[..., 0])


def _rasterise(points: Float[np.ndarray, "468 3"], size: int) -> _Raster:
    """Triangles that face the viewer, with a depth buffer; all pixels of all bounding boxes at once."""
    corners = points[triangles()]
    low = np.clip(np.ceil(corners[..., :2].min(1)), 0, size).astype(np.int64)
    high = np.clip(np.floor(corners[..., :2].max(1)) + 1, 0, size).astype(np.int64)
    planes, facing = _planes(corners)
    spans = np.maximum(high - low, 0) * facing[:, None]
    count = spans.prod(1)
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    y, x = np.divmod(place, np.repeat(spans[:, 0], count))
    x, y = x + np.repeat(low[:, 0], count), y + np.repeat(low[:, 1], count)
    second, third = (
        np.repeat(plane[:, 0], count) * x + np.repeat(plane[:, 1], count) * y + np.repeat(plane[:, 2], count)
        for plane in np.moveaxis(planes, 1, 0)
    )
    inside = np.flatnonzero((second >= -_EDGE) & (third >= -_EDGE) & (second + third <= 1 + _EDGE))
    second, third = second[inside], third[inside]
    weights = np.stack([1 - second - third, second, third], axis=-1)
    index = np.repeat(np.arange(len(corners)), count)[inside]
    depth = np.einsum("fc,fc->f", weights, corners[index, :, 2])
    order = np.argsort(depth)  # for repeated pixels the last assignment counts: the nearest
    raster = _Raster(np.full((size, size), -1), np.zeros((size, size, 3)), np.full((size, size), -np.inf))
    pixel = y[inside][order], x[inside][order]
    raster.triangle[pixel], raster.weights[pixel], raster.depth[pixel] = index[order], weights[order], depth[order]
    return raster


def _planes(
    corners: Float[np.ndarray, "triangles 3 3"],
) -> tuple[Float[np.ndarray, "triangles 2 3"], Bool[np.ndarray, " triangles"]]:
    """Barycentric weights of the second and third corner as a · x + b · y + c, and which triangles face the viewer."""
    (ax, ay), (bx, by), (cx, cy) = np.moveaxis(corners[..., :2], 0, -1)
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    facing = area < -1e-9  # with y down, their orientation is reversed
    second = np.stack([cy - ay, ax - cx, (cx - ax) * ay - (cy - ay) * ax], axis=-1)
    third = np.stack([ay - by, bx - ax, (by - ay) * ax - (bx - ax) * ay], axis=-1)
    return np.stack([second, third], axis=1) / np.where(facing, area, 1)[:, None, None], facing


def _is_seen(
    places: Float[np.ndarray, "pixels 3"], depth: Float[np.ndarray, "size size"], size: int
) -> Bool[np.ndarray, " pixels"]:
    """Whether points lie inside an image and are not occluded by its mesh."""
    inside = ((places[:, :2] >= 0) & (places[:, :2] <= size - 1)).all(1)
    x, y = np.clip(np.rint(places[:, :2]), 0, size - 1).astype(np.int64).T
    return np.asarray(inside & (places[:, 2] >= depth[y, x] - _BEHIND * size))


def _steps(cosine: Float[np.ndarray, " pixels"]) -> Float[np.ndarray, " pixels"]:
    low, high = _FACING
    return np.asarray(np.clip((cosine - low) / (high - low), 0, 1))


def _detail(points_i: np.ndarray, points_j: np.ndarray) -> Float[np.ndarray, " triangles"]:
    """Foreshortening: ratio of the pixels of frame i and frame j, at most 1; 0 in the holes."""
    areas = []
    for points in (points_i, points_j):
        (ax, ay), (bx, by), (cx, cy) = (points[corner, :2].T for corner in triangles().T)
        areas.append(np.abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)))
    return np.minimum(1, areas[0] / np.maximum(areas[1], 1e-9)) * ~_holes()


@cache
def _holes() -> Bool[np.ndarray, " triangles"]:
    """Triangles that span the eyes and the mouth."""
    rims = (LIPS_INSIDE, EYE_LEFT_INSIDE, EYE_RIGHT_INSIDE)
    return np.any([np.isin(triangles(), rim).all(1) for rim in rims], axis=0)


@cache
def _edges() -> Int[np.ndarray, "edges 2"]:
    """Directed edges of the mesh, each once."""
    faces = triangles()
    pairs = np.concatenate([faces[:, [a, b]] for a in range(3) for b in range(3) if a != b])
    return np.unique(pairs, axis=0)


def _gather(values: Float[np.ndarray, "edges n"]) -> Float[np.ndarray, "468 n"]:
    """Sums over the edges that leave each vertex."""
    start = _edges()[:, 0]
    return np.stack([np.bincount(start, column, _POINTS) for column in values.T], axis=-1)


def _vertex_rotations(i: _Mesh, j: _Mesh) -> Float[np.ndarray, "468 3 3"]:
    """Rotation of the mesh from i to j around each surface point, camera frame.

    It maps the vertex normal of i to that of j. The angle about the normal fits the edges in the tangent planes by
    least squares (2-D Procrustes, closed form). Then it is averaged over neighbours, as single vertices jitter.
    """
    start, end = _edges().T
    frames, tangents = [], []
    for mesh in (i, j):
        vertices, frame = mesh.points * [1, -1, 1], _frames(mesh.normals)
        frames.append(frame)
        tangents.append(np.einsum("ekd,ed->ek", frame[start, :2], vertices[end] - vertices[start]))
    (xi, yi), (xj, yj) = (tangent.T for tangent in tangents)
    along, across = _gather(np.stack([xi * xj + yi * yj, xi * yj - yi * xj], axis=-1)).T
    length = np.maximum(np.hypot(along, across), 1e-12)
    twist = np.zeros((_POINTS, 3, 3))
    twist[:, 0, 0] = twist[:, 1, 1] = along / length
    twist[:, 1, 0], twist[:, 0, 1], twist[:, 2, 2] = across / length, -across / length, 1
    rotations = np.swapaxes(frames[1], 1, 2) @ twist @ frames[0]
    degree = np.bincount(start, minlength=_POINTS)[:, None, None]
    for _ in range(_SMOOTHING):
        around = _gather(rotations.reshape(-1, 9)[end]).reshape(-1, 3, 3)
        rotations = 0.5 * (rotations + around / degree)
    return rotations


def _frames(normals: Float[np.ndarray, "468 3"]) -> Float[np.ndarray, "468 3 3"]:
    """Orthonormal frames as rows: two tangents, then the normal (Duff et al. 2017, without branches)."""
    x, y, z = normals.T
    sign = np.where(z >= 0, 1.0, -1.0)
    a = -1 / (sign + z)
    b = x * y * a
    first = np.stack([1 + sign * x * x * a, sign * b, -sign * x], axis=-1)
    second = np.stack([b, sign + y * y * a, -y], axis=-1)
    return np.stack([first, second, normals], axis=1)
