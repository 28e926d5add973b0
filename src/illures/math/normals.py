"""Unit normals: encode, decode, compare, mirror, turn.

Convention: camera frame, x right, y up, z toward the viewer; last axis of length 3.
"""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np
from array_api_compat import device
from jaxtyping import Float, Int

from illures.math.namespace import array_namespace


def normalize(vector: Float[Any, "*batch 3"], eps: float = 1e-8) -> Float[Any, "*batch 3"]:
    """Scale vectors to length 1; those shorter than `eps` go to (nearly) zero instead of to NaN."""
    xp = array_namespace(vector)
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    # The square root sees eps² at least, so that its gradient is finite at zero.
    return vector / xp.sqrt(xp.clip(x * x + y * y + z * z, min=eps * eps))[..., None]


def face_normals(
    vertices: Float[np.ndarray, "vertices 3"], triangles: Int[np.ndarray, "triangles 3"]
) -> Float[np.ndarray, "triangles 3"]:
    """Normals of triangles that are counter-clockwise seen from outside; their length is twice the area."""
    a, b, c = (vertices[corner] for corner in triangles.T)
    return np.asarray(np.cross(b - a, c - a))


def vertex_normals(
    vertices: Float[np.ndarray, "vertices 3"], triangles: Int[np.ndarray, "triangles 3"]
) -> Float[np.ndarray, "vertices 3"]:
    """Sums of the `face_normals` around each vertex, so weighted by area; `normalize` gives unit normals."""
    faces, corner = np.tile(face_normals(vertices, triangles), (3, 1)), triangles.T.ravel()
    return np.stack([np.bincount(corner, column, len(vertices)) for column in faces.T], axis=-1)


def encode(normal: Float[Any, "*batch 3"]) -> Float[Any, "*batch 3"]:
    """[-1, 1] to [0, 1], (n + 1) / 2: how files store normals."""
    return (normal + 1) / 2


def decode(code: Float[Any, "*batch 3"]) -> Float[Any, "*batch 3"]:
    """The inverse of `encode`, scaled to unit length."""
    return normalize(2 * code - 1)


def angular_error_deg(a: Float[Any, "*batch 3"], b: Float[Any, "*batch 3"]) -> Float[Any, "*batch"]:
    """Angle between vectors [deg]: atan2(|a × b|, a · b), exact near 0 where the arc cosine of a clamped dot is not."""
    xp = array_namespace(a, b)
    cross = xp.linalg.cross(a, b)
    return xp.atan2(xp.sqrt(xp.sum(cross * cross, axis=-1)), xp.sum(a * b, axis=-1)) * (180 / pi)


def mirror(normal: Float[Any, "*batch height width 3"]) -> Float[Any, "*batch height width 3"]:
    """The normal map of the horizontally mirrored image: columns reversed, x negated."""
    xp = array_namespace(normal)
    sign = xp.asarray([-1.0, 1.0, 1.0], dtype=normal.dtype, device=device(normal))
    return xp.flip(normal, axis=-2) * sign


def turn(normal: Float[Any, "*batch 3"], rotation: Float[Any, "3 3"]) -> Float[Any, "*batch 3"]:
    """Apply a rotation matrix to every vector, R @ n."""
    xp = array_namespace(normal)
    return normal @ xp.asarray(rotation, dtype=normal.dtype, device=device(normal)).T
