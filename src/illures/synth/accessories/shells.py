"""Shells around the skull, for hair and hats: a grid fitted to the skin and lifted off it; opaque where it is painted.

Convention: the grid runs round an upright axis inside the skull. u in [0, 1] is the azimuth from the back over the
subject's right, the front (0.5) and the left; rows run from the crown (v = 1) down to the eyes' height (0.5) by polar
angle and from there by height to `FLOOR` (v = 0). Textures of shells have this layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Float

from illures.synth.accessories.primitives import worn_region
from illures.types import Part

ROWS, COLUMNS, CELL = 32, 80, 8  # cells of the grid, texels a cell
TEXTURE = (ROWS * CELL, COLUMNS * CELL)
FLOOR = -0.17  # lowest row, below the eyes [m]
AXIS = 0.085  # the axis lies this far behind the eyes [m]
_DENSER = 0.75  # columns lie denser in front by this
_BENT = 0.8  # rows lie denser near the eyes' height than at the crown
_SHOULDERS = -0.13  # below this the skin spreads into shoulders [m]
_FACE = (-0.02, 0.02)  # the face, which no shell covers, lies before this z and below this y [m]
_EAR_DEG, _EAR_Y = (62, 118), (-0.065, 0.03)  # where ears stand off the skull
_RADII, _ROUND = (7.4, 10.6, 8.8, 10.0), 2.5  # an average skull: side, front, back, top [cm]; its superellipsoid
_CLEAR = 0.0007  # least distance from the skin [m]

Field = Float[np.ndarray, "rows columns"]  # at the corners of the cells
Plane = Float[np.ndarray, "rows columns"]  # at texels


@dataclass(frozen=True)
class Layout:
    """Where the texels of a shell lie on an average head.

    Attributes:
        azimuth: 0 in front, positive to the subject's left [degree].
        y: height above the eyes [cm].
    """

    azimuth: Plane
    y: Plane

    @property
    def side(self) -> Plane:
        """Azimuth to either side [degree]."""
        return np.abs(self.azimuth)


@dataclass(frozen=True)
class ShellTextures:
    """Appearance of a shell: textures in the layout of this module, and distance from the skull.

    Attributes:
        albedo: linear, in [0, 1].
        opacity: in [0, 1]; transparent cells are left out.
        lift: distance from the skull along its rays [m], at any resolution.
        bump: height [m].
        hang: 0 follows head and neck, 1 hangs straight down from the widest place above.
        over_ears: whether it covers the ears.
        roughness, specular: see `types.Part`.
    """

    albedo: Float[np.ndarray, "rows columns 3"]
    opacity: Plane
    lift: Float[np.ndarray, "blocks_down blocks_across"]
    bump: Plane | None = None
    hang: float = 0.0
    over_ears: bool = True
    roughness: float = 0.4
    specular: float = 0.4

    @cached_property
    def corner_lift(self) -> Field:
        """`lift` at the corners of the cells, its seam closed, its pole one point."""
        corners = cv2.resize(self.lift, (COLUMNS + 1, ROWS + 1), interpolation=cv2.INTER_AREA).astype(np.float64)
        corners[:, 0] = corners[:, -1] = (corners[:, 0] + corners[:, -1]) / 2
        corners[0] = corners[0].mean()
        return corners

    @cached_property
    def mesh(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Corners that are used, triangles of these, and their UVs; cells that are nowhere opaque are left out."""
        cells = self.opacity.reshape(ROWS, CELL, COLUMNS, CELL).max((1, 3)) > 0.02
        row, column = np.nonzero(cells)
        corner = row * (COLUMNS + 1) + column
        below = corner + COLUMNS + 1
        pairs = np.stack([corner, below, below + 1], 1), np.stack([corner, below + 1, corner + 1], 1)
        used, inverse = np.unique(np.concatenate(pairs), return_inverse=True)
        u, v = np.meshgrid(np.linspace(0, 1, COLUMNS + 1), np.linspace(1, 0, ROWS + 1))
        uv = np.stack([u.ravel(), v.ravel()], 1).astype(np.float32)
        return used, inverse.reshape(-1, 3).astype(np.int32), uv[used]


def layout(step: int = 1) -> Layout:
    """Of the texels, or of blocks of `step` by `step` of them."""
    rows, columns = TEXTURE[0] // step, TEXTURE[1] // step
    azimuth = _azimuth((np.arange(columns) + 0.5) / columns)
    polar, below = _polar((np.arange(rows) + 0.5) / rows)
    side, front, back, top = _RADII
    depth = np.where(np.abs(azimuth) < np.pi / 2, front, back)
    around = (np.abs(np.sin(azimuth)) / side) ** _ROUND + (np.abs(np.cos(azimuth)) / depth) ** _ROUND
    upright = (np.cos(polar) / top) ** _ROUND
    radius = (np.sin(polar)[:, None] ** _ROUND * around + upright[:, None]) ** (-1 / _ROUND)
    y = radius * np.cos(polar)[:, None] + 100 * below[:, None]
    degrees = np.broadcast_to(np.rad2deg(azimuth), y.shape)
    return Layout(degrees.astype(np.float32), y.astype(np.float32))


