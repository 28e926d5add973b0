"""Self-shadowing of a head from its height map: cast shadows of lamps, and ambient occlusion of SH light.

Both use horizon mapping (Max, "Horizon mapping: shadows for bump-mapped surfaces", 1988). The horizon of a pixel in a
direction of the image plane is the largest elevation at which the surface appears along that direction. SH light uses
16 azimuths. A lamp uses its own: its disc is divided into strips, and each strip is tested in the azimuth where it
lies. Shadows then have the outline of their occluder, and a penumbra that grows with the lamp's size and the distance.
Glasses are thin: light passes behind them.

Convention: heights in pixels of the map, toward the viewer. Azimuths turn in the image plane, from image right to up.
Elevations are above the image plane; 90 degrees points to the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float

from illures.math import sh
from illures.math.curves import smoothstep
from illures.math.normals import normalize
from illures.math.sampling import warp_affine
from illures.relighting.depth import Heights, heights
from illures.types import Region

AZIMUTHS = 16
_ELEVATIONS_DEG = np.arange(-60, 86, 10.0)
# How far occluders are searched: of SH light, of a lamp [map sides].
_NEAR, _FAR = 0.31, 0.58
# Elevation of the horizon above the surface's tangent [deg]: up to the first it is the surface itself, from the second
# on an occluder.
_CLEAR_DEG = (3.0, 10.0)
# Least angular radius of a lamp: sharper shadows would show the pixels of the map.
_LEAST_SOFT_DEG = 3.5
_STRIPS = np.array([-0.75, -0.25, 0.25, 0.75])  # centres of the strips of a lamp's disc [radii]
# Thickness of frames and lenses, and how far glasses are searched [map sides].
_THIN, _GLASSES_REACH = 0.014, 0.4
# Classes on which shadows are blurred, and how wide [map sides].
_LOOSE, _LOOSE_SOFT = (Region.BACKGROUND, Region.HAIR, Region.CLOTHES), 0.04
# Occluders of an eye are searched from this distance on [map sides], so that its own lids do not count.
_NEXT = 0.05


@dataclass(frozen=True)
class Occlusion:
    """Self-shadowing of one face, at the size of its height map.

    Attributes:
        normal: unit normals, camera frame.
        height: height of the surface toward the viewer [px].
        occluder: height of what can cast shadows [px]; far below the surface where there is nothing.
        hidden: shading by each SH basis function that occluders remove; times an SH light, the lost shading.
        trust: weight of cast shadows, which fade where what casts them may not be known.
        glasses: height of frames and dark lenses [px]; NaN where there are none.
        loose: share of hair, cloth and background, on which shadows are soft.
    """

    normal: Float[np.ndarray, "size size 3"]
    height: Float[np.ndarray, "size size"]
    occluder: Float[np.ndarray, "size size"]
    hidden: Float[np.ndarray, "size size 9"]
    trust: Float[np.ndarray, "size size"]
    glasses: Float[np.ndarray, "size size"]
    loose: Float[np.ndarray, "size size"]

    def shadow(self, direction: Float[np.ndarray, "3"], radius_deg: float) -> Float[np.ndarray, "size size"]:
        """Occluded share of a lamp at each pixel, in [0, 1].

        Args:
            direction: unit vector toward the lamp, camera frame.
            radius_deg: angular radius of the lamp [deg]; 3.5 at least is used.
        """
        if not self.occluder.any() and np.isnan(self.glasses).all():
            return np.zeros_like(self.occluder)
        radius = max(radius_deg, _LEAST_SOFT_DEG)
        level = normalize(np.array([-direction[1], direction[0], 0]) + np.array([1e-6, 0, 0]))
        total, lengths = np.zeros_like(self.occluder), radius * np.sqrt(1 - _STRIPS**2)
        for aside, high in zip(np.deg2rad(radius) * _STRIPS, lengths, strict=True):
            middle = np.cos(aside) * direction + np.sin(aside) * level  # of the strip
            heading = middle[:2] / max(float(np.hypot(*middle[:2])), 1e-9)
            elevation = float(np.rad2deg(np.arcsin(np.clip(middle[2], -1, 1))))
            horizon, tangent = _horizon(self.height, self.occluder, heading, _FAR), _tangent(self.normal, heading)
            covered = _covered(horizon, elevation, high) * _is_occluder(horizon, tangent)
            total += high * np.maximum(covered, self._behind_glasses(heading, elevation, high))
        # The occluder's outline is accurate to a pixel, so a blur of that size loses nothing.
        sharp = cv2.GaussianBlur(total / lengths.sum(), (0, 0), 0.8)
        return np.asarray(self._softened(sharp) * self.trust, np.float32)

    def _softened(self, shadow: Float[np.ndarray, "size size"]) -> Float[np.ndarray, "size size"]:
        """Shadows on what is loose, blurred: light enters hair, and the edges of its heights are not those of locks."""
        if not self.loose.any():
            return shadow
        sigma = _LOOSE_SOFT * len(shadow)
        mean, weight = (cv2.GaussianBlur(v, (0, 0), sigma) for v in (shadow * self.loose, self.loose))
        return np.asarray(shadow + self.loose * (mean / np.maximum(weight, 1e-3) - shadow))

    def _behind_glasses(
        self, heading: Float[np.ndarray, "2"], elevation: float, radius_deg: float
    ) -> Float[np.ndarray, "size size"]:
        """Share of a disc that glasses cover; they occlude only within their thickness. Angles in degrees."""
        size = len(self.height)
        found, (rows, columns) = np.zeros_like(self.height), np.nonzero(~np.isnan(self.glasses))
        top = self.glasses[rows, columns]
        for far in range(1, round(_GLASSES_REACH * size) if len(rows) else 0):
            row, column = rows + round(far * float(heading[1])), columns - round(far * float(heading[0]))
            inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
            row, column = row[inside], column[inside]
            rise = top[inside] - self.height[row, column]
            ends = (np.rad2deg(np.arctan((rise - thick) / far)) for thick in (0, _THIN * size))
            upper, lower = (_covered(end, elevation, radius_deg) for end in ends)
            found[row, column] = np.maximum(found[row, column], upper - lower)
        found[rows, columns] = 0  # they lie before what they hide
        return found

    def hides(self, direction: Float[np.ndarray, "3"], place: Float[np.ndarray, "2"]) -> bool:
        """Whether the centre of a lamp is occluded at a point, ignoring occluders closer than `_NEXT`.

        Args:
            direction: unit vector toward the lamp, camera frame.
            place: column and row of the point [px].
        """
        size = len(self.height)
        at = np.clip(np.rint(place), 0, size - 1).astype(int)
        far = np.arange(round(_NEXT * size) + 1, round(_FAR * size))
        heading = direction[:2] / max(float(np.hypot(*direction[:2])), 1e-9)
        columns, rows = place[0] + far * heading[0], place[1] - far * heading[1]
        inside = (columns > 0) & (columns < size - 1) & (rows > 0) & (rows < size - 1)
        seen = self.occluder[np.rint(rows[inside]).astype(int), np.rint(columns[inside]).astype(int)]
        rise = (seen - self.height[at[1], at[0]]) / far[inside]
        return bool((rise > direction[2] / max(float(np.hypot(*direction[:2])), 1e-9)).any())


@cache
def nothing_hidden(size: int) -> Occlusion:
    """An `Occlusion` without occluders, for relighting without shadows."""
    blank = np.zeros((size, size, 9), np.float32)
    none = blank[..., 0]
    return Occlusion(blank[..., :3], none, none, blank, none, none * np.nan, none)


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
    loose = None if regions is None else regions[..., list(_LOOSE)].sum(axis=-1)
    return from_heights(normal, heights(normal, mask, landmarks, regions), mask, loose)


def from_heights(
    normal: Float[np.ndarray, "size size 3"],
    seen: Heights,
    mask: Float[np.ndarray, "size size"],
    loose: Float[np.ndarray, "size size"] | None = None,
) -> Occlusion:
    """Find the horizons of every pixel of height maps; only glasses and pixels of the mask cast shadows."""
    z = seen.head
    occluder = np.where(mask > 0.5, z, z.min() - len(z)).astype(np.float32)
    hidden, loose = _hidden_basis(normal, z, occluder), np.zeros_like(occluder) if loose is None else loose
    return Occlusion(normal, z, occluder, hidden, np.ones_like(occluder), seen.glasses, loose)


def _tangent(
    normal: Float[np.ndarray, "size size 3"], heading: Float[np.ndarray, "2"]
) -> Float[np.ndarray, "size size"]:
    """Elevation of the surface's tangent in the direction `heading` [deg]."""
    slope = -(normal[..., 0] * np.float32(heading[0]) + normal[..., 1] * np.float32(heading[1]))
    return np.rad2deg(np.arctan2(slope, np.maximum(normal[..., 2], 0.05))).astype(np.float32)


