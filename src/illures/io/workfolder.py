"""Temporary folders that go with the process that made them, however that ends.

A living owner holds a lock on its folder, which the system drops with the process: a folder without one belongs to
nobody and is removed when the next one is made.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from types import TracebackType

try:
    import fcntl
except ImportError:  # no such locks on this system: folders of killed processes stay
    fcntl = None  # type: ignore[assignment]

from illures.io.files import write_error

_TRIES = 10


class WorkFolder:
    """A folder of this user alone among the temporary files; removed by `close`, or at the end of the process.

    Args:
        prefix: of its name; abandoned folders of that prefix are removed first.

    Attributes:
        path: of the folder.

    Raises:
        InputError: there is no place for temporary files.
    """

    def __init__(self, prefix: str) -> None:
        for _ in range(_TRIES):
            self.path = _made(prefix)
            lock = _locked(self.path)
            # There is no lock if another process took the folder for abandoned before it was locked, or if the disk has
            # no locks. Without locks, no folder is taken for abandoned.
            if lock is not None or fcntl is None:
                break
            with suppress(OSError):
                self.path.rmdir()
        else:
            self.path = _made(prefix)
        self._end = weakref.finalize(self, _remove, self.path, lock)

    def __enter__(self) -> WorkFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def clear(self) -> None:
        """Remove its contents."""
        for left in self.path.glob("*"):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove it."""
        self._end()


def _made(prefix: str) -> Path:
    try:
        place = Path(tempfile.gettempdir())
        for left in place.glob(prefix + "*"):
            lock = _locked(left)
            if lock is not None:
                _remove(left, lock)
        return Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    except OSError as error:
        raise write_error(Path(os.environ.get("TMPDIR", tempfile.tempdir or "/tmp")), error) from error


def _locked(path: Path) -> int | None:
    """An open descriptor that holds the folder; None where it is held, gone, or not a folder of this user."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held, there = os.fstat(descriptor), path.lstat()
        if held.st_uid == os.getuid() and held.st_ino == there.st_ino:
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def _remove(path: Path, lock: int | None) -> None:
    """Remove the folder first, then let go of it."""
    shutil.rmtree(path, ignore_errors=True)
    if lock is not None:
        os.close(lock)