class Skull:
    """The outside of a posed head, without ears and with them, as distances from the axis."""

    def __init__(self, skin: Part) -> None:
        """Fit the grid to the skin (head coordinates, m)."""
        points = skin.vertices
        face = (points[:, 2] > _FACE[0]) & (points[:, 1] < _FACE[1])
        x, y, z = points[(points[:, 1] > _SHOULDERS) & ~face].T.astype(np.float64)
        horizontal = np.hypot(x, z + AXIS)
        azimuth = np.arctan2(x, z + AXIS)
        radius = np.where(y > 0, np.hypot(horizontal, y), horizontal)
        rows, columns = _grid_place(azimuth, y, horizontal)
        ear = (np.abs(np.rad2deg(azimuth)) > _EAR_DEG[0]) & (np.abs(np.rad2deg(azimuth)) < _EAR_DEG[1])
        ear &= (y > _EAR_Y[0]) & (y < _EAR_Y[1])
        self._bare = _field(rows[~ear], columns[~ear], radius[~ear])
        self._with_ears = _smooth(np.maximum(self._bare, _highest(rows, columns, radius)), 0.8)

    def shell(self, name: str, textures: ShellTextures) -> Part:
        """The grid, lifted and painted; cells that are nowhere opaque are left out."""
        lift, (used, triangles, uv) = textures.corner_lift, textures.mesh
        base = self._bare
        if textures.over_ears:
            base = np.maximum(base, self._with_ears - 0.6 * lift)
        vertices = _positions(_hung(base + np.maximum(lift, _CLEAR), textures.hang))[used]
        mask = np.zeros((2, 2), np.float32)
        look = (
            textures.albedo,
            mask,
            textures.bump,
            textures.roughness,
            textures.specular,
            textures.opacity,
            worn_region(name),
        )
        return Part(name, vertices.astype(np.float32), triangles, uv, *look)

    def half_width(self, y: float, z: Float[np.ndarray, " depths"]) -> Float[np.ndarray, " depths"]:
        """Half the width of the head without ears at a height and some depths [m]; 0 beside the face."""
        azimuth = np.linspace(0.3, 2.2, 40)
        # The polar angle of the height is taken from a head of average width.
        radius = self._bare[_grid_place(azimuth, np.full(40, y), np.full(40, _RADII[0] / 100))]
        horizontal = np.sqrt(np.maximum(radius**2 - max(y, 0.0) ** 2, 0))
        depth = horizontal * np.cos(azimuth) - AXIS
        return np.where(z < _FACE[0], np.interp(-z, -depth, horizontal * np.sin(azimuth)), 0.0)


def _azimuth(u: np.ndarray) -> np.ndarray:
    w = 2 * u - 1
    return np.pi * (_DENSER * w + (1 - _DENSER) * w**3)


def _polar(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Polar angle and height below the eyes [m] of rows in [0, 1] from the crown."""
    return np.pi / 2 * np.minimum(2 * row, 1) ** _BENT, FLOOR * np.maximum(2 * row - 1, 0)


def _grid_place(azimuth: np.ndarray, y: np.ndarray, horizontal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest row and column of points."""
    knots = np.linspace(0, 1, 4 * COLUMNS)
    u = np.interp(azimuth, _azimuth(knots), knots)
    polar = np.arctan2(horizontal, np.maximum(y, 0))
    row = 0.5 * (polar / (np.pi / 2)) ** (1 / _BENT) + 0.5 * np.clip(y / FLOOR, 0, 1)
    return np.rint(row * ROWS).astype(int), np.rint(u * COLUMNS).astype(int)


def _field(rows: np.ndarray, columns: np.ndarray, radius: np.ndarray) -> Field:
    """Mean distance at each corner, filled in where there is no skin; nowhere less than the farthest skin."""
    shape = (ROWS + 1, COLUMNS + 1)
    index = rows * shape[1] + columns
    total = np.bincount(index, radius, minlength=shape[0] * shape[1]).reshape(shape)
    count = np.bincount(index, minlength=shape[0] * shape[1]).reshape(shape).astype(float)
    for plane in (total, count):
        plane[:, 0] = plane[:, -1] = plane[:, 0] + plane[:, -1]
    field = np.full(shape, np.nan)
    for sigma in (0.7, 1.5, 4.0, 12.0):
        weight = _smooth(count, sigma)
        mean = _smooth(total, sigma) / np.maximum(weight, 1e-9)
        field = np.where(np.isnan(field) & (weight > 0.02), mean, field)
    field = _smooth(np.where(np.isnan(field), np.nanmean(field), field), 0.7)
    field[0] = field[0].mean()
    return np.maximum(field, _highest(rows, columns, radius))


def _highest(rows: np.ndarray, columns: np.ndarray, radius: np.ndarray) -> Field:
    """The farthest skin near each corner, 0 where there is none."""
    field = np.zeros((ROWS + 1, COLUMNS + 1))
    np.maximum.at(field, (rows, columns), radius)
    field[:, 0] = field[:, -1] = np.maximum(field[:, 0], field[:, -1])
    field[0] = field[0].max()
    return field


def _smooth(field: Field, sigma: float) -> Field:
    """Gaussian, round the axis."""
    pad = min(COLUMNS, int(3 * sigma) + 1)
    wide = np.concatenate([field[:, -pad - 1 : -1], field, field[:, 1 : pad + 1]], 1)
    return cv2.GaussianBlur(wide, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)[:, pad:-pad]


def _hung(radius: Field, hang: float) -> Field:
    """Below the eyes, move from the neck out toward the widest place above."""
    half = ROWS // 2
    widest = np.maximum.accumulate(radius[half:], axis=0)
    radius = radius.copy()
    radius[half:] += hang * (widest - radius[half:])
    return radius


def _positions(radius: Field) -> Float[np.ndarray, "corners 3"]:
    polar, below = _polar(np.linspace(0, 1, ROWS + 1))
    azimuth = _azimuth(np.linspace(0, 1, COLUMNS + 1))
    horizontal = radius * np.sin(polar)[:, None]
    y = radius * np.cos(polar)[:, None] + below[:, None]
    return np.stack([horizontal * np.sin(azimuth), y, horizontal * np.cos(azimuth) - AXIS], -1).reshape(-1, 3)
