"""Files and folders that appear whole or not at all.

What is written goes to a hidden sibling first and takes its name by one rename, so that a full disk, a crash or
Ctrl-C leaves nothing half written under the name that was asked for.
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from illures.errors import InputError


class DiskFullError(InputError):
    """No space (or quota) is left where the output goes: what follows would fail too."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file by way of a temporary sibling.

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
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary sibling to write, for what is too large for memory; it becomes `path` when the block ends well.

    Raises:
        DiskFullError, InputError: the file can't be written.
    """
    # On a disk that several machines share, their processes may have equal numbers.
    partial = path.with_name(f".{path.name}.partial-{socket.gethostname()}-{os.getpid()}")
    try:
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
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        _remove_left_behind(target)
        partial.mkdir(parents=True)
        yield partial
        _put_in_place(partial, target)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, DiskFullError):  # of a file in the folder: name the folder that was asked for
            raise write_error(target, OSError(errno.ENOSPC, "")) from error
        if isinstance(error, OSError):
            raise write_error(target, error) from error
        raise


def check_writable(folder: Path) -> None:
    """Make the folder and try it, before any work is done.

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
    """What to tell the user about a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(f"{path}: not written, no space is left on the disk")
    return InputError(f"{path}: can't be written ({error.strerror or error})")


def _put_in_place(partial: Path, target: Path) -> None:
    """Rename, keeping the old folder until the new one stands."""
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
    """Partial folders of this target whose process is gone (killed, power cut)."""
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
