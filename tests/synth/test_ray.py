"""A Ray cluster writes the bytes that one process does, whatever becomes of its nodes."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest

from fake_jobs import wait_for
from fake_people import Waiting, pyramids
from illures.data.shards import shard_paths
from illures.errors import InputError
from illures.synth.generate import generate
from illures.synth.sets import Recipe
from two_nodes import two_nodes

ray = pytest.importorskip("ray")

RECIPE = Recipe(
    identities=6, poses=1, expressions=1, lights=1, size=24, samples=4, shadow_samples=4, denoise=False,
    identities_per_shard=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("made")
    generate(RECIPE, folder, workers=1, make_people=pyramids)
    return contents(folder)


@pytest.fixture(scope="module")
def cluster():
    with two_nodes() as cluster:
        yield cluster


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in shard_paths(folder)}


def test_nodes_write_the_bytes_that_one_process_does(made, cluster, tmp_path) -> None:
    generate(RECIPE, tmp_path / "set", ray=cluster.address, make_people=Waiting(tmp_path, until=2))
    assert contents(tmp_path / "set") == made
    # Both nodes took part: no shard was begun before both had a worker.
    assert len(list(tmp_path.glob("started-*"))) == 2
    assert not ray.is_initialized()


def test_a_node_that_lacks_a_file_is_named(cluster, tmp_path) -> None:
    recipe = dataclasses.replace(RECIPE, models=(f"ict={tmp_path / 'head.npz'}",))
    with pytest.raises(InputError, match=r"^node .*head\.npz is not there") as raised:
        generate(recipe, tmp_path / "set", ray=cluster.address, make_people=pyramids)
    assert len(str(raised.value).splitlines()) == 1


def test_a_node_that_dies_loses_nothing(made, cluster, tmp_path) -> None:
    second = next(node for node in cluster.worker_nodes)

    def kill() -> None:
        """Once both nodes have a worker; these wait with a shard in hand."""
        wait_for(lambda: len(list(tmp_path.glob("started-*"))) >= 2)
        cluster.remove_node(second, allow_graceful=False)
        (tmp_path / "started-go").touch()

    thread = threading.Thread(target=kill, daemon=True)  # a failure below must not leave it waiting for ever
    thread.start()
    generate(RECIPE, tmp_path / "set", ray=cluster.address, make_people=Waiting(tmp_path, until=3))
    thread.join(60)
    assert contents(tmp_path / "set") == made


def test_no_cluster_is_a_clear_error(tmp_path, monkeypatch) -> None:
    def absent(*_, **__):
        raise ConnectionError("Could not find any running Ray instance.\nMore of that.")

    monkeypatch.setattr(ray, "init", absent)
    with pytest.raises(InputError, match="^Ray, address 'auto': Could not find any running Ray instance.$"):
        generate(RECIPE, tmp_path / "set", ray="auto", make_people=pyramids)
