"""Self-shadowing of a head from its height map: cast shadows of lamps, and ambient occlusion of SH light.

Both use horizon mapping (Max, "Horizon mapping: shadows for bump-mapped surfaces", 1988). The horizon of a pixel in a
direction of the image plane is the largest elevation at which the surface appears along that direction. SH light uses
16 azimuths. A lamp uses its own: its disc is divided into strips, and each strip is tested in the azimuth where it
lies. Shadows then have the outline of their occluder, and a penumbra that grows with the lamp's size and the distance.

Convention: heights in pixels of the map, toward the viewer. Azimuths turn in the image plane, from image right to up.
Elevations are above the image plane; 90 degrees points to the viewer.
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
# Distances at which occluders are searched [map sides].
_STEPS = (0.016, 0.024, 0.033, 0.045, 0.06, 0.08, 0.105, 0.14, 0.185, 0.24, 0.31)
# Elevation of the horizon above the surface's tangent [deg]: up to the first it is the surface itself, from the second
# on an occluder.
_CLEAR_DEG = (3.0, 10.0)
# Least angular radius of a lamp: sharper shadows would show the pixels of the map.
_LEAST_SOFT_DEG = 3.5
_STRIPS = np.array([-0.75, -0.25, 0.25, 0.75])  # centres of the strips of a lamp's disc [radii]
_PACES = tuple(0.007 * 1.12**k for k in range(40))  # distances of the search toward a lamp [map sides]
# Occluders of an eye are searched from this distance on [map sides], so that its own lids do not count.
_NEXT = 0.05


@dataclass(frozen=True)
class Occlusion:
    """Self-shadowing of one face, at the size of its height map.

    Attributes:
        normal: unit normals, camera frame.
        height: height of the surface toward the viewer [px].
        obstacle: height of what can cast shadows [px]; far below the surface where there is nothing.
        hidden: shading by each SH basis function that occluders remove; times an SH light, the lost shading.
        trust: weight of cast shadows, which fade where what casts them may not be known.
    """

    normal: Float[np.ndarray, "size size 3"]
    height: Float[np.ndarray, "size size"]
    obstacle: Float[np.ndarray, "size size"]
    hidden: Float[np.ndarray, "size size 9"]
    trust: Float[np.ndarray, "size size"]

    def shadow(self, direction: Float[np.ndarray, "3"], radius_deg: float) -> Float[np.ndarray, "size size"]:
        """Occluded share of a lamp at each pixel, in [0, 1].

        Args:
            direction: unit vector toward the lamp, camera frame.
            radius_deg: angular radius of the lamp [deg]; 3.5 at least is used.
        """
        if not self.obstacle.any():
            return np.zeros_like(self.obstacle)
        radius = max(radius_deg, _LEAST_SOFT_DEG)
        azimuth = float(np.arctan2(direction[1], direction[0]))
        elevation = float(np.rad2deg(np.arcsin(np.clip(direction[2], -1, 1))))
        # Near the viewing axis a lamp covers a wide range of azimuths.
        wide = np.deg2rad(radius) / max(np.cos(np.deg2rad(elevation)), 0.05)
        heights = radius * np.sqrt(1 - _STRIPS**2)
        total = np.zeros_like(self.obstacle)
        for aside, high in zip(_STRIPS * min(wide, np.pi / 2), heights, strict=True):
            ahead = np.array([np.cos(azimuth + aside), np.sin(azimuth + aside)])
            horizon, tangent = _horizon(self.height, self.obstacle, ahead, _PACES), _tangent(self.normal, ahead)
            total += high * _covered(horizon, elevation, high) * _is_obstacle(horizon, tangent)
        # The occluder's outline is accurate to a pixel, so a blur of that size loses nothing.
        return np.asarray(cv2.GaussianBlur(total / heights.sum(), (0, 0), 0.8) * self.trust, np.float32)

    def hides(self, direction: Float[np.ndarray, "3"], place: Float[np.ndarray, "2"]) -> bool:
        """Whether the centre of a lamp is occluded at a point, ignoring occluders closer than `_NEXT`.

        Args:
            direction: unit vector toward the lamp, camera frame.
            place: column and row of the point [px].
        """
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
    """An `Occlusion` without occluders, for relighting without shadows."""
    blank = np.zeros((size, size, 9), np.float32)
    return Occlusion(blank[..., :3], blank[..., 0], blank[..., 0], blank, blank[..., 0])


def occlusion(
    normal: Float[np.ndarray, "size size 3"],
    mask: Float[np.ndarray, "size size"],
    landmarks: Float[np.ndarray, "478 3"],
    regions: Float[np.ndarray, "size size classes"] | None = None,
) -> Occlusion:
    """Integrate the normals to a height map, and find the horizons of every pixel.

    Args:
        normal: unit normals, camera frame. The side must be even.
        mask: weight of the head, in [0, 1]; only pixels above 0.5 cast shadows.
        landmarks: the dense face landmarks [px of the map].
        regions: share of each class of `types.Region`. Without it the heights of neck and hats are not corrected.
    """
    return from_height(normal, height_map(normal, mask, landmarks, regions), mask)


def from_height(
    normal: Float[np.ndarray, "size size 3"], z: Float[np.ndarray, "size size"], mask: Float[np.ndarray, "size size"]
) -> Occlusion:
    """Look around from every pixel of a height map [px]; only what lies under the mask casts shadows."""
    obstacle = np.where(mask > 0.5, z, z.min() - len(z)).astype(np.float32)
    return Occlusion(normal, z, obstacle, _hidden_basis(normal, z, obstacle), np.ones_like(obstacle))


def _tangent(normal: Float[np.ndarray, "size size 3"], ahead: Float[np.ndarray, "2"]) -> Float[np.ndarray, "size size"]:
    """Elevation of the surface's tangent in the direction `ahead` [deg]."""
    slope = -(normal[..., 0] * np.float32(ahead[0]) + normal[..., 1] * np.float32(ahead[1]))
    return np.rad2deg(np.arctan2(slope, np.maximum(normal[..., 2], 0.05))).astype(np.float32)


def _horizon(
    z: Float[np.ndarray, "size size"],
    obstacle: Float[np.ndarray, "size size"],
    ahead: Float[np.ndarray, "2"],
    steps: Sequence[float],
) -> Float[np.ndarray, "size size"]:
    """Elevation of the horizon in the direction `ahead` [deg], sampled at distances `steps` [map sides]."""
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
    """Share of a disc at `elevation` below the horizon, in [0, 1]. All angles in degrees."""
    return smoothstep((horizon - np.float32(elevation - radius_deg)) / np.float32(2 * radius_deg))


def _is_obstacle(horizon: np.ndarray, tangent: np.ndarray) -> np.ndarray:
    """1 where the horizon is another part of the head, 0 where it is the surface itself; from elevations [deg]."""
    low, high = _CLEAR_DEG
    return smoothstep((horizon - tangent - np.float32(low)) / np.float32(high - low))


def _hidden_basis(normal: np.ndarray, z: np.ndarray, obstacle: np.ndarray) -> Float[np.ndarray, "size size 9"]:
    """∫ (1 - V) max(n·ω, 0) Y_i dω / pi with visibility V, as a sum over azimuths and elevations.

    The result is smooth, so it is computed at half the size.
    """
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
