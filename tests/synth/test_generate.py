"""Sets: restartable, the same bytes each time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from illures.data.shards import read_shards, read_views, shard_paths
from illures.errors import InputError
from illures.synth.generate import generate, shard_path
from illures.synth.recipes import Recipe
from illures.types import Head, Part

RECIPE = Recipe(views=3, identities=2, lights=2, size=24, samples=4, shadow_samples=4, views_per_shard=2, denoise=False)


def pyramid(recipe: Recipe):
    """A source of heads; each is a pyramid with the nose toward the viewer."""

    def head(identity: int, rng: np.random.Generator) -> Head:
        tip = 0.04 + 0.02 * rng.random()
        vertices = np.array([[-1, -2, -0.5], [1, -2, -0.5], [1, 1, -0.5], [-1, 1, -0.5], [0, -0.5, 10 * tip]]) / 10
        part = Part(
            name="skin",
            vertices=vertices.astype(np.float32),
            triangles=np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]], np.int32),
            uv=np.zeros((5, 2), np.float32),
            albedo=np.full((2, 2, 3), 0.3 + 0.2 * identity, np.float32),
            mask=np.ones((2, 2), np.float32),
        )
        points = np.zeros((68, 3), np.float32)
        points[36:42], points[42:48], points[48:60] = (-0.04, 0, 0), (0.04, 0, 0), (0, -0.08, 0)
        return Head((part,), points)

    return head


def test_a_set_is_what_its_recipe_says(tmp_path) -> None:
    generate(RECIPE, tmp_path, workers=1, make_heads=pyramid)
    views = list(read_views(shard_paths(tmp_path)))
    assert [v.identity for v in views] == [0, 1, 0]
    samples = list(read_shards(shard_paths(tmp_path)))
    assert [s.lighting for s in samples] == list(range(6))
    for s in samples:
        assert s.image.shape == (24, 24, 3) and np.isfinite(s.residual).all()
        assert s.mask.mean() > 0.2
        # Exposure holds between the darkest and the brightest that cameras make of a face.
        assert 0.03 < s.image[s.mask].mean() < 1
        assert s.albedo[s.mask].mean() == pytest.approx(0.3 + 0.2 * s.identity, abs=0.02)


def test_a_restart_gives_the_same_bytes(tmp_path) -> None:
    generate(RECIPE, tmp_path / "a", workers=1, make_heads=pyramid)
    generate(RECIPE, tmp_path / "b", workers=1, make_heads=pyramid)
    kept = shard_path(tmp_path / "b", 0).stat().st_mtime_ns
    shard_path(tmp_path / "b", 1).unlink()
    generate(RECIPE, tmp_path / "b", workers=1, make_heads=pyramid)
    assert shard_path(tmp_path / "b", 0).stat().st_mtime_ns == kept
    for k in range(RECIPE.shards):
        assert shard_path(tmp_path / "a", k).read_bytes() == shard_path(tmp_path / "b", k).read_bytes()


def test_views_without_lights_hold_albedo_and_normals(tmp_path) -> None:
    generate(dataclasses.replace(RECIPE, lights=0), tmp_path, workers=1, make_heads=pyramid)
    views = list(read_views(shard_paths(tmp_path)))
    assert all(not v.images and v.mask.any() and v.normal[v.mask].any() for v in views)
    assert not list(read_shards(shard_paths(tmp_path)))


def test_another_recipe_may_not_join(tmp_path) -> None:
    generate(RECIPE, tmp_path, workers=1, make_heads=pyramid)
    with pytest.raises(InputError, match="another recipe"):
        generate(dataclasses.replace(RECIPE, seed=1), tmp_path, workers=1, make_heads=pyramid)
    with pytest.raises(InputError, match="already holds"):
        generate(RECIPE, tmp_path, workers=1, resume=False, make_heads=pyramid)


def test_recipe_refuses_nonsense(tmp_path) -> None:
    with pytest.raises(InputError, match="views = 0"):
        Recipe(views=0)
    with pytest.raises(InputError, match="no environment maps"):
        generate(dataclasses.replace(RECIPE, hdri=tmp_path), tmp_path / "out", workers=1, make_heads=pyramid)
