"""Split a large set of photos into parts. A worker processes one part at a time, and its results become one shard.

A part is a number of photo files, a WebDataset tar, or a row group of a Parquet file.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from illures.errors import InputError
from illures.io import webdataset
from illures.io.decoding import decoding
from illures.io.inputs import SUFFIXES, Problem, expand

LISTS = frozenset({".txt", ".lst"})
SHARDS = frozenset({".tar", ".parquet"})
# Names of columns in Parquet files, in order of preference.
_IMAGES = ("image", "jpg", "jpeg", "png", "webp", "bytes", "content")
_PATHS = ("path", "photo", "file", "filename", "file_name")
_KEYS = ("__key__", "key", "id")


@dataclass(frozen=True)
class Part:
    """One part of the work.

    Attributes:
        number: index of the part, from 0.
        kind: kind of the sources: photos, one tar, or one Parquet file.
        sources: absolute paths.
        first: for photos, the index of the first one in the whole set; for a Parquet file, the index of the row group.
    """

    number: int
    kind: Literal["photos", "tar", "parquet"]
    sources: tuple[str, ...]
    first: int = 0

    def to_json(self) -> str:
        """Serialise, to send it to another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Part:
        """Inverse of `to_json`."""
        facts = json.loads(text)
        return cls(**facts | {"sources": tuple(facts["sources"])})


@dataclass(frozen=True)
class Item:
    """A photo of a part.

    Attributes:
        key: key of its sample in the shard, without a dot.
        name: name of the photo for messages.
        path: file to read it from, or the error if there is none.
    """

    key: str
    name: str
    path: Path | InputError


def is_shards(path: Path) -> bool:
    """Whether a path is a shard, a list of photos, or a folder of shards."""
    if path.is_dir():
        return bool(_shards_in(path))
    return path.suffix.lower() in SHARDS | LISTS


def plan(paths: Sequence[Path], recursive: bool, size: int) -> tuple[list[Part], list[Problem]]:
    """Split all photos into parts. The order depends on the paths alone, so that a later run gets the same parts.

    Args:
        paths: photos, shards, folders of either, and lists (text files with one path per line; relative paths start at
            the folder of the list).
        recursive: also search subfolders.
        size: photos in a part. Tars and row groups are not split.

    Returns:
        The parts, and an error for each path that could not be used.
    """
    photos: list[str] = []
    shards: list[Path] = []
    problems: list[Problem] = []
    loose: list[Path] = []
    for path in paths:
        if path.suffix.lower() in LISTS and path.is_file():
            for line in _lines(path):
                (shards.append if line.suffix.lower() in SHARDS else lambda p: photos.append(str(p)))(line)
        elif path.is_dir() and (inside := _shards_in(path)):
            shards += inside
        elif path.suffix.lower() in SHARDS and path.exists():
            shards.append(path)
        else:
            loose.append(path)
    found, missing = expand(loose, recursive)
    photos += [os.path.realpath(path) for path in found]
    photos = list(dict.fromkeys(photos))
    parts = [Part(0, "photos", tuple(photos[i : i + size]), i) for i in range(0, len(photos), size)]
    for shard in dict.fromkeys(Path(os.path.realpath(path)) for path in shards):  # `resolve` fails at links that loop
        try:
            parts += _of_shard(shard)
        except InputError as error:
            problems.append((shard, error))
    numbered = [Part(k, part.kind, part.sources, part.first) for k, part in enumerate(parts)]
    return numbered, [*missing, *problems]


def items(part: Part, scratch: Path) -> Iterator[Item]:
    """Yield the photos of a part. One of a shard is written to `scratch`, and deleted when the next is requested.

    A shard that can't be read to its end yields an item with the error as its last.
    """
    if part.kind == "photos":
        for k, source in enumerate(part.sources, part.first):
            yield Item(f"{k:09d}-{_plain(Path(source).stem)}", source, Path(source))
        return
    (source,) = part.sources
    found = _of_tar(source) if part.kind == "tar" else _of_rows(source, part.first)
    taken: set[str] = set()
    try:
        for key, name, data in found:
            key = _free(_plain(key), taken)
            if isinstance(data, bytes):
                path = scratch / (key + Path(name).suffix)
                path.write_bytes(data)
                yield Item(key, f"{source}/{name}", path)
                path.unlink(missing_ok=True)
            else:
                yield Item(key, name if isinstance(data, Path) else f"{source}/{name}", data)
    except InputError as error:  # the photos before it have been yielded already
        yield Item(_free("broken", taken), source, error)


