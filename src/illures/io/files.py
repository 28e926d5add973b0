"""Atomic writes: files and folders appear whole or not at all.

Data go to a hidden sibling first, which one rename puts in place. So a full disk, a crash or Ctrl-C leaves nothing
half written under the final name.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from illures.errors import InputError

_PARTIAL, _OLD = "partial", "old"
_LONGEST = 254  # bytes of a temporary name, without the dot in front that hides it
_TRIES = 20  # attempts to put a folder in its place while other runs do the same


class DiskFullError(InputError):
    """No space (or quota) is left for the output: later writes would fail too."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file through a temporary sibling.

    Raises:
        DiskFullError: no space is left.
        InputError: the file can't be written.
    """
    partial = _sibling(path, _PARTIAL)
    try:
        _remove_left_behind(path)
        partial.write_bytes(data)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise write_error(path, error) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    r"""Write text as UTF-8; bytes of file names that are not UTF-8 become \udcXX, which JSON reads back.

    Raises:
        DiskFullError, InputError: as `write_whole`.
    """
    write_whole(path, text.encode("utf-8", "backslashreplace"))


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary sibling to write, for data too large for memory; it becomes `path` when the block ends without error.

    Raises:
        DiskFullError, InputError: the file can't be written.
    """
    machine = socket.gethostname() + "-"  # on a shared disk, processes of two machines may have equal numbers
    partial = _sibling(path, _PARTIAL, machine)
    try:
        _remove_left_behind(path, machine)
        yield partial
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise write_error(path, error) from error
        raise


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A temporary sibling folder to fill; it takes the place of `target` when the block ends without an error.

    Raises:
        DiskFullError, InputError: the folder can't be written.
    """
    partial = _sibling(target, _PARTIAL)
    try:
        _remove_left_behind(target)
        partial.mkdir(parents=True)
        yield partial
        _put_in_place(partial, target)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, DiskFullError):  # of a file in the folder: name the target folder
            raise write_error(target, OSError(errno.ENOSPC, "")) from error
        if isinstance(error, OSError):
            raise write_error(target, error) from error
        raise


def check_writable(folder: Path) -> None:
    """Create the folder and test that it is writable, before any work is done.

    Raises:
        InputError: it can't be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise write_error(folder, error) from error


def write_error(path: Path, error: OSError) -> InputError:
    """The error for a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(f"{path}: not written, no space is left on the disk")
    return InputError(f"{path}: can't be written ({error.strerror or error})")


def _put_in_place(partial: Path, target: Path) -> None:
    """Rename, keeping the old folder until the new one stands."""
    old = _sibling(target, _OLD)
    for last in (False,) * (_TRIES - 1) + (True,):
        _remove(old)
        with suppress(FileNotFoundError):
            os.replace(target, old)
        try:
            os.replace(partial, target)
            break
        except BaseException as error:
            # Another run may put its own there between the two renames.
            again = isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST) and not last
            if old.exists() and not target.exists():
                os.replace(old, target)
            if not again:
                raise
    _remove(old)


def _sibling(path: Path, kind: str, machine: str = "") -> Path:
    """A hidden neighbour that names this process; of a long name the beginning and a checksum."""
    name, end = path.name, f".{kind}-{machine}{os.getpid()}"
    if len(os.fsencode(name)) > _LONGEST - len(os.fsencode(end)):
        end = f"~{zlib.crc32(os.fsencode(path.name)):08x}{end}"  # threads may write two names that begin alike
    while len(os.fsencode(name)) > _LONGEST - len(os.fsencode(end)):
        name = name[:-1]
    return path.with_name(f".{name}{end}")


def _remove_left_behind(target: Path, machine: str = "") -> None:
    """Remove temporary files that killed processes left of this target; put a folder moved aside back in its place."""
    begins = {kind: _sibling(target, kind, machine).name.removesuffix(str(os.getpid())) for kind in (_PARTIAL, _OLD)}
    try:
        names = os.listdir(target.parent)  # not `glob`, which is slow in folders of many thousands
    except OSError:
        return
    for kind, begin in begins.items():
        for name in names:
            number = name.removeprefix(begin)
            if not name.startswith(begin) or not number.isdecimal() or _lives(int(number)):
                continue
            left = target.parent / name
            if kind == _OLD and not target.exists():
                with suppress(OSError):
                    os.replace(left, target)
            _remove(left)


def _lives(number: int) -> bool:
    """Whether another process has this number."""
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return number != os.getpid()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
