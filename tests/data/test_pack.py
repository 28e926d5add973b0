"""Crops in one file: what must be exact is, the rest is as good as the eye; people keep their numbers."""

import numpy as np
import pytest
import torch

from ellipsoids import ellipsoids
from illures.data.cache import SampleCache
from illures.data.caching import build_cache
from illures.data.pack import pack, unpack
from illures.data.synthetic import prepare
from illures.errors import InputError


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("caches")
    sets = [folder / "one", folder / "two"]
    for k, path in enumerate(sets):
        build_cache(ellipsoids(24 - 8 * k), path, np.zeros_like, path.name)
    return sets


def test_unpacked_samples_are_those_packed(caches, tmp_path):
    path = tmp_path / "all.crops"
    count = pack(caches, path, 2**24)
    before, after = SampleCache(caches), SampleCache(unpack(path, tmp_path / "made"))
    assert count == len(before) == len(after) == 40
    assert after.set.tolist() == before.set.tolist() and after.identity.tolist() == before.identity.tolist()
    one, other = before.batch(np.arange(40)), after.batch(np.arange(40))
    for name in ("mask", "surface", "region", "light", "traced"):
        torch.testing.assert_close(getattr(other, name), getattr(one, name), rtol=0, atol=0)
    for name, near in (("image", 0.02), ("albedo", 0.02), ("normal", 0.04)):
        assert (getattr(other, name) - getattr(one, name)).abs().mean() < near


def test_a_file_is_never_larger_than_asked_and_holds_all_sets(caches, tmp_path):
    path, limit = tmp_path / "few.crops", 60_000
    count = pack(caches, path, limit)
    assert path.stat().st_size <= limit and 0 < count < 40
    few = SampleCache(unpack(path, tmp_path / "made"))
    assert len(few) == count and set(few.set.tolist()) == {0, 1}
    assert set(few.identity.tolist()) <= set(SampleCache(caches).identity.tolist())
    with pytest.raises(InputError, match="hold no view"):
        pack(caches, tmp_path / "none.crops", 5_000)
    assert not (tmp_path / "none.crops").exists()


def test_training_takes_a_file_of_crops_for_a_set(caches, tmp_path):
    path = tmp_path / "all.crops"
    pack(caches, path, 2**24)
    made = prepare([path], tmp_path / "cache", size=32)
    assert len(SampleCache(made)) == 40
    stamp = (made[0] / "index.json").stat().st_mtime_ns
    assert prepare([path], tmp_path / "cache", size=32) == made
    assert (made[0] / "index.json").stat().st_mtime_ns == stamp  # not made again


def test_damaged_files_are_named(caches, tmp_path):
    path = tmp_path / "all.crops"
    pack(caches, path, 2**24)
    whole = path.read_bytes()
    for damaged in (b"", whole[:2000], whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"all\.crops"):
            unpack(path, tmp_path / "made")
        assert not list((tmp_path).glob("made/*"))
