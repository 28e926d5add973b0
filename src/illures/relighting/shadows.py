"""What a head's height map hides from each of its points: cast shadows and occluded light.

Both come from horizons (Max 1988): the steepest rise that is seen from a pixel on the way to an azimuth. For light from
all around there are 16 of them. A lamp gets its own: a disc is cut into strips, each with the azimuth that it has, so
that shadows have the shape of what casts them and a penumbra that grows with the lamp and with the distance.

Convention: heights in pixels of the map, toward the viewer. Azimuths of horizons turn in the image plane, from image
right to up; elevations are above the image plane, 90 degrees toward the viewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float

from illures.math import sh
from illures.math.curves import smoothstep
from illures.relighting.depth import height_map

AZIMUTHS = 16
_ELEVATIONS_DEG = np.arange(-60, 86, 10.0)
# How far an obstacle may be, in parts of the map's side.
_STEPS = (0.016, 0.024, 0.033, 0.045, 0.06, 0.08, 0.105, 0.14, 0.185, 0.24, 0.31)
# A horizon that rises above the surface's own tangent by less is the surface itself; by the second figure, an obstacle.
_CLEAR_DEG = (3.0, 10.0)
# Shadows of a lamp of no size would show the map's pixels.
_LEAST_SOFT_DEG = 3.5
# Of a lamp's disc, and the points that are looked at on the way to it: dense near by.
_STRIPS = np.array([-0.75, -0.25, 0.25, 0.75])
_PACES = tuple(0.007 * 1.12**k for k in range(40))  # of the map's side


# An eye's own lids are no farther away than this, and not what hides a lamp from it.
_NEXT = 0.05


@dataclass(frozen=True)
class Occlusion:
    """What a face hides from itself, at the size of its height map.

    Attributes:
        normal: of the surface.
        height: of the surface [px].
        obstacle: the same; where nothing is that could cast a shadow, far below.
        hidden: of each SH basis function, the part of its shading that obstacles take (before the light).
    """

    normal: Float[np.ndarray, "size size 3"]
    height: Float[np.ndarray, "size size"]
    obstacle: Float[np.ndarray, "size size"]
    hidden: Float[np.ndarray, "size size 9"]

    def shadow(self, direction: Float[np.ndarray, "3"], radius_deg: float) -> Float[np.ndarray, "size size"]:
        """How much of a lamp is hidden, from 0 to 1.

        Args:
            direction: unit vector toward the lamp.
            radius_deg: its angular radius.
        """
        if not self.obstacle.any():
            return np.zeros_like(self.obstacle)
        radius = max(radius_deg, _LEAST_SOFT_DEG)
        azimuth = float(np.arctan2(direction[1], direction[0]))
        elevation = float(np.rad2deg(np.arcsin(np.clip(direction[2], -1, 1))))
        # A lamp straight ahead lies at every azimuth.
        wide = np.deg2rad(radius) / max(np.cos(np.deg2rad(elevation)), 0.05)
        heights = radius * np.sqrt(1 - _STRIPS**2)
        total = np.zeros_like(self.obstacle)
        for aside, high in zip(_STRIPS * min(wide, np.pi / 2), heights, strict=True):
            ahead = np.array([np.cos(azimuth + aside), np.sin(azimuth + aside)])
            horizon, tangent = _horizon(self.height, self.obstacle, ahead, _PACES), _tangent(self.normal, ahead)
            total += high * _covered(horizon, elevation, high) * _is_obstacle(horizon, tangent)
        # The edge of what casts it is known to a pixel.
        return np.asarray(cv2.GaussianBlur(total / heights.sum(), (0, 0), 0.8), np.float32)

    def hides(self, direction: Float[np.ndarray, "3"], place: Float[np.ndarray, "2"]) -> bool:
        """Whether a lamp's middle is hidden from a place (column, row) by what is not next to it."""
        size = len(self.height)
        at = np.clip(np.rint(place), 0, size - 1).astype(int)
        far = np.array([pace for pace in _PACES if pace > _NEXT]) * size
        ahead = direction[:2] / max(float(np.hypot(*direction[:2])), 1e-9)
        columns, rows = place[0] + far * ahead[0], place[1] - far * ahead[1]
        inside = (columns > 0) & (columns < size - 1) & (rows > 0) & (rows < size - 1)
        seen = self.obstacle[np.rint(rows[inside]).astype(int), np.rint(columns[inside]).astype(int)]
        rise = (seen - self.height[at[1], at[0]]) / far[inside]
        return bool((rise > direction[2] / max(float(np.hypot(*direction[:2])), 1e-9)).any())


