"""A coarse height map of the face and what it hides from each point: cast shadows and occluded light.

Normals give the slopes, the landmark mesh the broad shape: the height z minimises |grad z - slopes|² + w |z - mesh|²,
solved exactly by the cosine transform (Frankot and Chellappa 1988, with the reflecting borders of Simchony et al.
1990). Shadows come from horizons (Max 1988): for each azimuth the steepest rise that is seen from a pixel.

Convention: heights in pixels of the map, toward the viewer. Azimuths of horizons turn in the image plane, from image
right to up; elevations are above the image plane, 90 degrees toward the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float

from illures.faces.mesh import triangles
from illures.math import sh
from illures.math.fill import filled

AZIMUTHS = 16
_ELEVATIONS_DEG = np.arange(-60, 86, 10.0)
# Slopes steeper than this are noise of normals that nearly graze [rise per pixel].
_STEEPEST = 3.0
# Structures wider than this part of the map follow the landmark mesh, smaller ones the normals.
_MESH_FROM = 0.75
# How far an obstacle may be, in parts of the map's side.
_STEPS = (0.016, 0.024, 0.033, 0.045, 0.06, 0.08, 0.105, 0.14, 0.185, 0.24, 0.31)
# A horizon that rises above the surface's own tangent by less is the surface itself; by the second figure, an obstacle.
_CLEAR_DEG = (3.0, 10.0)
# Shadows of a lamp of no size would show the map's pixels.
_LEAST_SOFT_DEG = 5.0


@dataclass(frozen=True)
class Occlusion:
    """What a face hides from itself, at the size of its height map.

    Attributes:
        normal: of the surface.
        tangent_deg, horizon_deg: elevation of the surface's own tangent and of what is seen to rise, at each azimuth.
        hidden: of each SH basis function, the part of its shading that obstacles take (before the light).
    """

    normal: Float[np.ndarray, "size size 3"]
    tangent_deg: Float[np.ndarray, "azimuths size size"]
    horizon_deg: Float[np.ndarray, "azimuths size size"]
    hidden: Float[np.ndarray, "size size 9"]

    def shadow(self, direction: Float[np.ndarray, "3"], radius_deg: float) -> Float[np.ndarray, "size size"]:
        """How much of a lamp is hidden, from 0 to 1.

        Args:
            direction: unit vector toward the lamp.
            radius_deg: its angular radius.
        """
        turn = np.arctan2(direction[1], direction[0]) / (2 * np.pi) * AZIMUTHS
        low, part = int(np.floor(turn)), np.float32(turn - np.floor(turn))
        a, b = low % AZIMUTHS, (low + 1) % AZIMUTHS
        horizon = (1 - part) * self.horizon_deg[a] + part * self.horizon_deg[b]
        tangent = (1 - part) * self.tangent_deg[a] + part * self.tangent_deg[b]
        elevation = float(np.rad2deg(np.arcsin(np.clip(direction[2], -1, 1))))
        return _covered(horizon, elevation, max(radius_deg, _LEAST_SOFT_DEG)) * _is_obstacle(horizon, tangent)


@cache
def nothing_hidden(size: int) -> Occlusion:
    """No shadows, but highlights."""
    flat = np.full((AZIMUTHS, size, size), -90, np.float32)
    blank = np.zeros((size, size, 9), np.float32)
    return Occlusion(blank[..., :3], flat, flat, blank)


def occlusion(
    normal: Float[np.ndarray, "size size 3"],
    mask: Float[np.ndarray, "size size"],
    landmarks: Float[np.ndarray, "478 3"],
) -> Occlusion:
    """Integrate the normals and look around from every pixel.

    Args:
        normal: camera frame; size even.
        mask: where the normals mean something; nothing outside it casts a shadow.
        landmarks: in the pixels of the map.
    """
    z = height_map(normal, mask, landmarks)
    angles = 2 * np.pi * np.arange(AZIMUTHS) / AZIMUTHS
    ahead = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    slope = -(normal[..., 0] * ahead[:, :1, None] + normal[..., 1] * ahead[:, 1:, None])
    tangent = np.rad2deg(np.arctan2(slope, np.maximum(normal[..., 2], 0.05))).astype(np.float32)
    horizon = np.stack([_horizon(z, mask, step) for step in ahead])
    return Occlusion(normal, tangent, horizon, _hidden_basis(normal, tangent, horizon))


def height_map(
    normal: Float[np.ndarray, "size size 3"],
    mask: Float[np.ndarray, "size size"],
    landmarks: Float[np.ndarray, "478 3"],
) -> Float[np.ndarray, "size size"]:
    """Heights [px] whose slopes are those of the normals and whose broad shape is the landmark mesh's."""
    size = len(normal)
    depth = _mesh_depth(landmarks, size)
    facing = np.maximum(normal[..., 2:], 1 / _STEEPEST)
    slopes = np.clip(normal[..., :2] / facing, -_STEEPEST, _STEEPEST) * np.array([-1, 1], np.float32)
    slopes = filled(slopes, mask)  # along columns, along rows
    return _integrated(slopes[..., 0], slopes[..., 1], depth, (2 * np.pi / (_MESH_FROM * 2 * size)) ** 2)


