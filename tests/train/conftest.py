"""A tiny set whose truth is known in closed form: ellipsoids under random SH light."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from illures.data.cache import SampleCache, build_cache
from illures.math.normals import normalize
from illures.render import render
from illures.types import Sample


def ellipsoids(count: int, size: int = 32, seed: int = 0) -> Iterator[Sample]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[1 : -1 : size * 1j, -1 : 1 : size * 1j]
    for i in range(count):
        width, height = rng.uniform(0.5, 0.9, 2)
        inside = 1 - (x / width) ** 2 - (y / height) ** 2
        mask = inside > 0
        slope = np.stack([x / width**2, y / height**2, np.sqrt(np.clip(inside, 0, 1)) / 0.7], axis=-1)
        normal = (normalize(slope) * mask[..., None]).astype(np.float32)
        albedo = (np.broadcast_to(rng.uniform(0.1, 0.7, 3), (size, size, 3)) * mask[..., None]).astype(np.float32)
        light = np.zeros((9, 3), np.float32)
        light[0], light[1:4] = 1.7, rng.normal(0, 0.5, (3, 1))
        local = render(albedo, normal, light)
        residual = np.where((x > 0.2)[..., None] & mask[..., None], -0.3 * local, 0).astype(np.float32)
        image = np.where(mask[..., None], local + residual, 0.3).astype(np.float32)
        landmarks, contour = np.zeros((478, 3), np.float32), np.zeros((size, size), np.float32)
        yield Sample(image, albedo, normal, light, residual, mask, landmarks, contour, i, 0, 0, 0, i)


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache") / "ellipsoids"
    build_cache(ellipsoids(40), folder, np.zeros_like, "ellipsoids")
    return folder


@pytest.fixture
def cache(cache_folder: Path) -> SampleCache:
    return SampleCache([cache_folder])