def _horizon(
    z: Float[np.ndarray, "size size"],
    occluder: Float[np.ndarray, "size size"],
    heading: Float[np.ndarray, "2"],
    reach: float,
) -> Float[np.ndarray, "size size"]:
    """Elevation of the horizon in the direction `heading` [deg], looking at every pixel up to `reach` [map sides].

    The maps are sheared so that the direction runs along their rows.
    """
    size, right, down = len(z), float(heading[0]), -float(heading[1])
    upright = abs(down) > abs(right)
    main, slope = (down, right / abs(down)) if upright else (right, down / abs(right))
    start, rows = max(0.0, slope * (size - 1)), size + int(np.ceil(abs(slope) * (size - 1)))

    def along(field: np.ndarray) -> np.ndarray:
        field = field.T if upright else field
        return field[:, ::-1] if main < 0 else field

    def sheared(field: np.ndarray, by: float, shift: float, rows: int) -> np.ndarray:
        move = np.array([[1, 0, 0], [by, 1, shift]])
        return warp_affine(field, move, (size, rows), cv2.BORDER_REPLICATE)

    low, high = (sheared(np.ascontiguousarray(along(f)), slope, -start, rows) for f in (z, occluder))
    best = np.full_like(low, -1e3)
    for k in range(1, min(size - 1, round(reach * size * abs(main))) + 1):
        rise = high[:, k:] - low[:, :-k]
        rise *= np.float32(abs(main) / k)
        np.maximum(best[:, :-k], rise, out=best[:, :-k])
    found = sheared(best, -slope, start, size)
    found = found[:, ::-1] if main < 0 else found
    return np.rad2deg(np.arctan(found.T if upright else found)).astype(np.float32)