def _mesh_depth(landmarks: Float[np.ndarray, "478 3"], size: int) -> Float[np.ndarray, "size size"]:
    """Depth of the triangles that face the viewer, smoothed to their size and continued around them."""
    corners = landmarks[triangles()].astype(np.float64)
    side_a, side_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    front = side_a[:, 0] * side_b[:, 1] - side_a[:, 1] * side_b[:, 0] < 0  # y goes down
    centres = corners[front].mean(axis=1)
    column, row = np.rint(np.clip(centres[:, :2], 0, size - 1)).astype(int).T
    sums, count = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    np.add.at(sums, (row, column), centres[:, 2])
    np.add.at(count, (row, column), 1)
    known = np.minimum(count, 1)
    return filled((sums / np.maximum(count, 1))[..., None], known)[..., 0]


def _integrated(
    along_columns: Float[np.ndarray, "h w"],
    along_rows: Float[np.ndarray, "h w"],
    target: Float[np.ndarray, "h w"],
    weight: float,
) -> Float[np.ndarray, "h w"]:
    """Least squares of slopes (between neighbouring pixels) and of a target height, exact by the cosine transform."""
    height, width = target.shape
    p = (along_columns[:, 1:] + along_columns[:, :-1]) / 2
    q = (along_rows[1:] + along_rows[:-1]) / 2
    divergence = np.diff(np.pad(p, ((0, 0), (1, 1))), axis=1) + np.diff(np.pad(q, ((1, 1), (0, 0))), axis=0)
    right = cv2.dct(np.ascontiguousarray(weight * target - divergence, np.float32))
    rows = 2 - 2 * np.cos(np.pi * np.arange(height) / height)[:, None]
    columns = 2 - 2 * np.cos(np.pi * np.arange(width) / width)
    return cv2.idct((right / (rows + columns + weight)).astype(np.float32))


def _horizon(
    z: Float[np.ndarray, "size size"], mask: Float[np.ndarray, "size size"], ahead: Float[np.ndarray, "2"]
) -> Float[np.ndarray, "size size"]:
    """Elevation of the highest thing on the way `ahead` [deg]."""
    size = len(z)
    obstacle = np.where(mask > 0.5, z, z.min() - size).astype(np.float32)
    best = np.full_like(z, -np.inf)
    for step in _STEPS:
        far = step * size
        move = np.array([[1, 0, far * ahead[0]], [0, 1, -far * ahead[1]]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(obstacle, move, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        best = np.maximum(best, (seen - z) / far)
    return np.rad2deg(np.arctan(best)).astype(np.float32)


def _covered(horizon: np.ndarray, elevation: float, radius_deg: float) -> np.ndarray:
    """Share of a disc at `elevation` that lies below the horizon."""
    return _smooth((horizon - np.float32(elevation - radius_deg)) / np.float32(2 * radius_deg))


def _is_obstacle(horizon: np.ndarray, tangent: np.ndarray) -> np.ndarray:
    """1 where the horizon is another part of the face, 0 where it is the surface itself."""
    low, high = _CLEAR_DEG
    return _smooth((horizon - tangent - np.float32(low)) / np.float32(high - low))


def _hidden_basis(normal: np.ndarray, tangent: np.ndarray, horizon: np.ndarray) -> Float[np.ndarray, "size size 9"]:
    """∫ (1 - V) max(n·ω, 0) Y_i dω / pi by a sum over azimuths and elevations; smooth, so at half the size."""
    size = normal.shape[:2]
    normal, tangent, horizon = _halved(normal), _halved_all(tangent), _halved_all(horizon)
    hidden = np.zeros((*normal.shape[:2], 9), np.float32)
    step = np.deg2rad(_ELEVATIONS_DEG[1] - _ELEVATIONS_DEG[0])
    for k, azimuth in enumerate(2 * np.pi * np.arange(AZIMUTHS) / AZIMUTHS):
        obstacle = _is_obstacle(horizon[k], tangent[k])
        for elevation in _ELEVATIONS_DEG:
            e = np.deg2rad(elevation)
            toward = np.array([np.cos(e) * np.cos(azimuth), np.cos(e) * np.sin(azimuth), np.sin(e)], np.float32)
            solid_angle = np.cos(e) * step * 2 * np.pi / AZIMUTHS
            lost = _covered(horizon[k], elevation, 6.0) * obstacle * np.clip(normal @ toward, 0, None)
            hidden += lost[..., None] * (sh.basis(toward) * solid_angle / np.pi).astype(np.float32)
    return np.asarray(cv2.resize(hidden, size[::-1], interpolation=cv2.INTER_LINEAR))


def _halved(field: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(field, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


def _halved_all(fields: np.ndarray) -> np.ndarray:
    return np.stack([_halved(field) for field in fields])


def _smooth(t: np.ndarray) -> np.ndarray:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
