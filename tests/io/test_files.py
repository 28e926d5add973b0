"""Files appear whole; what processes that are gone left is removed, and nothing of those that live."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from illures.errors import InputError
from illures.io.environment_maps import load_hdri
from illures.io.exr import write_exr
from illures.io.files import whole_file, whole_folder, write_whole
from illures.io.formats import Format
from illures.io.photos import open_photo, save_image

# Not UTF-8, as folders from old disks have them.
ODD = os.fsdecode(b"caf\xe9")


@pytest.fixture(scope="module")
def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(60)
    return process.pid


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_the_dead_left_goes_and_what_the_living_hold_stays(tmp_path: Path, gone: int) -> None:
    machine, living = socket.gethostname(), os.getppid()
    stay = {f".a.partial-{living}", f".a.partial-{machine}-{living}", f".a.partial-elsewhere-{gone}"}
    stay |= {f".b.partial-{gone}", ".a.partial-", ".a.partial-x"}
    for name in stay | {f".a.partial-{gone}", f".a.partial-{machine}-{gone}"}:
        (tmp_path / name).touch()
    write_whole(tmp_path / "a", b"1")
    assert names(tmp_path) == stay | {"a", f".a.partial-{machine}-{gone}"}
    with whole_file(tmp_path / "a") as partial:
        partial.write_bytes(b"2")
    assert names(tmp_path) == stay | {"a"} and (tmp_path / "a").read_bytes() == b"2"


def test_an_old_folder_goes_back_to_its_place(tmp_path: Path, gone: int) -> None:
    """Its process was killed between the two renames."""
    (tmp_path / f".a.old-{gone}").mkdir()
    (tmp_path / f".a.old-{gone}" / "kept").touch()
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "a"):
        raise ZeroDivisionError
    assert names(tmp_path) == {"a"} and names(tmp_path / "a") == {"kept"}


def test_a_killed_exr_is_removed_by_the_next(tmp_path: Path, gone: int) -> None:
    (tmp_path / f".a.exr.partial-{socket.gethostname()}-{gone}").touch()
    write_exr(tmp_path / "a.exr", np.zeros((4, 4, 3), np.float16))
    assert names(tmp_path) == {"a.exr"}


@pytest.mark.parametrize("stem", ["n" * 251, "\u9854" * 83])
def test_names_as_long_as_systems_have_them(tmp_path: Path, stem: str) -> None:
    path = tmp_path / f"{stem}.exr"
    write_exr(path, np.zeros((4, 4, 3), np.float16))
    with whole_file(path.with_suffix(".tar")) as partial:
        partial.write_bytes(b"1")
    with whole_folder(path.with_suffix(".dir")) as partial:
        (partial / "a").touch()
    assert names(tmp_path) == {f"{stem}.exr", f"{stem}.tar", f"{stem}.dir"}


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    """Libraries in C++ do not take them, and OpenCV crashes."""
    folder, image = tmp_path / ODD, np.tile(np.linspace(0, 1, 64, dtype=np.float32)[:, None], (32, 1, 3))
    folder.mkdir()
    for name in ("a.exr", "a.png", "a.jpg"):
        save_image(folder / name, image)
        assert np.abs(open_photo(folder / name).photo / (1 if name == "a.exr" else 255) - image).mean() < 0.05
    radiance = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 2 +X 4\n" + b"\x80\x40\x20\x81" * 8
    (folder / "a.hdr").write_bytes(radiance)
    assert load_hdri(folder / "a.hdr").shape == load_hdri(folder / "a.exr").shape == (128, 256, 3)
    for name in ("png", "exr"):
        format = Format(name)
        format.write(folder, "albedo", format.quantise("albedo", image))
        np.testing.assert_allclose(format.read(folder, "albedo"), image, rtol=0, atol=0.01)
    with pytest.raises(InputError, match="no such file"):
        open_photo(folder / "missing.exr")
