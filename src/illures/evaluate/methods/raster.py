"""Triangle meshes to maps of normals: a z-buffer in numpy, for meshes of many small triangles."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, Int

from illures.math.normals import normalize, vertex_normals


def normal_map(
    vertices: Float[np.ndarray, "vertices 3"], triangles: Int[np.ndarray, "triangles 3"], size: int
) -> Float[np.ndarray, "size size 3"]:
    """Smooth normals of a mesh seen by an orthographic camera; zero where it is not seen.

    Args:
        vertices: in the pixels of a square image (x right, y down, z toward the viewer, one unit for all).
        triangles: counter-clockwise seen from outside (with y up); those that face away are not drawn.
        size: side of the image [px].
    """
    normals = normalize(vertex_normals(vertices.astype(np.float64) * [1.0, -1, 1], triangles))
    pixel, depth, triangle, weights = _fragments(vertices.astype(np.float64), triangles, size)
    nearest = np.argsort(depth, kind="stable")  # of equal pixels the last one stays
    seen = np.full(size * size, -1)
    seen[pixel[nearest]] = nearest
    drawn = np.flatnonzero(seen >= 0)
    fragment = seen[drawn]
    mixed = np.einsum("fk,fkc->fc", weights[fragment], normals[triangles[triangle[fragment]]])
    canvas = np.zeros((size * size, 3), np.float32)
    canvas[drawn] = mixed / np.maximum(np.linalg.norm(mixed, axis=-1, keepdims=True), 1e-30)
    return canvas.reshape(size, size, 3)


def without_holes(normal: Float[np.ndarray, "size size 3"]) -> Float[np.ndarray, "size size 3"]:
    """Gaps that the surface surrounds, such as that between parted lips, filled from around them."""
    covered = (np.abs(normal).sum(axis=-1) > 0).astype(np.uint8)
    outlines, _ = cv2.findContours(covered, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = cv2.drawContours(np.zeros_like(covered), outlines, -1, 1, cv2.FILLED)
    hole = (whole > 0) & (covered == 0)
    near = cv2.GaussianBlur(normal, (0, 0), len(normal) / 64)
    filled = near / np.maximum(np.linalg.norm(near, axis=-1, keepdims=True), 1e-6)
    return np.where(hole[..., None], filled, normal).astype(np.float32)


def _fragments(
    vertices: Float[np.ndarray, "vertices 3"], triangles: Int[np.ndarray, "triangles 3"], size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every pixel centre inside every triangle: pixel, depth, triangle, barycentric weights.

    Loops over places within the triangles' boxes, not over triangles.
    """
    a, b, c = (vertices[corner] for corner in triangles.T)
    area = _cross(b - a, c - a)
    low = np.clip(np.ceil(np.minimum(np.minimum(a, b), c)[:, :2] - 1e-9), 0, size).astype(int)
    high = np.clip(np.floor(np.maximum(np.maximum(a, b), c)[:, :2] + 1e-9), -1, size - 1).astype(int)
    extent = high - low + 1
    # With y down, what is counter-clockwise from outside has negative area.
    drawn = np.flatnonzero((area < -1e-12) & (extent > 0).all(axis=1))
    found = []
    for dx in range(int(extent[drawn, 0].max(initial=0))):
        columns = drawn[extent[drawn, 0] > dx]
        for dy in range(int(extent[columns, 1].max(initial=0))):
            some = columns[extent[columns, 1] > dy]
            place = low[some] + [dx, dy]
            wb = _cross(place - a[some, :2], c[some] - a[some]) / area[some]
            wc = _cross(b[some] - a[some], place - a[some, :2]) / area[some]
            weights = np.stack([1 - wb - wc, wb, wc], axis=-1)
            inside = (weights >= -1e-9).all(axis=-1)
            some, place, weights = some[inside], place[inside], weights[inside]
            depth = np.einsum("fk,fk->f", weights, vertices[triangles[some], 2])
            found.append((place[:, 1] * size + place[:, 0], depth, some, weights))
    if not found:
        empty = np.zeros(0, int)
        return empty, np.zeros(0), empty, np.zeros((0, 3))
    pixel, depth, triangle, weight = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return pixel, depth, triangle, weight


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.asarray(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
