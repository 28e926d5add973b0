"""A height map of the whole head: the face from normals and landmarks, the neck behind the chin, hats before the brow.

Normals give the slopes, the landmark mesh the broad shape: the height z minimises |grad z - slopes|² + w |z - mesh|²,
solved exactly by the cosine transform (Frankot and Chellappa 1988, with the reflecting borders of Simchony et al.
1990). No slope tells how far the neck lies behind the chin or a hat before the brow: there the map has steps, as high
as they are on an average head. The neck is a cylinder; its place behind the chin and its radius are means over the
heads of our own two models.

Convention: heights in pixels of the map, toward the viewer.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float

from illures.faces.contour import points68
from illures.faces.mesh import mesh_mask, triangles
from illures.math.fill import filled
from illures.types import Region

# Slopes steeper than this are noise of normals that nearly graze [rise per pixel].
_STEEPEST = 3.0
# Structures wider than this part of the map follow the landmark mesh, smaller ones the normals.
_MESH_FROM = 0.5
# Of the neck, in widths of the face from ear to ear: its axis behind the tip of the chin, and its radius.
_NECK_AXIS, _NECK_RADIUS = 0.82, 0.46
# Toward the sides of the jaw the step fades over this part of its width.
_FADE = 0.15
# How far hair and hats stand out from the skin at their edges, and within which distance they do, in the same widths.
_STANDS_OUT = {Region.HAIR: 0.025, Region.CLOTHES: 0.10, Region.OBJECT: 0.15}
_RISE = {Region.HAIR: 0.08, Region.CLOTHES: 0.02, Region.OBJECT: 0.02}

Map = Float[np.ndarray, "size size"]


def height_map(
    normal: Float[np.ndarray, "size size 3"],
    mask: Map,
    landmarks: Float[np.ndarray, "478 3"],
    regions: Float[np.ndarray, "size size classes"] | None = None,
) -> Map:
    """Heights [px] whose slopes are those of the normals and whose broad shape is the landmark mesh's.

    Args:
        normal: camera frame; size even.
        mask: where the normals mean something.
        landmarks: in the pixels of the map.
        regions: shares of the classes of `types.Region`; None leaves steps out.
    """
    seen, points = _mesh_seen(landmarks, len(normal)), points68(landmarks)
    width = max(float(np.linalg.norm(points[16] - points[0])), 1.0)
    z = _solved(normal, mask, _mesh_depth(landmarks, len(normal)), seen.astype(np.float32))
    if regions is None:
        return z
    below = _below_chin(seen, regions)
    for region, high in _STANDS_OUT.items():
        share = np.where(below > 0.5, 0, _soft(regions[..., region])).astype(np.float32)
        z = z + np.float32(high * width) * _ramp(share, _RISE[region] * width)
    neck = _solved(normal, mask * below, _neck_depth(points, len(normal)), below)
    # What hangs below the jaw is never before it.
    return np.asarray(z + below * (np.minimum(neck, z) - z), np.float32)


def _solved(normal: Float[np.ndarray, "size size 3"], mask: Map, broad: Map, where: Map) -> Map:
    """The slopes of the normals under the mask, and the broad shape of a target, `where` that means something."""
    facing = np.maximum(normal[..., 2:], 1 / _STEEPEST)
    slopes = np.clip(normal[..., :2] / facing, -_STEEPEST, _STEEPEST) * np.array([-1, 1], np.float32)
    slopes = filled(slopes, mask)  # along columns, along rows
    z = _integrated(slopes[..., 0], slopes[..., 1], broad, (2 * np.pi / (_MESH_FROM * 2 * len(normal))) ** 2)
    # What the target is elsewhere has drawn it up or down.
    return np.asarray(z + ((broad - z) * where).sum() / max(float(where.sum()), 1e-6), np.float32)


def _mesh_seen(landmarks: Float[np.ndarray, "478 3"], size: int) -> Bool[np.ndarray, "size size"]:
    return cv2.morphologyEx(mesh_mask(landmarks, size), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0


def _below_chin(seen: Bool[np.ndarray, "size size"], regions: Float[np.ndarray, "size size classes"]) -> Map:
    """1 on skin and clothes under the mesh's lower outline, softly; hair that hangs there has no known depth."""
    size = len(regions)
    last = np.where(seen.any(axis=0), size - 1 - seen[::-1].argmax(axis=0), size)
    share = regions[..., Region.SKIN] + regions[..., Region.CLOTHES] + regions[..., Region.FACIAL_HAIR]
    below = (np.arange(size)[:, None] > last) & (share > 0.5)
    columns = np.flatnonzero(last < size)
    if not len(columns):
        return np.zeros((size, size), np.float32)
    at = np.arange(size)
    aside = np.minimum(at - columns[0], columns[-1] - at) / max(_FADE * np.ptp(columns), 1.0)
    return np.asarray(cv2.GaussianBlur(below.astype(np.float32), (0, 0), size / 128) * np.clip(aside, 0, 1), np.float32)


def _neck_depth(points: Float[np.ndarray, "68 3"], size: int) -> Map:
    """An upright cylinder behind the chin; beside it, the plane of its axis."""
    up = np.array([1.0, -1.0, 1.0])  # rows go down
    across = (points[16] - points[0]) * up
    upward = (points[[27]].mean(axis=0) - points[8]) * up
    ahead = np.cross(across, upward)
    ahead /= max(float(np.linalg.norm(ahead)), 1e-9)
    width = float(np.linalg.norm(across))
    axis = points[8] * up - _NECK_AXIS * width * ahead
    aside = np.arange(size) - axis[0]
    rise = np.sqrt(np.clip((_NECK_RADIUS * width) ** 2 - aside**2, 0, None))
    return np.broadcast_to((axis[2] + rise).astype(np.float32), (size, size))


def _soft(share: Map) -> Map:
    """Without single hairs."""
    return np.asarray(cv2.GaussianBlur(share.astype(np.float32), (0, 0), len(share) / 64))


def _ramp(share: Map, width: float) -> Map:
    """0 outside a region, 1 from `width` inside its edge on."""
    away = cv2.distanceTransform((share > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(np.clip(away / max(width, 1.0), 0, 1), np.float32)


def _mesh_depth(landmarks: Float[np.ndarray, "478 3"], size: int) -> Map:
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


def _integrated(along_columns: Map, along_rows: Map, target: Map, weight: float) -> Map:
    """Least squares of slopes (between neighbouring pixels) and of a target height, exact by the cosine transform."""
    height, width = target.shape
    p = (along_columns[:, 1:] + along_columns[:, :-1]) / 2
    q = (along_rows[1:] + along_rows[:-1]) / 2
    divergence = np.diff(np.pad(p, ((0, 0), (1, 1))), axis=1) + np.diff(np.pad(q, ((1, 1), (0, 0))), axis=0)
    right = cv2.dct(np.ascontiguousarray(weight * target - divergence, np.float32))
    rows = 2 - 2 * np.cos(np.pi * np.arange(height) / height)[:, None]
    columns = 2 - 2 * np.cos(np.pi * np.arange(width) / width)
    return cv2.idct((right / (rows + columns + weight)).astype(np.float32))
