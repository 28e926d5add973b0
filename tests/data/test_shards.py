"""Shards: what goes in comes out, whole or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from illures.data.context import WIDE_PX
from illures.data.shards import ViewRecord, read_shards, read_views, shard_bytes, shard_paths, write_shard
from illures.errors import InputError
from illures.math.normals import angular_error_deg
from illures.render import render
from illures.types import Region


def view(seed: int, images: int = 2, size: int = 16, lights: int | None = None) -> ViewRecord:
    lights = images if lights is None else lights
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(size, size, 3))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    normal[:3] = 0
    return ViewRecord(
        albedo=rng.random((size, size, 3), np.float32),
        normal=normal.astype(np.float32),
        mask=rng.random((size, size)) > 0.5,
        region=rng.integers(0, len(Region), (size, size), dtype=np.uint8),
        landmarks=rng.normal(8, 4, (478, 3)).astype(np.float32),
        contexts=tuple(4 * rng.random((WIDE_PX, WIDE_PX, 3), np.float32) for _ in range(images)),
        images=tuple(3 * rng.random((size, size, 3), np.float32) for _ in range(images)),
        lights=tuple(rng.normal(size=(9, 3)).astype(np.float32) for _ in range(lights)),
        lightings=tuple(range(10 * seed, 10 * seed + lights)),
        identity=seed,
        expression=seed + 1,
        pose=seed + 2,
        seed=99,
        recipe="abc",
    )


def test_round_trip(tmp_path) -> None:
    views = [view(1), view(2, images=3), view(3, images=0), view(4, images=0, lights=2)]
    write_shard(tmp_path / "a.tar", [(f"{k:06d}", v) for k, v in enumerate(views)])
    back = list(read_views(shard_paths(tmp_path)))
    assert [len(v.images) for v in back] == [2, 3, 0, 0]
    assert [len(v.lights) for v in back] == [2, 3, 0, 2]
    for old, new in zip(views, back, strict=True):
        np.testing.assert_allclose(new.albedo, old.albedo, rtol=0, atol=0.006)
        np.testing.assert_array_equal(new.mask, old.mask)
        np.testing.assert_array_equal(new.landmarks, old.landmarks)
        np.testing.assert_array_equal(new.region, old.region)
        for a, b in zip(old.contexts, new.contexts, strict=True):
            np.testing.assert_allclose(b, a, rtol=0.03, atol=2e-3)
        surface = np.abs(old.normal).sum(-1) > 0
        assert not new.normal[~surface].any()
        assert angular_error_deg(new.normal[surface], old.normal[surface]).max() < 0.06
        for a, b in zip(old.lights, new.lights, strict=True):
            np.testing.assert_allclose(b, a, rtol=0, atol=1e-6)
        for a, b in zip(old.images, new.images, strict=True):
            np.testing.assert_allclose(b, a, rtol=0.002, atol=1e-3)
        assert (new.identity, new.expression, new.pose, new.seed, new.recipe, new.lightings) == (
            old.identity, old.expression, old.pose, 99, "abc", old.lightings,
        )  # fmt: skip


def test_a_shard_in_the_frame_of_before_is_refused(tmp_path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(shard_bytes([("0", view(1))]).replace(b'"frame":"line of sight"', b'"seeds":"line of sight"'))
    with pytest.raises(InputError, match="a.tar: .*camera's frame.*make the set anew"):
        list(read_views([path]))


def test_samples_obey_the_equation(tmp_path) -> None:
    write_shard(tmp_path / "a.tar", [("0", view(1)), ("1", view(2))])
    samples = list(read_shards([tmp_path / "a.tar"]))
    assert [s.lighting for s in samples] == [10, 11, 20, 21]
    for s in samples:
        np.testing.assert_allclose(s.image, render(s.albedo, s.normal, s.light, s.residual), rtol=0, atol=1e-5)


def test_without_images_views_are_shaded_when_they_are_read(tmp_path) -> None:
    write_shard(tmp_path / "a.tar", [("0", view(1, images=0, lights=2)), ("1", view(2, images=0))])
    samples = list(read_shards([tmp_path / "a.tar"]))
    assert [s.lighting for s in samples] == [10, 11]
    for s in samples:
        local = render(s.albedo, s.normal, s.light)
        assert (local < 0).any()  # what rings below zero is dark to a camera
        np.testing.assert_allclose(s.image, np.clip(local, 0, 8), rtol=0, atol=1e-6)
        np.testing.assert_allclose(s.residual, s.image - local, rtol=0, atol=1e-6)


def test_equal_views_give_equal_bytes(tmp_path) -> None:
    for name in ("a.tar", "b.tar"):
        write_shard(tmp_path / name, [("0", view(1))])
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_a_failed_shard_leaves_nothing(tmp_path) -> None:
    def views():
        yield "0", view(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path / "a.tar", views())
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="holds no .tar"):
        shard_paths(tmp_path)


def test_a_cut_shard_is_named(tmp_path) -> None:
    write_shard(tmp_path / "a.tar", [("0", view(1))])
    data = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(data[: len(data) // 3])
    with pytest.raises(InputError, match="a.tar"):
        list(read_views([tmp_path / "a.tar"]))