def _covered(horizon: np.ndarray, elevation: float, radius_deg: float) -> np.ndarray:
    """Share of a strip around `elevation` below the horizon, in [0, 1]. All angles in degrees."""
    return np.clip((horizon - np.float32(elevation - radius_deg)) / np.float32(2 * radius_deg), 0, 1)


def _is_occluder(horizon: np.ndarray, tangent: np.ndarray) -> np.ndarray:
    """1 where the horizon is another part of the head, 0 where it is the surface itself; from elevations [deg]."""
    low, high = _CLEAR_DEG
    return smoothstep((horizon - tangent - np.float32(low)) / np.float32(high - low))


def _hidden_basis(normal: np.ndarray, z: np.ndarray, occluder: np.ndarray) -> Float[np.ndarray, "size size 9"]:
    """∫ (1 - V) max(n·ω, 0) Y_i dω / pi with visibility V, as a sum over azimuths and elevations.

    The result is smooth, so it is computed at half the size.
    """
    size = normal.shape[:2]
    normal, z, occluder = _halved(normal), _halved(z) / 2, _halved(occluder) / 2
    hidden = np.zeros((*normal.shape[:2], 9), np.float32)
    step = np.deg2rad(_ELEVATIONS_DEG[1] - _ELEVATIONS_DEG[0])
    for azimuth in 2 * np.pi * np.arange(AZIMUTHS) / AZIMUTHS:
        heading = np.array([np.cos(azimuth), np.sin(azimuth)])
        horizon = _horizon(z, occluder, heading, _NEAR)
        rises = _is_occluder(horizon, _tangent(normal, heading))
        for elevation in _ELEVATIONS_DEG:
            e = np.deg2rad(elevation)
            toward = np.array([np.cos(e) * heading[0], np.cos(e) * heading[1], np.sin(e)], np.float32)
            solid_angle = np.cos(e) * step * 2 * np.pi / AZIMUTHS
            lost = _covered(horizon, elevation, 6.0) * rises * np.clip(normal @ toward, 0, None)
            hidden += lost[..., None] * (sh.basis(toward) * solid_angle / np.pi).astype(np.float32)
    return np.asarray(cv2.resize(hidden, size[::-1], interpolation=cv2.INTER_LINEAR))


def _halved(field: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(field, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
