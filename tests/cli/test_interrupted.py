"""Runs that end early, by a signal or a full disk: outputs are whole or not there at all."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from command_line import names, run_captured
from illures.decompose import folder as output
from illures.io import files

pytestmark = pytest.mark.usefixtures("fake_weights")


def test_disk_full_leaves_nothing_half(tmp_path, photos, capsys, monkeypatch):
    out = tmp_path / "out"
    real, count = files.os.replace, 0

    def full(source, target):
        nonlocal count
        count += 1
        if count == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(files.os, "replace", full)
    code, stdout, stderr = run_captured(capsys, "decompose", photos, "-o", out, "--workers", 1)
    assert (code, stdout) == (2, "")
    lines = stderr.splitlines()
    assert lines[0] == f"error: {out / 'a'}: not written, no space is left on the disk" and "stopped" in lines[1]
    assert lines[2] == "2 photos: 1 failed, 1 left; 0 faces"
    assert names(out) == set()


@pytest.mark.parametrize("moment", ["contact_sheet", "write_maps"])
def test_interrupt_leaves_nothing_half(tmp_path, photos, capsys, monkeypatch, moment):
    out = tmp_path / "out"
    run_captured(capsys, "decompose", photos / "a.jpg", "-o", out)
    before = (out / "a" / "albedo.png").read_bytes()

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(output, moment, interrupt)
    code, _, stderr = run_captured(capsys, "decompose", photos, "-o", out)
    assert code == 130 and "interrupted" in stderr
    assert names(out) == {"a"} and (out / "a" / "albedo.png").read_bytes() == before


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interrupt_is_one_whatever_it_is_turned_into(photos, capsys, monkeypatch, name):
    """A module that is being imported may turn the exception into another, as pybind11's do."""

    def importing(*_, **__):
        try:
            signal.raise_signal(signal.Signals[name])
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    monkeypatch.setattr(output, "write_maps", importing)
    before = signal.getsignal(signal.Signals[name])
    code, _, stderr = run_captured(capsys, "decompose", photos / "a.jpg", "-o", photos / "out")
    assert code == 130 and stderr.splitlines()[-1].startswith("interrupted")
    assert signal.getsignal(signal.Signals[name]) == before


@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "Too many open files"), ImportError("Too many open files")])
def test_too_few_open_files_are_no_fault_of_ours(photos, capsys, monkeypatch, error):
    def opening(*_, **__):
        raise error

    monkeypatch.setattr(output, "write_maps", opening)
    code, _, stderr = run_captured(capsys, "decompose", photos / "a.jpg", "-o", photos / "out")
    assert code == 2 and stderr.splitlines()[-1].startswith("error: ") and "open files" in stderr


def test_error_without_a_signal_is_none(photos, capsys, monkeypatch):
    def importing(*_, **__):
        raise ImportError("initialization failed")

    monkeypatch.setattr(output, "write_maps", importing)
    with pytest.raises(ImportError, match="initialization failed"):
        run_captured(capsys, "decompose", photos / "a.jpg", "-o", photos / "out")


def test_what_a_killed_run_left_is_removed(tmp_path, photos, capsys):
    out = tmp_path / "out"
    (out / ".a.partial-999999999").mkdir(parents=True)
    run_captured(capsys, "decompose", photos / "a.jpg", "-o", out)
    assert names(out) == {"a"}


def test_a_pipe_that_its_reader_closes_ends_quietly():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        command = [sys.executable, "-m", "illures", "lights"]
        ended = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, text=True, timeout=600, check=False)
    assert (ended.returncode, ended.stderr) == (141, "")
