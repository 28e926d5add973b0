"""Temporary folders go with their process, however it ends, and with nobody else's."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from illures.errors import InputError
from illures.io.workfolder import WorkFolder

OWNER = """
import sys, tempfile
from illures.io.workfolder import WorkFolder
folder = WorkFolder("illures-test-")
(folder.path / "left").mkdir()
print(folder.path, flush=True)
sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def owner():
    """Another process with a folder."""
    process = subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.communicate(timeout=60)


def test_it_goes_when_it_is_closed_or_forgotten(temporary):
    with WorkFolder("illures-test-") as folder:
        (folder.path / "file").touch()
        assert folder.path.parent == temporary and folder.path.stat().st_mode & 0o777 == 0o700
    other = WorkFolder("illures-test-")
    del other
    assert list(temporary.iterdir()) == []


def test_a_process_that_ends_takes_it_along(owner, temporary):
    process, path = owner
    assert path.is_dir()
    process.communicate("\n", timeout=60)
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_goes_and_what_a_living_one_holds_stays(owner, temporary):
    process, path = owner
    with WorkFolder("illures-test-"):
        assert (path / "left").is_dir()
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    assert (path / "left").is_dir()
    other = temporary / "illures-other"
    other.mkdir()
    (temporary / "illures-test-link").symlink_to(other)
    with WorkFolder("illures-test-") as folder:
        assert sorted(temporary.iterdir()) == sorted([folder.path, other, temporary / "illures-test-link"])


def test_a_disk_without_locks(monkeypatch, temporary):
    """It is used all the same; nobody can tell whether such folders are abandoned, and so they stay."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with WorkFolder("illures-test-") as first, WorkFolder("illures-test-") as second:
        assert sorted(temporary.iterdir()) == sorted([first.path, second.path])
    assert list(temporary.iterdir()) == []


def test_no_place_for_it_is_a_clear_error(monkeypatch, temporary):
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "missing"))
    monkeypatch.setenv("TMPDIR", str(temporary / "missing"))
    with pytest.raises(InputError, match=r"missing: can't be written \(No such file or directory\)"):
        WorkFolder("illures-test-")
