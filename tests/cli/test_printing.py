"""What is printed goes to a full disk, or to a reader that has gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-m", "illures"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("words", [["lights"], ["--version"], ["decompose", "--help"]])
def test_a_full_disk_is_one_line(words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 2
    assert done.stderr == "error: what is printed can't be written (No space left on device)\n"


@pytest.mark.parametrize("words", [["lights"], ["--version"], ["decompose", "--help"]])
def test_nothing_is_said_to_a_reader_that_has_gone(words: list[str]) -> None:
    process = subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()  # before anything is printed: Python takes longer to start
    err = process.stderr.read()
    assert (process.wait(300), err) == (141, "")


def test_a_photo_is_written_before_it_is_told_of(tmp_path: Path) -> None:
    """And on one core the next ones are not begun."""
    from illures import cli

    photo = Path(cli.__file__).parents[1] / "assets" / "astronaut.jpg"
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(photo.read_bytes())
    command = [*PROGRAM, "decompose", str(tmp_path), "-o", str(tmp_path / "out"), "--crop-only"]
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # the process inherits it
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        os.sched_setaffinity(0, cores)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(300) == 141 and "Traceback" not in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]
    assert list((tmp_path / "out" / "a").rglob("*.png"))
