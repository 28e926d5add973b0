"""Sets: restartable, the same bytes each time, whole whatever happens."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

from fake_people import Killer, pyramids
from illures.data.shards import read_shards, read_views, shard_paths
from illures.errors import InputError
from illures.jobs import pool
from illures.synth import render_jobs
from illures.synth.generate import generate, shard_path
from illures.synth.sets import Recipe

RECIPE = Recipe(
    identities=5, poses=2, expressions=1, lights=2, size=24, samples=4, shadow_samples=4, denoise=False,
    identities_per_shard=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    generate(RECIPE, folder, workers=1, make_people=pyramids)
    return folder


def test_without_a_terminal_a_run_speaks(tmp_path, capsys) -> None:
    recipe = dataclasses.replace(RECIPE, identities=2, poses=1, lights=1, identities_per_shard=1)
    generate(recipe, tmp_path, workers=1, make_people=pyramids)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("views: ")]
    assert lines[0] == "views: 0 of 2" and lines[-1].startswith("views: 2 of 2")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in shard_paths(folder)}


def test_a_set_is_what_its_recipe_says(made) -> None:
    # Three shards; all views of a person are in one, and all lie under the person's lights.
    assert [[v.identity for v in read_views([path])] for path in shard_paths(made)] == [
        [0, 0, 1, 1],
        [2, 2, 3, 3],
        [4, 4],
    ]
    samples = list(read_shards(shard_paths(made)))
    assert [s.lighting for s in samples] == [2 * k + light for k in range(5) for light in (0, 1, 0, 1)]
    assert [s.pose for s in samples[::2]] == list(range(10))
    for s in samples:
        assert s.image.shape == (24, 24, 3) and np.isfinite(s.residual).all()
        assert s.mask.mean() > 0.2
        assert s.albedo[s.mask].mean() == pytest.approx(0.3 + 0.2 * (s.identity % 2), abs=0.02)


def test_processes_write_the_bytes_that_one_does_and_keep_what_is_there(made, tmp_path) -> None:
    kept = shard_path(tmp_path, 0)
    kept.write_bytes(b"finished before")
    generate(RECIPE, tmp_path, workers=2, make_people=pyramids)
    assert kept.read_bytes() == b"finished before"
    kept.unlink()
    generate(RECIPE, tmp_path, workers=1, make_people=pyramids)
    assert contents(tmp_path) == contents(made)


def test_a_killed_process_loses_nothing(tmp_path) -> None:
    recipe = dataclasses.replace(RECIPE, identities=3, poses=1, lights=1, identities_per_shard=1)
    generate(recipe, tmp_path / "whole", workers=1, make_people=pyramids)
    generate(recipe, tmp_path / "killed", workers=2, make_people=Killer(tmp_path / "mark"))
    assert (tmp_path / "mark").exists()
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_processes_that_always_die_are_given_up(tmp_path, monkeypatch) -> None:
    rounds = []

    def broken(job, shards, workers):
        rounds.append(shards)
        if len(rounds) == 1:
            yield 0, b"progress sets the count back"
        raise BrokenProcessPool

    monkeypatch.setattr(pool, "_until_broken", broken)
    with pytest.raises(InputError, match="killed 4 times"):
        generate(RECIPE, tmp_path, workers=2, make_people=pyramids)
    assert rounds == [(0, 1, 2), *[(1, 2)] * 3]
    assert shard_path(tmp_path, 0).exists()


def test_a_full_disk_is_named_and_leaves_nothing_half_written(made, tmp_path, monkeypatch) -> None:
    def full(self: Path, data: bytes) -> int:
        with open(self, "wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    generate_shards = [(0, shard_path(made, 0).read_bytes())]
    monkeypatch.setattr(render_jobs, "render", lambda *_: (pair for pair in generate_shards))
    (tmp_path / "recipe.json").write_bytes((made / "recipe.json").read_bytes())
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"shard-000000\.tar: .*no space is left"):
        generate(RECIPE, tmp_path, workers=1, make_people=pyramids)
    assert {path.name for path in tmp_path.iterdir()} == {"recipe.json", ".lock"}


def test_a_folder_has_one_writer(made, tmp_path) -> None:
    left, live = tmp_path / ".shard-000001.tar.partial-99", tmp_path / ".lock"
    left.write_bytes(b"half")
    with open(live, "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another command"):
            generate(RECIPE, tmp_path, workers=1, make_people=pyramids)
        assert left.exists()
    for name, data in contents(made).items():
        (tmp_path / name).write_bytes(data)
    generate(RECIPE, tmp_path, workers=1, make_people=pyramids)
    assert not left.exists()


def test_views_without_images_hold_albedo_and_normals(tmp_path) -> None:
    recipe = dataclasses.replace(RECIPE, identities=1, transport=False, lights=0)
    generate(recipe, tmp_path / "align", workers=1, make_people=pyramids)
    views = list(read_views(shard_paths(tmp_path / "align")))
    assert all(not v.images and v.mask.any() and v.normal[v.mask].any() for v in views)
    assert not list(read_shards(shard_paths(tmp_path / "align")))
    # With lights, a view is shaded when it is read: A ∘ f(N, L), nothing left over where the shading is not negative.
    generate(dataclasses.replace(recipe, lights=1), tmp_path / "local", workers=1, make_people=pyramids)
    for s in read_shards(shard_paths(tmp_path / "local")):
        assert s.image[s.mask].mean() > 0.03
        assert np.abs(s.residual[s.image > 0]).max() < 1e-5


def test_another_recipe_may_not_join(made) -> None:
    with pytest.raises(InputError, match="another recipe"):
        generate(dataclasses.replace(RECIPE, seed=1), made, workers=1, make_people=pyramids)


def test_nonsense_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="identities = 0"):
        Recipe(identities=0)
    with pytest.raises(InputError, match="workers = 0"):
        generate(RECIPE, tmp_path / "out", workers=0, make_people=pyramids)
    no_maps = dataclasses.replace(RECIPE, hdri=tmp_path)
    for workers in (1, 2):  # here, and as told by another process
        with pytest.raises(InputError, match="no environment maps"):
            generate(no_maps, tmp_path / f"out{workers}", workers=workers, make_people=pyramids)