def _lines(path: Path) -> list[Path]:
    """Read the paths of a list; empty lines and lines that begin with # are ignored."""
    with decoding(path, "a list of photos"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [path.resolve().parent / line for line in lines if line and not line.startswith("#")]


def _shards_in(folder: Path) -> list[Path]:
    try:
        inside = list(folder.iterdir())
    except OSError:  # `expand` says it
        return []
    return sorted(p for p in inside if p.suffix.lower() in SHARDS and not p.name.startswith(".") and p.is_file())


def _of_shard(path: Path) -> list[Part]:
    if path.suffix.lower() == ".tar":
        return [Part(0, "tar", (str(path),))]
    import pyarrow.parquet as pq

    with decoding(path, "a Parquet file"), pq.ParquetFile(path) as file:
        _columns(path, file.schema_arrow)
        return [Part(0, "parquet", (str(path),), k) for k in range(file.num_row_groups)]


def _of_tar(source: str) -> Iterator[tuple[str, str, bytes | InputError]]:
    """Yield key, name and photo of each sample of a tar."""
    with decoding(source, "a tar"), tarfile.open(source, "r:*") as tar:
        for key, files in webdataset.grouped(tar):
            kinds = [name for name in files if "." + name.rpartition(".")[2].lower() in SUFFIXES]
            if kinds:
                yield key, f"{key}.{kinds[0]}", files[kinds[0]]
            else:
                yield key, key, InputError(f"{source}/{key}: holds no photo, but {', '.join(files)}")


def _of_rows(source: str, group: int) -> Iterator[tuple[str, str, bytes | Path | InputError]]:
    """Yield key, name and photo of each row of a row group."""
    import pyarrow.parquet as pq

    with decoding(source, "a Parquet file"), pq.ParquetFile(source) as file:
        images, keys = _columns(Path(source), file.schema_arrow)
        first = sum(file.metadata.row_group(k).num_rows for k in range(group))
        columns = [images, *([keys] if keys else [])]
        number = first
        for batch in file.iter_batches(batch_size=16, row_groups=[group], columns=columns):
            for row in batch.to_pylist():
                key = f"{number:09d}" + (f"-{row[keys]}" if keys else "")
                yield key, f"row {number}", _photo(row[images], f"{source}/row {number}", Path(source).parent)
                number += 1


def _photo(value: Any, name: str, folder: Path) -> bytes | Path | InputError:
    """Read a cell: bytes, a path relative to `folder`, or a struct of both as in Hugging Face datasets."""
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        return value
    return folder / value if isinstance(value, str) and value else InputError(f"{name}: holds no photo")


def _columns(path: Path, schema: Any) -> tuple[str, str | None]:
    """Find the column of the photos, and that of the keys if there is one."""
    found = next((name for name in (*_IMAGES, *_PATHS) if name in schema.names), None)
    if found is None:
        known = f"{', '.join(_IMAGES)} (bytes) or {', '.join(_PATHS)}"
        raise InputError(f"{path}: columns {', '.join(schema.names)}; photos must be in one named {known}")
    return found, next((name for name in _KEYS if name in schema.names), None)


def _plain(name: str) -> str:
    """Make a name a valid key: WebDataset keys end at the first dot, and file names have 255 bytes at most."""
    plain = re.sub(r"[^\w\-]+", "_", name)
    return plain.encode()[:120].decode(errors="ignore") or "photo"


def _free(key: str, taken: set[str]) -> str:
    """Append a number to a key that is taken already."""
    number, free = 2, key
    while free in taken:
        free, number = f"{key}-{number}", number + 1
    taken.add(free)
    return free
