"""Atomic writes: files and folders appear whole or not at all.

Data go to a hidden sibling first, which one rename puts in place. So a full disk, a crash or Ctrl-C leaves nothing
half written under the final name.
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from illures.errors import InputError


class DiskFullError(InputError):
    """No space (or quota) is left for the output: later writes would fail too."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file through a temporary sibling.

    Raises:
        DiskFullError: no space is left.
        InputError: the file can't be written.
    """
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise write_error(path, error) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A temporary sibling folder to fill; it takes the place of `target` when the block ends without an error.

    Raises:
        DiskFullError, InputError: the folder can't be written.
    """
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
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
    """Rename, keeping the old folder until the new one is in place."""
    if not target.exists():
        os.replace(partial, target)
        return
    old = target.with_name(f".{target.name}.old-{os.getpid()}")
    os.replace(target, old)
    try:
        os.replace(partial, target)
    except BaseException:
        os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _remove_left_behind(target: Path) -> None:
    """Remove partial folders of this target whose process is gone (killed, power cut)."""
    for partial in target.parent.glob(glob.escape(f".{target.name}.partial-") + "*"):
        try:
            os.kill(int(partial.name.rpartition("-")[2]), 0)
        except (ProcessLookupError, ValueError):
            shutil.rmtree(partial, ignore_errors=True)
        except OSError:
            continue
        else:
            if partial.name.endswith(f"-{os.getpid()}"):
                shutil.rmtree(partial, ignore_errors=True)
