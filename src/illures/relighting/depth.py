"""A height map of the whole head: its shape by a small network, its detail from the normals.

Normals give slopes, and the landmark mesh the broad shape of the face. Neither tells how far the neck lies behind the
chin, or hair and hats before the skin. A small network (`scripts/fit_head_depth.py`, fitted to renders of our
head models) estimates heights from normals, classes and mesh. What is finer than it sees comes from the slopes p: the
height z minimises |grad z - p|² + w |z - z_0|², solved exactly by the cosine transform (Frankot and Chellappa 1988,
with the reflecting borders of Simchony et al. 1990); at steps, p is the slope of z_0. Without classes, z_0 is the mesh.
Glasses are a layer of their own, as light passes behind them: the height map has the skin there.

Convention: heights in pixels of the map, toward the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from illures.faces.atlas import rasterised
from illures.faces.mesh import mesh_mask
from illures.faces.network import network
from illures.math.fill import filled
from illures.types import Region

# Side of the network's maps [px].
SIDE = 128
# Classes that the network tells apart.
_GROUPS = (
    (Region.SKIN, Region.LIPS, Region.FACIAL_HAIR, Region.EYES, Region.MOUTH),
    (Region.HAIR,),
    (Region.GLASSES,),
    (Region.OBJECT,),
    (Region.CLOTHES,),
    (Region.BACKGROUND,),
)
# Slopes steeper than this are noise of normals that nearly graze [rise per pixel].
_STEEPEST = 3.0
# Structures wider than this part of the map follow the first estimate, smaller ones the normals: mesh, network.
_MESH_FROM, _NETWORK_FROM = 0.5, 0.1
# The normals' slope and the network's differ by more than this at a step [rise per pixel].
_STEP = 1.0

# The network's heights rise at the border of its maps, where its convolutions see zeros [px].
_RIM = 5
# Pits of hair narrower than this are filled [sides of the map].
_PIT = 0.14

Map = Float[np.ndarray, "size size"]


@dataclass(frozen=True)
class Heights:
    """Heights of the surfaces of a crop [px].

    Attributes:
        head: of everything but glasses.
        glasses: of frames and dark lenses; NaN where there are none.
    """

    head: Map
    glasses: Map


def heights(
    normal: Float[np.ndarray, "size size 3"],
    mask: Map,
    landmarks: Float[np.ndarray, "478 3"],
    regions: Float[np.ndarray, "size size classes"] | None = None,
) -> Heights:
    """Heights of everything that the maps show.

    Args:
        normal: camera frame; size even.
        mask: where the normals mean something.
        landmarks: in the pixels of the map.
        regions: shares of the classes of `types.Region`; without them, heights are those of a face.
    """
    size = len(normal)
    slopes = _slopes(normal)
    if regions is None:
        head = _integrated(filled(slopes, mask), _mesh_depth(landmarks, size), _MESH_FROM)
        return Heights(head, np.full_like(head, np.nan))
    small = features(_resized(normal, SIDE), _resized(regions, SIDE), landmarks * np.float32(SIDE / size))
    seen = network("head_depth")(small)[0][0, _RIM:-_RIM, _RIM:-_RIM]
    broad, glasses = np.moveaxis(
        _resized(np.pad(seen, ((_RIM, _RIM), (_RIM, _RIM), (0, 0)), mode="edge"), size) * np.float32(size), -1, 0
    )
    own = np.stack([np.gradient(broad, axis=1), np.gradient(broad, axis=0)], axis=-1)
    worn = regions[..., Region.GLASSES]
    unknown = (mask < 0.5) | (cv2.dilate(worn, np.ones((3, 3), np.uint8)) > 0.3)
    step = (np.abs(slopes - own).max(axis=-1) > _STEP) | unknown
    head = _integrated(np.where(step[..., None], own, slopes).astype(np.float32), broad, _NETWORK_FROM)
    return Heights(without_pits(head, regions[..., Region.HAIR]), np.where(worn > 0.5, glasses, np.float32(np.nan)))


def without_pits(height: Map, hair: Map) -> Map:
    """Fill narrow pits of hair, which neither normals nor network can see: a lock before another is no hole."""
    width = 2 * round(_PIT * len(height) / 2) + 1
    closed = cv2.morphologyEx(height, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    return np.asarray(height + hair * (closed - height), np.float32)


def features(
    normal: Float[np.ndarray, "side side 3"],
    regions: Float[np.ndarray, "side side classes"],
    landmarks: Float[np.ndarray, "478 3"],
) -> Float[np.ndarray, "side side 13"]:
    """Input of the network, on its grid: normal, groups of classes, the mesh's height and its mask, x and y.

    Heights are in sides of the map, from the mean of the mesh.
    """
    side = len(normal)
    grouped = [regions[..., list(group)].sum(axis=-1) for group in _GROUPS]
    seen = _mesh_seen(landmarks, side).astype(np.float32)
    mesh = _mesh_depth(landmarks, side)
    mesh = (mesh - (mesh * seen).sum() / max(float(seen.sum()), 1.0)) / side
    y, x = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    return np.dstack([normal, *grouped, mesh, seen, x, y]).astype(np.float32)


def _resized(field: Float[np.ndarray, "a a *c"], side: int) -> Float[np.ndarray, "b b *c"]:
    if len(field) == side:
        return field
    channels = np.split(field, range(4, field.shape[2], 4), axis=2) if field.ndim == 3 else [field]
    method = cv2.INTER_AREA if len(field) > side else cv2.INTER_LINEAR
    return np.dstack(
        [cv2.resize(np.ascontiguousarray(c), (side, side), interpolation=method) for c in channels]
    ).reshape(side, side, *field.shape[2:])


def _slopes(normal: Float[np.ndarray, "size size 3"]) -> Float[np.ndarray, "size size 2"]:
    """Rise per pixel along columns and along rows."""
    facing = np.maximum(normal[..., 2:], 1 / _STEEPEST)
    return np.clip(normal[..., :2] / facing, -_STEEPEST, _STEEPEST) * np.array([-1, 1], np.float32)


def _mesh_seen(landmarks: Float[np.ndarray, "478 3"], size: int) -> Bool[np.ndarray, "size size"]:
    return cv2.morphologyEx(mesh_mask(landmarks, size), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0


def _mesh_depth(landmarks: Float[np.ndarray, "478 3"], size: int) -> Map:
    """Depth of the mesh where it faces the viewer, continued smoothly around it."""
    on_mesh, depth = rasterised(landmarks, size, landmarks[:, 2:].astype(np.float32))
    return filled(depth, on_mesh.astype(np.float32))[..., 0]


def _integrated(slopes: Float[np.ndarray, "size size 2"], target: Map, wide: float) -> Map:
    """Least squares of slopes (between neighbouring pixels) and, from structures so `wide` on [sides], a target height.

    Exact by the cosine transform.
    """
    height, width = target.shape
    weight = (np.pi / (wide * width)) ** 2
    p = (slopes[:, 1:, 0] + slopes[:, :-1, 0]) / 2
    q = (slopes[1:, :, 1] + slopes[:-1, :, 1]) / 2
    divergence = np.diff(np.pad(p, ((0, 0), (1, 1))), axis=1) + np.diff(np.pad(q, ((1, 1), (0, 0))), axis=0)
    right = cv2.dct(np.ascontiguousarray(weight * target - divergence, np.float32))
    rows = 2 - 2 * np.cos(np.pi * np.arange(height) / height)[:, None]
    columns = 2 - 2 * np.cos(np.pi * np.arange(width) / width)
    return cv2.idct((right / (rows + columns + weight)).astype(np.float32))
