"""Two processes over Gloo do what one does with the same batch."""

import contextlib
import os
import random
import socket
import subprocess
import sys

import pytest
import torch

import tiny_training
from illures.train.checkpoint import read_checkpoint
from illures.train.loop import CHECKPOINT
from tiny_training import EVERY_KIND, training


def in_two_processes(*arguments: object) -> None:
    """What torchrun does: one environment a process."""
    paths = {"PYTHONPATH": tiny_training.search_path(), "OMP_NUM_THREADS": "1"}
    common = os.environ | paths | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    command = [sys.executable, tiny_training.__file__, *map(str, arguments)]
    started = [subprocess.Popen(command, env=common | {"RANK": str(k), "LOCAL_RANK": str(k)}) for k in range(2)]
    try:
        assert [process.wait(timeout=600) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
            process.wait(60)


def free_port() -> int:
    """One that nothing listens on; below those that systems deal out, so that none takes it before it is used."""
    for _ in range(100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            port = random.SystemRandom().randrange(10_000, 30_000)
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


def test_two_processes_learn_what_one_does(cache_folder, cache, tmp_path, one_thread):
    run = training(EVERY_KIND, cache, tmp_path / "one")
    before = {name: value.clone() for name, value in run.learner.state().items()}
    run.run()
    in_two_processes(cache_folder, tmp_path / "two")
    one, two = (read_checkpoint(tmp_path / name / CHECKPOINT) for name in ("one", "two"))
    assert one.seen == two.seen == 128 and one.best == pytest.approx(two.best, rel=3e-3)
    names = [name for name in before if name.startswith("model.") and before[name].is_floating_point()]
    start, ours, theirs = (
        torch.cat([tensors[name].flatten() for name in names]) for tensors in (before, one.tensors, two.tensors)
    )
    # Eight steps of Adam, which makes much of the last bits of small gradients; statistics of each slice alone show.
    assert (ours - theirs).norm() < 0.02 * (ours - start).norm()
    assert (tmp_path / "two" / "weights.safetensors").exists()
