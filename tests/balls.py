"""Shapes whose normals are known: a ball as a map and as a mesh, and the light of a lamp."""

import numpy as np

from illures.math.normals import vertex_normals
from illures.relighting.light import Light

SIZE = 96


def ball(size=SIZE, radius=0.45):
    """Normals of a ball in the middle of an image; zero beside it."""
    y, x = np.mgrid[:size, :size]
    x, y = (x - (size - 1) / 2) / (radius * size), ((size - 1) / 2 - y) / (radius * size)
    inside = x**2 + y**2 < 1
    normal = np.stack([x, y, np.sqrt(np.clip(1 - x**2 - y**2, 0, None))], axis=-1)
    return np.where(inside[..., None], normal, 0).astype(np.float32)


def sphere_mesh(radius, middle, rings=24):
    """Vertices (image pixels) and outward triangles of a sphere."""
    theta, phi = np.meshgrid(
        np.linspace(1e-3, np.pi - 1e-3, rings), np.linspace(0, 2 * np.pi, 2 * rings), indexing="ij"
    )
    points = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta), np.sin(theta) * np.sin(phi)], -1).reshape(-1, 3)
    corner = (np.arange(rings - 1)[:, None] * 2 * rings + np.arange(2 * rings - 1)).ravel()
    below = corner + 2 * rings
    triangles = np.concatenate([np.stack([corner, corner + 1, below], 1), np.stack([corner + 1, below + 1, below], 1)])
    outward = np.einsum("td,td->t", points[triangles].mean(1), vertex_normals(points, triangles)[triangles].mean(1))
    triangles = triangles if outward.mean() > 0 else triangles[:, ::-1]
    return points * [radius, -radius, radius] + middle, triangles


def lamp(x, y, z):
    return Light.from_direction(np.rad2deg(np.arctan2(x, z)), np.rad2deg(np.arcsin(y))).sh.astype(np.float32)