@cache
def nothing_hidden(size: int) -> Occlusion:
    """No shadows, but highlights."""
    blank = np.zeros((size, size, 9), np.float32)
    return Occlusion(blank[..., :3], blank[..., 0], blank[..., 0], blank)


def occlusion(
    normal: Float[np.ndarray, "size size 3"],
    mask: Float[np.ndarray, "size size"],
    landmarks: Float[np.ndarray, "478 3"],
    regions: Float[np.ndarray, "size size classes"] | None = None,
) -> Occlusion:
    """Integrate the normals and look around from every pixel.

    Args:
        normal: camera frame; size even.
        mask: where the normals mean something; nothing outside it casts a shadow.
        landmarks: in the pixels of the map.
        regions: shares of the classes of `types.Region`; None knows no neck and no hats.
    """
    return from_height(normal, height_map(normal, mask, landmarks, regions), mask)


def from_height(
    normal: Float[np.ndarray, "size size 3"], z: Float[np.ndarray, "size size"], mask: Float[np.ndarray, "size size"]
) -> Occlusion:
    """Look around from every pixel of a height map [px]; only what lies under the mask casts shadows."""
    obstacle = np.where(mask > 0.5, z, z.min() - len(z)).astype(np.float32)
    return Occlusion(normal, z, obstacle, _hidden_basis(normal, z, obstacle))


def _tangent(normal: Float[np.ndarray, "size size 3"], ahead: Float[np.ndarray, "2"]) -> Float[np.ndarray, "size size"]:
    """Elevation of the surface's own slope on the way `ahead` [deg]."""
    slope = -(normal[..., 0] * np.float32(ahead[0]) + normal[..., 1] * np.float32(ahead[1]))
    return np.rad2deg(np.arctan2(slope, np.maximum(normal[..., 2], 0.05))).astype(np.float32)


def _horizon(
    z: Float[np.ndarray, "size size"],
    obstacle: Float[np.ndarray, "size size"],
    ahead: Float[np.ndarray, "2"],
    steps: Sequence[float],
) -> Float[np.ndarray, "size size"]:
    """Elevation [deg] of the highest obstacle on the way `ahead`, looked for at `steps` (parts of the map's side)."""
    size = len(z)
    best = np.full_like(z, -np.inf)
    for step in steps:
        far = step * size
        move = np.array([[1, 0, far * ahead[0]], [0, 1, -far * ahead[1]]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(obstacle, move, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        best = np.maximum(best, (seen - z) / np.float32(far))
    return np.rad2deg(np.arctan(best)).astype(np.float32)


def _covered(horizon: np.ndarray, elevation: float, radius_deg: float) -> np.ndarray:
    """Share of a disc at `elevation` that lies below the horizon."""
    return smoothstep((horizon - np.float32(elevation - radius_deg)) / np.float32(2 * radius_deg))


def _is_obstacle(horizon: np.ndarray, tangent: np.ndarray) -> np.ndarray:
    """1 where the horizon is another part of the face, 0 where it is the surface itself."""
    low, high = _CLEAR_DEG
    return smoothstep((horizon - tangent - np.float32(low)) / np.float32(high - low))


def _hidden_basis(normal: np.ndarray, z: np.ndarray, obstacle: np.ndarray) -> Float[np.ndarray, "size size 9"]:
    """∫ (1 - V) max(n·ω, 0) Y_i dω / pi by a sum over azimuths and elevations; smooth, so at half the size."""
    size = normal.shape[:2]
    normal, z, obstacle = _halved(normal), _halved(z) / 2, _halved(obstacle) / 2
    hidden = np.zeros((*normal.shape[:2], 9), np.float32)
    step = np.deg2rad(_ELEVATIONS_DEG[1] - _ELEVATIONS_DEG[0])
    for azimuth in 2 * np.pi * np.arange(AZIMUTHS) / AZIMUTHS:
        ahead = np.array([np.cos(azimuth), np.sin(azimuth)])
        horizon = _horizon(z, obstacle, ahead, _STEPS)
        rises = _is_obstacle(horizon, _tangent(normal, ahead))
        for elevation in _ELEVATIONS_DEG:
            e = np.deg2rad(elevation)
            toward = np.array([np.cos(e) * ahead[0], np.cos(e) * ahead[1], np.sin(e)], np.float32)
            solid_angle = np.cos(e) * step * 2 * np.pi / AZIMUTHS
            lost = _covered(horizon, elevation, 6.0) * rises * np.clip(normal @ toward, 0, None)
            hidden += lost[..., None] * (sh.basis(toward) * solid_angle / np.pi).astype(np.float32)
    return np.asarray(cv2.resize(hidden, size[::-1], interpolation=cv2.INTER_LINEAR))


def _halved(field: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(field, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
