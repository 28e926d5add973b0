"""A tiny set whose truth is known in closed form: ellipsoids, two views of each, two SH lights a view."""

from collections.abc import Iterator
from importlib.resources import files

import numpy as np

from illures.data.context import WIDE_PX
from illures.faces import draw_contour, points68
from illures.math.normals import normalize
from illures.render import render
from illures.types import Region, Sample


def ellipsoids(count: int, size: int = 32, seed: int = 0) -> Iterator[Sample]:
    """Four samples of each identity: two poses (shapes, here) under two lights."""
    for i in range(count):
        identity, pose, lighting = i // 4, i // 2 % 2, i % 2
        of_view = np.random.default_rng([seed, identity, pose])
        width, height = of_view.uniform(0.5, 0.9, 2)
        color = np.random.default_rng([seed, identity]).uniform(0.1, 0.7, 3)
        light = np.zeros((9, 3), np.float32)
        light[0], light[1:4] = 1.7, np.random.default_rng([seed, i, 1]).normal(0, 0.5, (3, 1))
        yield ellipsoid(size, width, height, color, light, (identity, pose, lighting, i))


def ellipsoid(size, width, height, color, light, ids) -> Sample:
    y, x = np.mgrid[1 : -1 : size * 1j, -1 : 1 : size * 1j]
    inside = 1 - (x / width) ** 2 - (y / height) ** 2
    mask = inside > 0
    slope = np.stack([x / width**2, y / height**2, np.sqrt(np.clip(inside, 0, 1)) / 0.7], axis=-1)
    normal = (normalize(slope) * mask[..., None]).astype(np.float32)
    albedo = (np.broadcast_to(color, (size, size, 3)) * mask[..., None]).astype(np.float32)
    local = render(albedo, normal, light)
    residual = np.where((x > 0.2)[..., None] & mask[..., None], -0.3 * local, 0).astype(np.float32)
    image = np.where(mask[..., None], local + residual, 0.3).astype(np.float32)
    landmarks = mesh_on(size, width, height)
    contour = draw_contour(points68(landmarks), size)
    identity, pose, lighting, seed = ids
    region = np.where(mask, Region.SKIN, Region.BACKGROUND).astype(np.uint8)
    region[mask & (np.hypot(x - 0.2, y + 0.2) < 0.15)] = Region.EYES
    context = np.full((WIDE_PX, WIDE_PX, 3), 0.3, np.float32)
    surroundings = region, context, landmarks, contour
    return Sample(image, albedo, normal, light, residual, mask, *surroundings, identity, 0, pose, lighting, seed)


def mesh_on(size: int, width: float, height: float) -> np.ndarray:
    """The canonical face mesh, stretched over the ellipsoid's outline; the irises in its middle."""
    with np.load(str(files("illures.faces") / "weights" / "face_mesh.npz")) as mesh:
        points = mesh["positions"].astype(np.float64)
    points = np.concatenate([points, np.zeros((10, 3))])
    points /= np.abs(points).max(axis=0)
    half = (size - 1) / 2
    return (points * [width * half, -height * half, 0.5 * half] + [half, half, 0]).astype(np.float32)
