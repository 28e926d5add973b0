"""WebDataset tars: consecutive files that share their name up to the first dot are a sample."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path


def grouped(tar: tarfile.TarFile) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Consecutive members that share the name up to the first dot, as WebDataset counts samples.

    Raises:
        ValueError: a member is no plain file, or has no dot in its name.
    """
    key, files = "", dict[str, bytes]()
    for member in tar:
        if member.isdir():
            continue
        if not member.isreg() or member.issparse():  # a link, a device, or a few bytes that unfold to terabytes
            raise ValueError(f"{member.name}: not a plain file")
        folder, slash, base = member.name.rpartition("/")
        if "." not in base:
            raise ValueError(f"{member.name}: has no suffix")
        name, extension = base.split(".", 1)
        name = folder + slash + name
        if files and name != key:
            yield key, files
            files = {}
        content = tar.extractfile(member)
        key, files[extension] = name, content.read() if content else b""
    if files:
        yield key, files


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Append a file; equal bytes give an equal tar."""
    info = tarfile.TarInfo(name)
    info.size = len(data)  # mtime, owner and mode keep their constant defaults
    tar.addfile(info, io.BytesIO(data))


def add_folder(tar: tarfile.TarFile, key: str, folder: Path) -> None:
    """Append what a folder holds as one sample: face-1/light.json becomes KEY.face-1.light.json."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        add(tar, f"{key}.{member(path, folder)}", path.read_bytes())


def member(path: Path, folder: Path) -> str:
    """A file's name within its sample."""
    return ".".join(path.relative_to(folder).parts)
