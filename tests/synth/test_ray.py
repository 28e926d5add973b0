"""A Ray cluster writes the bytes that one process does, whatever becomes of its nodes."""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
from pathlib import Path

import pytest

from fake_people import Waiting, pyramids
from illures.data.shards import shard_paths
from illures.errors import InputError
from illures.synth.generate import generate
from illures.synth.sets import Recipe

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
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
    """Two nodes with a CPU each."""
    from ray.cluster_utils import Cluster

    # Actors find `fake_people` beside this folder, as the processes of a pool do without being told.
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parents[1]), before)))
    logging.getLogger("ray").setLevel(logging.ERROR)
    options = {"include_dashboard": False, "object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **options})
    cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    os.environ["PYTHONPATH"] = before
    yield cluster
    cluster.shutdown()


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
        while len(list(tmp_path.glob("started-*"))) < 2:
            if stop.wait(0.05):
                return
        cluster.remove_node(second, allow_graceful=False)
        (tmp_path / "started-go").touch()

    stop = threading.Event()
    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        generate(RECIPE, tmp_path / "set", ray=cluster.address, make_people=Waiting(tmp_path, until=3))
    finally:
        stop.set()
        thread.join(60)
    assert contents(tmp_path / "set") == made


def test_no_cluster_is_a_clear_error(tmp_path, monkeypatch) -> None:
    def absent(*_, **__):
        raise ConnectionError("Could not find any running Ray instance.\nMore of that.")

    monkeypatch.setattr(ray, "init", absent)
    with pytest.raises(InputError, match="^Ray, address 'auto': Could not find any running Ray instance.$"):
        generate(RECIPE, tmp_path / "set", ray="auto", make_people=pyramids)
