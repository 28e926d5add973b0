"""The dense landmarks as a surface: its normals and its outline, rasterised."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from jaxtyping import Float, Int

from illures.math.normals import face_normals, vertex_normals

_SUBPIXEL = 4  # fractional bits of OpenCV's fixed-point coordinates


@cache
def triangles() -> Int[np.ndarray, "898 3"]:
    """Triangles of the 468 surface points, counter-clockwise seen from outside in the camera frame (y up)."""
    with np.load(str(files("illures.faces") / "weights" / "face_mesh.npz")) as mesh:
        found = mesh["triangles"].astype(np.int64)
        # The canonical face looks along +z, so most of its surface must face +z.
        return found if face_normals(mesh["positions"], found)[:, 2].sum() > 0 else found[:, ::-1]


def mesh_normals(landmarks: Float[np.ndarray, "478 3"], size: int) -> Float[np.ndarray, "size size 3"]:
    """Smooth normals of the dense mesh, camera frame; zero outside the mesh.

    Args:
        landmarks: in the pixels of a square image of side `size`, z toward the viewer (as `Face.landmarks`).
        size: side of the image [px].
    """
    vertices = landmarks.astype(np.float64) * [1, -1, 1]
    faces = triangles()
    normals = face_normals(vertices, faces)
    smooth = vertex_normals(vertices, faces)[faces].mean(axis=1)
    smooth /= np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-9)
    canvas = _paint(landmarks, normals, smooth, size)
    # Triangles are a few pixels wide. A blur of that size smooths the facets; dividing keeps the outline sharp.
    covered = (np.abs(canvas).sum(axis=-1) > 0).astype(np.float32)
    blurred = cv2.GaussianBlur(canvas, (0, 0), size / 64)
    length = np.linalg.norm(blurred, axis=-1)
    return np.asarray(blurred * (covered / np.maximum(length, 1e-6))[..., None], dtype=np.float32)


def mesh_mask(landmarks: Float[np.ndarray, "478 3"], size: int) -> Float[np.ndarray, "size size"]:
    """1 where the mesh faces the viewer, 0 elsewhere; also correct on profiles, unlike a polygon."""
    normals = face_normals(landmarks.astype(np.float64) * [1, -1, 1], triangles())
    return np.ascontiguousarray(_paint(landmarks, normals, np.ones_like(normals), size)[..., 0])


def _paint(landmarks: np.ndarray, normals: np.ndarray, colors: np.ndarray, size: int) -> Float[np.ndarray, "s s 3"]:
    """Triangles that face the viewer, the far ones first."""
    faces = triangles()
    front = np.flatnonzero(normals[:, 2] > 0)
    order = front[np.argsort(landmarks[faces[front], 2].mean(axis=1))]
    corners = np.clip(landmarks[faces[order], :2], -4 * size, 5 * size)
    fixed = np.rint(corners * (1 << _SUBPIXEL)).astype(np.int32)
    canvas = np.zeros((size, size, 3), np.float32)
    for corner, color in zip(fixed, colors[order].tolist(), strict=True):
        cv2.fillConvexPoly(canvas, corner, color, cv2.LINE_8, _SUBPIXEL)
    return canvas
