"""Primitives as triangle meshes: tubes, balls, boxes, fans (head coordinates, m)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from illures.types import Part, Region

Points = Float[np.ndarray, "points 3"]

_REGIONS = {
    "hair": Region.HAIR,
    "glasses": Region.GLASSES,
    "lens": Region.GLASSES,
    "hat": Region.CLOTHES,
    "scarf": Region.CLOTHES,
    "lashes": Region.EYES,
    "beard": Region.FACIAL_HAIR,
    "necklace": Region.OBJECT,
    "occluder": Region.OBJECT,
}


@dataclass(frozen=True)
class Primitive:
    """A mesh, counter-clockwise seen from outside, with UVs in [0, 1]."""

    vertices: Float[np.ndarray, "vertices 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    uv: Float[np.ndarray, "vertices 2"]


def sheet(points: Float[np.ndarray, "rows columns 3"]) -> Primitive:
    """A grid of points, row 0 at v = 1; outside is the side from which columns run right and rows run down."""
    rows, columns = points.shape[:2]
    at = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = at[:-1, :-1].ravel(), at[1:, :-1].ravel(), at[1:, 1:].ravel(), at[:-1, 1:].ravel()
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    u, v = np.meshgrid(np.linspace(0, 1, columns), np.linspace(1, 0, rows))
    return Primitive(points.reshape(-1, 3), triangles, np.stack([u.ravel(), v.ravel()], 1))


def tube(path: Points, radius: float | Float[np.ndarray, " points"], closed: bool = False, sides: int = 8) -> Primitive:
    """A round tube along a path, its ends rounded to a point unless it is a loop."""
    radii = np.broadcast_to(np.asarray(radius, float), len(path)).copy()
    if closed:
        path, radii = np.concatenate([path, path[:1]]), np.append(radii, radii[0])
        tangent = np.roll(path[:-1], -1, 0) - np.roll(path[:-1], 1, 0)
        tangent = np.concatenate([tangent, tangent[:1]])
    else:
        path, radii = _capped(path, radii)
        tangent = np.gradient(path, axis=0)
    tangent = tangent / np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
    # The axis least along the path keeps the frames from turning over.
    reference = np.eye(3)[np.argmin(np.abs(tangent).max(0))]
    across = np.cross(tangent, reference)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    upward = np.cross(across, tangent)
    angle = np.linspace(0, 2 * np.pi, sides + 1)[:, None, None]
    ring = path + radii[:, None] * (np.cos(angle) * across + np.sin(angle) * upward)
    return sheet(ring)


def ball(centre: Float[np.ndarray, "3"], radii: float | Float[np.ndarray, "3"], rows: int = 10) -> Primitive:
    """An ellipsoid along the axes."""
    theta, phi = np.meshgrid(np.linspace(0, np.pi, rows + 1), np.linspace(0, 2 * np.pi, 2 * rows + 1), indexing="ij")
    unit = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], -1)
    return sheet(unit * radii + centre)


def box(half: Float[np.ndarray, "3"], corner: float, rows: int = 14) -> Primitive:
    """A box round the origin with rounded edges: a ball of radius `corner`, pulled apart."""
    unit = ball(np.zeros(3), 1.0, rows)
    return Primitive(
        corner * unit.vertices + np.sign(unit.vertices.round(6)) * (half - corner), unit.triangles, unit.uv
    )


def moved(primitive: Primitive, rotation: Float[np.ndarray, "3 3"], shift: Float[np.ndarray, "3"]) -> Primitive:
    """Rotate about the origin, then shift."""
    return Primitive(primitive.vertices @ rotation.T + shift, primitive.triangles, primitive.uv)


def joined(primitives: list[Primitive]) -> Primitive:
    """Merge into one mesh."""
    offsets = np.cumsum([0] + [len(primitive.vertices) for primitive in primitives])
    return Primitive(
        np.concatenate([primitive.vertices for primitive in primitives]),
        np.concatenate([each.triangles + offset for each, offset in zip(primitives, offsets[:-1], strict=True)]),
        np.concatenate([primitive.uv for primitive in primitives]),
    )


def occluder(
    name: str,
    primitive: Primitive,
    albedo: Float[np.ndarray, "*texture 3"],
    roughness: float = 0.4,
    specular: float = 0.3,
    opacity: Float[np.ndarray, "rows columns"] | None = None,
) -> Part:
    """A part that is not face; `albedo` is one colour or a texture."""
    texture = np.tile(albedo, (2, 2, 1)) if albedo.ndim == 1 else albedo
    return Part(
        name,
        primitive.vertices.astype(np.float32),
        primitive.triangles.astype(np.int32),
        primitive.uv.astype(np.float32),
        np.clip(texture, 0, 1).astype(np.float32),
        np.zeros((2, 2), np.float32),
        None,
        roughness,
        specular,
        opacity,
        worn_region(name),
    )


def worn_region(name: str) -> UInt8[np.ndarray, "1 1"]:
    """The class texture of an accessory or occluder, by the name of its part."""
    return plain_region(_REGIONS[name])


def plain_region(region: Region) -> UInt8[np.ndarray, "1 1"]:
    """The class texture of a surface with a single class."""
    return np.full((1, 1), region, np.uint8)


def curve(knots: Float[np.ndarray, "knots 3"], count: int) -> Points:
    """Points along the Catmull-Rom spline through some knots."""
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    t = np.linspace(0, len(knots) - 1, count)
    k = np.minimum(t.astype(int), len(knots) - 2)
    f = (t - k)[:, None]
    p0, p1, p2, p3 = (padded[k + i] for i in range(4))
    return p1 + 0.5 * f * (p2 - p0 + f * (2 * p0 - 5 * p1 + 4 * p2 - p3 + f * (3 * (p1 - p2) + p3 - p0)))


def _capped(path: Points, radii: np.ndarray) -> tuple[Float[np.ndarray, "longer 3"], np.ndarray]:
    """Quarter circles of rings before the first point and after the last."""
    angle = np.linspace(0, np.pi / 2, 4)[1:]
    first, last = path[0] - path[1], path[-1] - path[-2]
    first, last = first / np.linalg.norm(first), last / np.linalg.norm(last)
    head = path[0] + radii[0] * np.sin(angle)[::-1, None] * first
    tail = path[-1] + radii[-1] * np.sin(angle)[:, None] * last
    ends = np.cos(angle)
    return np.concatenate([head, path, tail]), np.concatenate([radii[0] * ends[::-1], radii, radii[-1] * ends])
