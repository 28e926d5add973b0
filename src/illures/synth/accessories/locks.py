"""Locks: hair that falls from the parting over one side of the face, before cheek and often the eye."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from illures.synth.accessories.primitives import occluder, sheet
from illures.synth.accessories.shells import AXIS
from illures.types import Part

SHARE = 0.25  # of people with hair and without a hat
_ROWS, _COLUMNS = 40, 32  # of the mesh
_OUTER = 82.0  # azimuth where the lock goes over into the hair beside the face [degree]
_STRAIGHT = 0.0  # height from which on it falls straight: that of the eyes [m]
_LAYERS = ((0.5, 0.75), (1.0, 0.45))  # distance of each sheet, and how much of it is opaque
_TEXTURE = (512, 256)
_GRAIN = (40, 2)  # of the strands, along and across [texels]
_RAGGED = 0.12  # width of the inner edge [of the lock's width]
_END = 0.1  # length of the ends [of the lock's]
_CELL = (0.006, 4.0)  # of the grid on which the skin's distance from the axis is measured [m, degree]


@dataclass(frozen=True)
class Lock:
    """A lock over one side of the face.

    Attributes:
        side: 1 for the subject's left, -1 for the right.
        root: height of its roots over the eyes [m].
        parting: azimuth of its inner edge at the roots, toward its own side [degree].
        inner: that from the eyes down; the smaller, the more of the face is covered.
        end: height of its lower end [m].
        lift: distance from the skin [m].
        albedo: of the strands; rows run down from the roots, columns from the inner edge.
        strands: noise of variance 1 along them.
    """

    side: int
    root: float
    parting: float
    inner: float
    end: float
    lift: float
    albedo: Float[np.ndarray, "rows columns 3"]
    strands: Float[np.ndarray, "rows columns"]

    def parts(self, skin: Part) -> tuple[Part, ...]:
        """Sheets named "hair" before the skin of a posed head (head coordinates, m), inner ones first."""
        y = np.linspace(self.root, self.end, _ROWS)[:, None]
        fallen = np.clip((self.root - y) / (self.root - _STRAIGHT), 0, 1)
        inner = self.parting + (self.inner - self.parting) * fallen
        azimuth = self.side * (inner + (_OUTER - inner) * np.linspace(0, 1, _COLUMNS))
        radius = _hanging(skin.vertices.astype(np.float64), azimuth, y)
        turn = np.deg2rad(azimuth)
        shapes = []
        for share, _ in _LAYERS:
            far = radius + self.lift * share
            points = np.stack([far * np.sin(turn), np.broadcast_to(y, far.shape), far * np.cos(turn) - AXIS], axis=-1)
            # Seen from outside, azimuth grows to the right.
            shapes.append(sheet(points if self.side > 0 else points[:, ::-1]))
        return tuple(
            occluder("hair", shape, self._seen(self.albedo), 0.32, 0.5, self._seen(self._opacity(dense)))
            for shape, (_, dense) in zip(shapes, _LAYERS, strict=True)
        )

    def _seen(self, texture: np.ndarray) -> np.ndarray:
        """A texture with its columns in the order of the sheet's."""
        return texture if self.side > 0 else np.ascontiguousarray(texture[:, ::-1])

    def _opacity(self, dense: float) -> Float[np.ndarray, "rows columns"]:
        """Single strands at the inner edge and at the ends, full between."""
        rows, columns = self.strands.shape
        across, along = np.arange(columns) / columns / _RAGGED, (1 - np.arange(rows) / rows)[:, None] / _END
        inside = np.minimum(np.clip(across, 0, 1), np.clip(along, 0, 1))
        return np.clip(inside * (dense + 0.5) + 0.35 * self.strands - 0.5 * (1 - inside), 0, 1).astype(np.float32)


def random_lock(rng: np.random.Generator, hair: Float[np.ndarray, "3"]) -> Lock:
    """A lock of the colour of this hair (log albedo), from one that frames the cheek to one that covers an eye."""
    grains = (_TEXTURE[0] // _GRAIN[0], _TEXTURE[1] // _GRAIN[1])
    strands = cv2.resize(rng.standard_normal(grains, dtype=np.float32), _TEXTURE[::-1], interpolation=cv2.INTER_CUBIC)
    strands = strands / strands.std()
    shade = 0.3 * strands[..., None] * np.array([1.0, 1.05, 1.1], np.float32)
    return Lock(
        side=int(rng.choice([-1, 1])),
        root=float(rng.uniform(0.05, 0.075)),
        parting=float(rng.uniform(-15, 20)),
        inner=float(rng.uniform(8, 45)),
        end=float(rng.uniform(-0.17, -0.04)),
        lift=float(rng.uniform(0.004, 0.012)),
        albedo=np.exp(hair.astype(np.float32) + shade).clip(0.004, 0.8),
        strands=strands,
    )


def _hanging(
    points: Float[np.ndarray, "vertices 3"], azimuth: Float[np.ndarray, "rows columns"], y: Float[np.ndarray, "rows 1"]
) -> Float[np.ndarray, "rows columns"]:
    """Distance from the axis at which hair hangs: on the skin, and straight down from its widest place above."""
    height, width = _CELL
    turn = np.rad2deg(np.arctan2(points[:, 0], points[:, 2] + AXIS))
    row, column = np.rint(points[:, 1] / height).astype(int), np.rint(turn / width).astype(int)
    lowest, leftmost = row.min(), column.min()
    farthest = np.zeros((row.max() - lowest + 1, column.max() - leftmost + 1), np.float32)
    np.maximum.at(farthest, (row - lowest, column - leftmost), np.hypot(points[:, 0], points[:, 2] + AXIS))
    farthest = cv2.dilate(farthest, np.ones((3, 3)))  # cells between vertices
    at = (azimuth / width - leftmost).astype(np.float32), np.broadcast_to(y / height - lowest, azimuth.shape)
    found = cv2.remap(farthest, at[0], at[1].astype(np.float32), cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    return cv2.GaussianBlur(np.maximum.accumulate(found, axis=0), (0, 0), 1.5)
