"""Give libraries that open only paths access to bytes in memory, without writing to disk where possible."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def as_file(data: bytes, suffix: str = "") -> Iterator[Path]:
    """Yield a path whose content is `data`, valid while the block runs.

    On Linux the bytes stay in memory (memfd_create(2)) and the path is a link to them. Elsewhere they are written to a
    temporary folder that only this user can read, and removed after the block.
    """
    with tempfile.TemporaryDirectory(prefix="illures-") as folder:
        path = Path(folder) / f"upload{suffix}"
        if not hasattr(os, "memfd_create"):
            path.write_bytes(data)
            yield path
            return
        with os.fdopen(os.memfd_create("illures"), "wb") as file:
            file.write(data)
            file.flush()
            path.symlink_to(f"/proc/self/fd/{file.fileno()}")
            yield path
