"""The UV atlas of the dense mesh: maps of a face in a fixed square, independent of pose and expression.

Convention: row 0 of the atlas is the forehead, columns run as in the image of a frontal face; texel centres are at
integers. The layout is MediaPipe's own.
Texels outside the mesh repeat the nearest one inside, so that interpolation near the outline is correct.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

from illures.faces import mesh
from illures.math.fill import nearest
from illures.math.sampling import remap
from illures.types import FaceCrop

SIZE = 128  # texels a side for crops of 128 px: at least one for each pixel of a frontal face
_RIM = 1.5  # margin around the mesh [texels]
_EDGE = 1e-4  # barycentric slack: a pixel on an edge belongs to either triangle, never to none


@dataclass(frozen=True)
class Layout:
    """Where each texel lies on the mesh.

    Attributes:
        triangle: index of the triangle.
        corners: its vertices.
        weight: barycentric weights of its corners.
        inside: whether the texel itself lies on the mesh.
    """

    triangle: Int[np.ndarray, "size size"]
    corners: Int[np.ndarray, "size size 3"]
    weight: Float[np.ndarray, "size size 3"]
    inside: Bool[np.ndarray, "size size"]


@cache
def layout(size: int = SIZE) -> Layout:
    """The fixed layout of an atlas of `size` texels a side."""
    corners, faces = vertices(size), mesh.triangles()
    triangle = _paint_triangles(corners, faces, size)
    inside = triangle >= 0
    triangle = nearest(triangle, inside)
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    weight = _barycentric(np.stack([x, y], -1).astype(np.float64), corners[faces[triangle]])
    weight = np.clip(weight, 0, None)
    weight /= weight.sum(-1, keepdims=True)
    return Layout(triangle, faces[triangle], weight.astype(np.float32), inside)


def positions(landmarks: Float[np.ndarray, "478 d"], size: int = SIZE) -> Float[np.ndarray, "size size d"]:
    """Position of each texel in the image of the landmarks."""
    where = layout(size)
    points = landmarks.astype(np.float32)
    a, b, c = (points.take(where.corners[..., k], axis=0) * where.weight[..., k, None] for k in range(3))
    return a + b + c


def facing(landmarks: Float[np.ndarray, "478 3"], size: int = SIZE) -> Float[np.ndarray, "size size"]:
    """Cosine between each texel's triangle and the line of sight; below 0 it faces away."""
    a, b, c = (landmarks.astype(np.float64)[corner] * [1, -1, 1] for corner in mesh.triangles().T)
    normal = np.cross(b - a, c - a)
    cosine = normal[:, 2] / np.maximum(np.linalg.norm(normal, axis=1), 1e-9)
    return cosine.astype(np.float32)[layout(size).triangle]


def unwrap(image: Float[np.ndarray, "h w *c"], places: Float[np.ndarray, "s s d"]) -> Float[np.ndarray, "s s *c"]:
    """The atlas of an image: its pixels (bilinear) at the texels' `positions`."""
    x, y = np.ascontiguousarray(places[..., 0]), np.ascontiguousarray(places[..., 1])
    return remap(image, x, y, cv2.BORDER_REPLICATE)


@dataclass(frozen=True)
class Wrap:
    """The map from the pixels of one pose to the atlas: which texel each pixel shows.

    Attributes:
        x, y: position in the atlas [texels]; off the mesh that of the nearest pixel on it.
        on_mesh: where the mesh faces the viewer.
    """

    x: Float[np.ndarray, "side side"]
    y: Float[np.ndarray, "side side"]
    on_mesh: Bool[np.ndarray, "side side"]

    def __call__(self, atlas: Float[np.ndarray, "size size *c"]) -> Float[np.ndarray, "side side *c"]:
        """Warp an atlas to this pose."""
        return remap(atlas, self.x, self.y, cv2.BORDER_REPLICATE)


def wrap(landmarks: Float[np.ndarray, "478 3"], side: int, size: int = SIZE) -> Wrap:
    """The warp from an atlas of `size` texels to a square image of `side` pixels.

    Args:
        landmarks: in the pixels of that image.
        side: of the image [px].
        size: of the atlas [texels].
    """
    on_mesh, place = rasterised(landmarks, side, vertices(size).astype(np.float32))
    filled = nearest(place, on_mesh) if on_mesh.any() else place
    return Wrap(np.ascontiguousarray(filled[..., 0]), np.ascontiguousarray(filled[..., 1]), on_mesh)


def head_rotation(landmarks: Float[np.ndarray, "478 3"]) -> Float[np.ndarray, "3 3"]:
    """Rotation from the frame of the canonical head (x right, y up, z forward) to the camera frame.

    Orthogonal Procrustes (Kabsch 1976) between the mesh and MediaPipe's canonical face.
    """
    canonical = canonical_points()
    points = landmarks[: len(canonical)].astype(np.float64) * [1, -1, 1]
    u, _, vt = np.linalg.svd((points - points.mean(0)).T @ canonical)
    u[:, -1] *= np.sign(np.linalg.det(u @ vt))
    return u @ vt


def head_axes(crop: FaceCrop) -> Float[np.ndarray, "3 3"]:
    """Axes of the head as columns, in the photo's frame; rows of normals there times this are in the head's."""
    return head_rotation(crop.face.landmarks)


