"""Catch lights: reflections of lamps in the eyes, which make a relit face look alive.

The cornea is a sphere of 7.8 mm over an iris of 5.9 mm (radii; Navarro et al., "Accommodation-dependent model of the
human eye", 1985). It reflects a far lamp where its normal is the half vector between lamp and viewer, as a disc of half
the cornea's radius times the sine of the lamp's. The old reflection is removed, as it is not the colour of the iris.

Convention: pixels of the photo; directions in the upright frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from illures.faces.contour import EYE_LEFT, EYE_RIGHT
from illures.math.color import luminance
from illures.math.normals import normalize
from illures.relighting.lamps import Lamp
from illures.types import Face

# Relative to the radius of the iris: that of the cornea, and the largest distance of a reflection from the centre.
_CORNEA, _END = 1.33, 0.92
# Reflectance of the cornea at normal incidence (index of refraction 1.376).
_F0 = 0.025
# Smallest iris that shows a reflection [px], and smallest open part of its height.
_LEAST_PX, _LEAST_OPEN = 4.0, 0.7
# Pixels this many times brighter than the median of the iris are a reflection of the old lamp.
_OLD = 2.5
_IRISES = ((EYE_LEFT, 468), (EYE_RIGHT, 473))  # the iris: its centre, then four points on its rim


@dataclass(frozen=True)
class Eye:
    """An open eye that is large enough to reflect a lamp.

    Attributes:
        centre: of the iris (x, y).
        radius: of the iris.
        lids: outline of the opening.
    """

    centre: Float[np.ndarray, "2"]
    radius: float
    lids: Float[np.ndarray, "points 2"]

    def window(self, rect: tuple[int, int, int, int]) -> tuple[slice, slice]:
        """Rows and columns of a rectangle of the photo that show the iris, counted from the rectangle's corner."""
        x0, y0, x1, y1 = rect
        low, high = np.floor(self.centre - self.radius).astype(int), np.ceil(self.centre + self.radius).astype(int) + 1
        left, right = np.clip([low[0], high[0]], x0, x1) - x0
        top, bottom = np.clip([low[1], high[1]], y0, y1) - y0
        return slice(int(top), int(bottom)), slice(int(left), int(right))


def eyes_of(face: Face) -> tuple[Eye, ...]:
    """The eyes that can reflect a lamp."""
    found = []
    for lids, iris in _IRISES:
        points = face.landmarks[:, :2].astype(np.float64)
        rim = points[iris + 1 : iris + 5]
        radius = float(np.linalg.norm(rim - points[iris], axis=1).mean())
        outline = points[list(lids)]
        # Its area over its length, as the opening may be slanted.
        length = float(np.linalg.norm(outline[len(lids) // 2] - outline[0]))
        opened = float(cv2.contourArea(outline.astype(np.float32))) / max(length, 1e-6)
        if radius >= _LEAST_PX and opened > _LEAST_OPEN * radius:
            found.append(Eye(points[iris], radius, outline))
    return tuple(found)


def without_old(base: Float[np.ndarray, "rows columns 3"], eye: Eye, rect: tuple[int, int, int, int]) -> None:
    """Remove the reflection of the old lamp from the colour of the eye (over `rect`), in place."""
    window = eye.window(rect)
    share = _inside(eye, rect, window, _END)
    if not (share > 0.5).any():
        return
    here = base[window].astype(np.float32)
    bright = luminance(here)
    seen = share > 0.5
    colour = np.median(here[seen], axis=0)
    limit = _OLD * max(float(np.median(bright[seen])), 1e-3)
    old = share * np.clip((bright - limit) / limit + 0.5, 0, 1)
    base[window] = here + old[..., None] * (colour - here)


def catch_light(
    eye: Eye, lamp: Lamp, rect: tuple[int, int, int, int]
) -> tuple[tuple[slice, slice], Float[np.ndarray, "rows columns 3"]] | None:
    """Reflection of a lamp, linear, and its place in the rectangle; None if the cornea does not face it."""
    half = normalize(lamp.direction + np.array([0.0, 0.0, 1.0]))
    off = _CORNEA * half[:2] * np.array([1.0, -1.0])
    if lamp.direction[2] < 0 or np.linalg.norm(off) > _END:
        return None
    sine = max(float(np.sin(np.deg2rad(min(lamp.radius_deg, 60.0)))), 0.01)
    radius = 0.5 * _CORNEA * eye.radius * sine
    drawn = max(radius, 0.6)  # below a pixel, the same light is spread over a larger disc
    window = eye.window(rect)
    y, x = _grid(rect, window)
    away = np.hypot(x - (eye.centre[0] + off[0] * eye.radius), y - (eye.centre[1] + off[1] * eye.radius))
    disc = np.clip(drawn - away + 0.5, 0, 1) * (radius / drawn) ** 2
    disc = disc * _inside(eye, rect, window, 1.0)
    fresnel = _F0 + (1 - _F0) * (1 - float(half[2])) ** 5
    return window, (disc[..., None] * (fresnel * lamp.irradiance / sine**2)).astype(np.float32)


def _grid(
    rect: tuple[int, int, int, int], window: tuple[slice, slice]
) -> tuple[Float[np.ndarray, "rows 1"], Float[np.ndarray, "1 columns"]]:
    rows, columns = window
    y = np.arange(rows.start, rows.stop, dtype=np.float64)[:, None] + rect[1]
    x = np.arange(columns.start, columns.stop, dtype=np.float64)[None, :] + rect[0]
    return y, x


def _inside(
    eye: Eye, rect: tuple[int, int, int, int], window: tuple[slice, slice], part: float
) -> Float[np.ndarray, "rows columns"]:
    """1 in so much of the iris between the lids, soft over a pixel."""
    y, x = _grid(rect, window)
    iris = np.clip(part * eye.radius - np.hypot(x - eye.centre[0], y - eye.centre[1]) + 0.5, 0, 1)
    return np.asarray(iris * _between_lids(eye, rect, window), np.float32)


def _between_lids(
    eye: Eye, rect: tuple[int, int, int, int], window: tuple[slice, slice]
) -> Bool[np.ndarray, "rows columns"]:
    rows, columns = window
    shape = max(rows.stop - rows.start, 0), max(columns.stop - columns.start, 0)
    canvas = np.zeros(shape, np.uint8)
    corner = np.array([rect[0] + columns.start, rect[1] + rows.start])
    if min(shape):
        cv2.fillPoly(canvas, [np.rint(16 * (eye.lids - corner)).astype(np.int32)], 1, cv2.LINE_8, 4)
    return canvas > 0
