"""Jobs: every piece once, whatever becomes of the processes."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
from contextlib import closing
from pathlib import Path

import pytest

from fake_jobs import Squares
from illures.errors import InputError, InputWarning
from illures.jobs.pool import RESTARTS, in_processes, one_writer
from illures.jobs.ray_cluster import on_ray

PIECES = [0, 1, 2, 3, 5]
WANT = {k: k * k for k in PIECES}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_piece_is_done(workers) -> None:
    assert dict(in_processes(Squares(), PIECES, workers)) == WANT
    assert dict(in_processes(Squares(), [], workers)) == {}


def test_without_semaphores_one_process_does_all(monkeypatch) -> None:
    """As in a container whose /dev/shm can't be written."""

    def lock(_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(multiprocessing.context.SpawnContext, "Lock", lock)
    with pytest.warns(InputWarning, match="workers = 2: one process does the work .*Read-only file system"):
        assert dict(in_processes(Squares(), PIECES, 2)) == WANT


def test_a_killed_process_loses_nothing(tmp_path) -> None:
    assert dict(in_processes(Squares(tmp_path / "mark"), PIECES, 2)) == WANT
    assert (tmp_path / "mark").exists()


def test_what_always_dies_is_given_up(tmp_path) -> None:
    with pytest.raises(InputError, match=f"killed {RESTARTS + 1} times"):
        list(in_processes(Squares(tmp_path / "mark", always=True), [2, 2], 2))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_job_lacks_is_said(workers) -> None:
    with pytest.raises(InputError, match="model.npz: is not there"):
        list(in_processes(Squares(lacks="model.npz"), PIECES, workers))


def test_ray_does_the_same(tmp_path, monkeypatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))  # actors find `fake_jobs` there
    with closing(on_ray(Squares(tmp_path / "mark"), PIECES, 1, address="local")) as results:
        assert dict(results) == WANT
    assert (tmp_path / "mark").exists()


def test_a_disk_without_locks_is_said_and_used(tmp_path, monkeypatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.warns(InputWarning, match="this disk has no locks"), one_writer(tmp_path / "out"):
        (tmp_path / "out" / "written").touch()


def test_an_error_of_the_work_is_not_taken_for_that_of_the_lock(tmp_path) -> None:
    with pytest.raises(BlockingIOError, match="a full pipe"), one_writer(tmp_path / "out"):
        raise BlockingIOError(errno.EAGAIN, "a full pipe")


def test_a_folder_has_one_writer(tmp_path) -> None:
    with one_writer(tmp_path / "out"), pytest.raises(InputError, match="another command"), one_writer(tmp_path / "out"):
        pass
    with open(tmp_path / "out" / ".lock", "w") as other:  # the lock was given back
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