@cache
def canonical_points() -> Float[np.ndarray, "468 3"]:
    """Points of the mesh of a head that looks into the camera, about their mean; y up."""
    with np.load(str(files("illures.faces") / "weights" / "face_mesh.npz")) as stored:
        points = stored["positions"].astype(np.float64)
    return points - points.mean(0)


@cache
def vertices(size: int) -> Float[np.ndarray, "468 2"]:
    """Position of each vertex in the atlas [texels]."""
    with np.load(str(files("illures.faces") / "weights" / "face_mesh.npz")) as stored:
        uv = stored["uv"].astype(np.float64)
    # As large as possible, with a rim for interpolation.
    low, high = uv.min(0), uv.max(0)
    return _RIM + (uv - low) / (high - low) * (size - 1 - 2 * _RIM)


def rasterised(
    landmarks: Float[np.ndarray, "478 3"], side: int, values: Float[np.ndarray, "_ c"]
) -> tuple[Bool[np.ndarray, "side side"], Float[np.ndarray, "side side c"]]:
    """Rasterise the mesh: where it faces the viewer, and vertex values interpolated over it (0 elsewhere).

    The pixels of all triangles' bounding boxes are tested at once, which is faster than one call per triangle.
    """
    points = landmarks.astype(np.float32)
    corners = points[mesh.triangles()]
    edges = corners[:, 1:, :2] - corners[:, :1, :2]
    area = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    low = np.clip(np.ceil(corners[..., :2].min(1)), 0, side).astype(np.int32)
    spans = np.clip(np.floor(corners[..., :2].max(1)).astype(np.int32) + 1, 0, side) - low
    # With y down, triangles that face the viewer have reversed orientation. Drawn from far to near: the last stays.
    front = np.flatnonzero((area < -1e-6) & (spans > 0).all(1))
    front = front[np.argsort(corners[front, :, 2].mean(1))]
    count = spans[front].prod(1)
    number = np.repeat(front, count)
    within = np.arange(len(number), dtype=np.int32) - np.repeat(np.cumsum(count, dtype=np.int32) - count, count)
    row, column = np.divmod(within, spans[number, 0])
    x, y = column + low[number, 0], row + low[number, 1]
    weight = _affine(corners[front, :, :2], area[front])[np.repeat(np.arange(len(front)), count)]
    v, w = (weight[:, k, 0] * x + weight[:, k, 1] * y + weight[:, k, 2] for k in range(2))
    inside = np.flatnonzero((v >= -_EDGE) & (w >= -_EDGE) & (v + w <= 1 + _EDGE))
    chosen, v, w = mesh.triangles()[number[inside]], v[inside, None], w[inside, None]
    found = values[chosen[:, 0]] * (1 - v - w) + values[chosen[:, 1]] * v + values[chosen[:, 2]] * w
    on_mesh, canvas = np.zeros((side, side), bool), np.zeros((side, side, values.shape[1]), np.float32)
    canvas[y[inside], x[inside]], on_mesh[y[inside], x[inside]] = found, True
    return on_mesh, canvas


def interpolated(
    values: Float[np.ndarray, "478 d"], corners: Float[np.ndarray, "478 2"], size: int
) -> tuple[Float[np.ndarray, "size size d"], Bool[np.ndarray, "size size"]]:
    """Interpolate vertex values over a square with the vertices at `corners` [px]; also returns where the mesh is.

    Pixels off the mesh get the values of the nearest pixel on it.
    """
    faces = mesh.triangles()
    triangle = _paint_triangles(corners, faces, size)
    inside = triangle >= 0
    chosen = faces[nearest(triangle, inside)]
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    weight = np.clip(_barycentric(np.stack([x, y], -1).astype(np.float64), corners[chosen]), 0, 1)
    weight /= weight.sum(-1, keepdims=True)
    return np.einsum("hwk,hwkd->hwd", weight, values[chosen].astype(np.float64)), inside


def _paint_triangles(corners: np.ndarray, faces: np.ndarray, size: int) -> Int[np.ndarray, "size size"]:
    canvas = np.zeros((size, size), np.float32)
    for number, corner in enumerate(np.rint(corners[faces] * 16).astype(np.int32), 1):
        cv2.fillConvexPoly(canvas, corner, float(number), cv2.LINE_8, 4)
    return canvas.astype(np.int64) - 1


def _barycentric(
    points: Float[np.ndarray, "h w 2"], corners: Float[np.ndarray, "h w 3 2"]
) -> Float[np.ndarray, "h w 3"]:
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    ab, ac, ap = b - a, c - a, points - a
    area = ab[..., 0] * ac[..., 1] - ab[..., 1] * ac[..., 0]
    v = (ap[..., 0] * ac[..., 1] - ap[..., 1] * ac[..., 0]) / area
    w = (ab[..., 0] * ap[..., 1] - ab[..., 1] * ap[..., 0]) / area
    return np.stack([1 - v - w, v, w], axis=-1)


def _affine(corners: Float[np.ndarray, "t 3 2"], area: Float[np.ndarray, " t"]) -> Float[np.ndarray, "t 2 3"]:
    """Coefficients of x, y and 1 for the barycentric weights of each triangle's second and third corner."""
    (ax, ay), (bx, by), (cx, cy) = np.moveaxis(corners, 0, -1)
    second = np.stack([cy - ay, ax - cx, (cx - ax) * ay - (cy - ay) * ax], -1)
    third = np.stack([ay - by, bx - ax, (by - ay) * ax - (bx - ax) * ay], -1)
    return np.stack([second, third], 1) / area[:, None, None]
