"""WebDataset tars: consecutive files that share their name up to the first dot are a sample."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from illures.io.decoding import MOST_BYTES


def grouped(tar: tarfile.TarFile) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Consecutive members that share the name up to the first dot, as WebDataset counts samples.

    Raises:
        ValueError: a member is no plain file, is too large for memory, or has no dot in its name.
    """
    key, files = "", dict[str, bytes]()
    for member in tar:
        if member.isdir():
            continue
        if wrong := _wrong(member):
            if files:  # the sample before is complete
                yield key, files
            raise ValueError(f"{member.name}: {wrong}")
        folder, slash, base = member.name.rpartition("/")
        name, extension = base.split(".", 1)
        name = folder + slash + name
        if files and name != key:
            yield key, files
            files = {}
        content = tar.extractfile(member)
        key, files[extension] = name, content.read() if content else b""
    if files:
        yield key, files


def _wrong(member: tarfile.TarInfo) -> str:
    """Why a member is not read; empty if it is read."""
    if not member.isreg() or member.issparse():  # a link, a device, or a few bytes that unfold to terabytes
        return "not a plain file"
    if member.size > MOST_BYTES:
        return f"unfolds to {member.size >> 20} MiB; at most {MOST_BYTES >> 20} are read"
    return "" if "." in member.name.rpartition("/")[2] else "has no suffix"


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Append a file; equal bytes give an equal tar."""
    info = tarfile.TarInfo(name)
    info.size = len(data)  # mtime, owner and mode keep their constant defaults
    tar.addfile(info, io.BytesIO(data))


def add_folder(tar: tarfile.TarFile, key: str, folder: Path) -> None:
    """Append the files of a folder as one sample: face-1/light.json becomes KEY.face-1.light.json."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        add(tar, f"{key}.{member(path, folder)}", path.read_bytes())


def member(path: Path, folder: Path) -> str:
    """A file's name within its sample."""
    return ".".join(path.relative_to(folder).parts)
