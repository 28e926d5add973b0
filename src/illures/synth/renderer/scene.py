"""A head before a camera, in plain arrays: pose, exact crop framing, and all parts merged into one surface.

Convention: the camera sits at the origin of the camera frame (x right, y up, z toward the viewer) and looks along -z.
The rendered square is the aligned crop of the projected landmarks, so that no image is ever resampled.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int

from illures.errors import InputError
from illures.faces.contour import points68
from illures.faces.crop import alignment
from illures.types import Head, Part

_PLANE_PX = 1000.0  # pixels a unit of the image plane at distance 1; only keeps numbers near those of photos


@dataclass(frozen=True)
class Pose:
    """Where the head is, seen from the camera.

    Attributes:
        yaw_deg: turn about the vertical axis; positive turns the face to image right.
        pitch_deg: nod; positive looks down.
        roll_deg: tilt; positive is counter-clockwise in the image.
        distance: from the camera to the point between the eyes [m].
        offset_deg: (right, up) angle of that point off the optical axis.
    """

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    distance: float = 1.0
    offset_deg: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Jitter:
    """How far the crop is off the exact alignment, as real landmarks make it.

    Attributes:
        scale: factor on the size of the face in the crop.
        shift: (right, down) as a share of the crop's side.
        turn_deg: clockwise in the image.
    """

    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    turn_deg: float = 0.0


@dataclass(frozen=True)
class View:
    """A camera and a head's place before it.

    Attributes:
        size: side of the square image [px].
        rotation: head to camera frame.
        translation: of the head's origin, camera frame [m].
        plane: similarity that takes crop pixels (x right, y down, centres at integers) to the image plane at
            distance 1 (x right, y down): the ray of a pixel is (X, -Y, -1).
        landmarks: the 478 landmarks in crop pixels, z in crop pixels toward the viewer from between the eyes.
    """

    size: int
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]
    plane: Float[np.ndarray, "2 3"]
    landmarks: Float[np.ndarray, "478 3"]

    @property
    def to_crop_frame(self) -> Float[np.ndarray, "3 3"]:
        """Rotation from the camera's frame to the crop's, whose z axis runs from the crop's middle to the camera.

        What the network says of a crop is in the crop's frame (`Decomposition`), and so must be what it learns from:
        a face looks the same wherever in the photo it is, and the crop stands upright on it while the camera may not.
        """
        middle = (self.size - 1) / 2
        x, y = self.plane @ (middle, middle, 1.0)
        sight = np.array([x, -y, -1.0]) / np.sqrt(x * x + y * y + 1)
        # The smallest rotation that takes the line of sight to -z (Rodrigues' formula).
        axis = np.cross(sight, [0, 0, -1])
        cross = np.cross(axis, np.eye(3)).T
        straight = np.eye(3) + cross + cross @ cross / (1 - sight[2])
        roll = np.arctan2(self.plane[1, 0], self.plane[0, 0])  # of the crop's x axis, clockwise as y goes down
        c, s = np.cos(roll), np.sin(roll)
        return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ straight


@dataclass(frozen=True)
class Surface:
    """All parts of a head as one triangle mesh in the camera frame, with the texels of all textures in one list.

    Attributes:
        vertices, normals: positions [m] and smooth unit normals; UV seams do not show in the normals.
        triangles: counter-clockwise seen from outside.
        uv: per vertex, v up.
        part: per triangle, the row of `parts`.
        parts: per part: first texel, columns, rows, roughness (GGX alpha), specular weight.
        texels: albedo R, G, B and mask, then opacity, dh/du, dh/dv [m] and region.
        slopes: per triangle, the gradients of u and v along the surface [1/m], camera frame.
        opaque: no part has opacity.
    """

    vertices: Float[np.ndarray, "vertices 3"]
    normals: Float[np.ndarray, "vertices 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    uv: Float[np.ndarray, "vertices 2"]
    part: Int[np.ndarray, " triangles"]
    parts: Float[np.ndarray, "parts 5"]
    texels: Float[np.ndarray, "texels 8"]
    slopes: Float[np.ndarray, "triangles 6"]
    opaque: bool


def place(landmarks: Float[np.ndarray, "478 3"], pose: Pose, size: int, jitter: Jitter | None = None) -> View:
    """Put a head before the camera and frame it as `faces.crop.alignment` frames its projected landmarks."""
    rotation = _rotation(pose)
    right, up = np.tan(np.deg2rad(pose.offset_deg))
    translation = np.array([right, up, -1.0]) * pose.distance
    points = landmarks.astype(np.float64) @ rotation.T + translation
    if points[:, 2].max() > -0.05:
        raise InputError(f"camera distance {pose.distance} m: the face must be more than 0.05 m in front of the camera")
    plane = _PLANE_PX * np.stack([points[:, 0], -points[:, 1]], axis=1) / -points[:, 2:]
    to_crop = _jittered(alignment(points68(plane), size).astype(np.float64), jitter or Jitter(), size)
    scale = np.hypot(to_crop[0, 0], to_crop[1, 0])
    # An axis-parallel plane at the eyes' distance maps to the crop with this many pixels a metre.
    per_metre = scale * _PLANE_PX / pose.distance
    depth = (points[:, 2:] - translation[2]) * per_metre
    crop_points = np.concatenate([plane @ to_crop[:, :2].T + to_crop[:, 2], depth], axis=1)
    back = np.linalg.inv(to_crop[:, :2])
    to_plane = np.concatenate([back, -(back @ to_crop[:, 2:])], axis=1) / _PLANE_PX
    return View(size, rotation, translation, to_plane, crop_points.astype(np.float32))


def merge(head: Head, view: View) -> Surface:
    """Merge the parts of a posed head into one surface in the camera frame."""
    offsets = np.cumsum([0] + [len(part.vertices) for part in head.parts])
    vertices = np.concatenate([part.vertices for part in head.parts]).astype(np.float64)
    vertices = vertices @ view.rotation.T + view.translation
    shifted = [part.triangles + offset for part, offset in zip(head.parts, offsets[:-1], strict=True)]
    triangles = np.concatenate(shifted).astype(np.int32)
    uv = np.concatenate([part.uv for part in head.parts]).astype(np.float32)
    tables = [_texels(part) for part in head.parts]
    first = np.cumsum([0] + [rows * columns for _, rows, columns in tables])
    parts = [
        [start, columns, rows, part.roughness, part.specular]
        for part, start, (_, rows, columns) in zip(head.parts, first[:-1], tables, strict=True)
    ]
    return Surface(
        vertices=vertices.astype(np.float32),
        normals=smooth_normals(vertices, triangles).astype(np.float32),
        triangles=triangles,
        uv=uv,
        part=np.repeat(np.arange(len(head.parts)), [len(part.triangles) for part in head.parts]).astype(np.int32),
        parts=np.array(parts, np.float32),
        texels=np.concatenate([texels for texels, _, _ in tables]),
        slopes=_uv_gradients(vertices, triangles, uv).astype(np.float32),
        opaque=all(part.opacity is None for part in head.parts),
    )


def smooth_normals(
    vertices: Float[np.ndarray, "vertices 3"], triangles: Int[np.ndarray, "triangles 3"]
) -> Float[np.ndarray, "vertices 3"]:
    """Area-weighted vertex normals; vertices at the same place (doubled along UV seams) share one."""
    # A micrometre grid makes equal positions equal keys; 21 bits an axis span 2 m.
    grid = np.round((vertices - vertices.mean(0)) * 1e6).astype(np.int64) & 0x1FFFFF
    _, same = np.unique(grid[:, 0] | grid[:, 1] << 21 | grid[:, 2] << 42, return_inverse=True)
    corners = vertices[triangles]
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    owner = same[triangles].ravel()
    total = np.stack([np.bincount(owner, np.repeat(face[:, k], 3), minlength=same.max() + 1) for k in range(3)], 1)
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-30))[same]


def _rotation(pose: Pose) -> Float[np.ndarray, "3 3"]:
    """Roll after pitch after yaw."""
    (sy, sp, sr), (cy, cp, cr) = (
        f(np.deg2rad([pose.yaw_deg, pose.pitch_deg, pose.roll_deg])) for f in (np.sin, np.cos)
    )
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return roll @ pitch @ yaw


def _jittered(matrix: Float[np.ndarray, "2 3"], jitter: Jitter, size: int) -> Float[np.ndarray, "2 3"]:
    """Scale and turn the crop about its middle, then shift it."""
    angle, middle = np.deg2rad(jitter.turn_deg), (size - 1) / 2
    turn = jitter.scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = turn @ (matrix[:, 2] - middle) + middle + size * np.array(jitter.shift)
    return np.concatenate([turn @ matrix[:, :2], shift[:, None]], axis=1)


def _texels(part: Part) -> tuple[Float[np.ndarray, "texels 8"], int, int]:
    """All textures of a part at the size of its albedo, row 0 first; and that size."""
    rows, columns = part.albedo.shape[:2]
    table = np.zeros((rows, columns, 8), np.float32)
    table[..., :3] = part.albedo
    table[..., 3] = _resized(part.mask, rows, columns)
    table[..., 7] = cv2.resize(part.region, (columns, rows), interpolation=cv2.INTER_NEAREST)
    table[..., 4] = 1 if part.opacity is None else _resized(part.opacity, rows, columns)
    if part.bump is not None:
        height = _resized(part.bump, rows, columns)
        table[..., 5] = np.gradient(height, axis=1) * columns
        table[..., 6] = -np.gradient(height, axis=0) * rows  # row 0 is v = 1
    return table.reshape(-1, 8), rows, columns


def _resized(texture: Float[np.ndarray, "rows columns"], rows: int, columns: int) -> np.ndarray:
    if texture.shape == (rows, columns):
        return texture
    shrinks = texture.shape[0] > rows
    flag = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(texture.astype(np.float32), (columns, rows), interpolation=flag)


def _uv_gradients(
    vertices: Float[np.ndarray, "vertices 3"],
    triangles: Int[np.ndarray, "triangles 3"],
    uv: Float[np.ndarray, "vertices 2"],
) -> Float[np.ndarray, "triangles 6"]:
    """Gradients of u and of v in the plane of each triangle; 0 where the UVs are degenerate."""
    p, t = vertices[triangles], uv[triangles].astype(np.float64)
    e1, e2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    a, b, c = (np.einsum("ij,ij->i", x, y)[:, None] for x, y in ((e1, e1), (e1, e2), (e2, e2)))
    d1, d2 = t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]
    area2 = a * c - b * b
    scale = np.where(area2 > 1e-24, 1 / np.maximum(area2, 1e-24), 0)
    gradients = [
        ((c * d1[:, k : k + 1] - b * d2[:, k : k + 1]) * e1 + (a * d2[:, k : k + 1] - b * d1[:, k : k + 1]) * e2)
        * scale
        for k in range(2)
    ]
    return np.concatenate(gradients, axis=1)
