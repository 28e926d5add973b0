"""Photos by the million in parts: what one worker does at a time, and what becomes one shard.

A part is a run of files, a WebDataset tar, or a row group of a Parquet file.
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
# Columns of Parquet files, the likeliest first.
_IMAGES = ("image", "jpg", "jpeg", "png", "webp", "bytes", "content")
_PATHS = ("path", "photo", "file", "filename", "file_name")
_KEYS = ("__key__", "key", "id")


@dataclass(frozen=True)
class Part:
    """A part of the work.

    Attributes:
        number: from 0.
        kind: what `sources` are: photos, or one tar, or one Parquet file.
        sources: paths.
        first: of photos: how many lie in the parts before; of a Parquet file: the row group.
    """

    number: int
    kind: Literal["photos", "tar", "parquet"]
    sources: tuple[str, ...]
    first: int = 0

    def to_json(self) -> str:
        """As text, to travel."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Part:
        """What `to_json` gave."""
        facts = json.loads(text)
        return cls(**facts | {"sources": tuple(facts["sources"])})


@dataclass(frozen=True)
class Item:
    """A photo of a part.

    Attributes:
        key: in its shard; holds no dot.
        name: of the photo, for people.
        path: where it can be read now, or why it can't.
    """

    key: str
    name: str
    path: Path | InputError


def is_shards(path: Path) -> bool:
    """Whether a path holds many photos in a way that only parts can read."""
    if path.is_dir():
        return bool(_shards_in(path))
    return path.suffix.lower() in SHARDS | LISTS


def plan(paths: Sequence[Path], recursive: bool, size: int) -> tuple[list[Part], list[Problem]]:
    """All photos in parts, in an order that depends on the paths alone.

    Args:
        paths: photos, folders of photos or of shards, shards, and lists (a text file with a path a line, relative ones
            from the list's folder).
        recursive: search the subfolders of folders, too.
        size: photos of a part; tars and row groups stay whole.

    Returns:
        The parts, and an error for each path that gives none.
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
    """The photos of a part; those of a shard lie in `scratch`, each until the next is asked for."""
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
    except InputError as error:  # what came before stays
        yield Item(_free("broken", taken), source, error)


def _lines(path: Path) -> list[Path]:
    """The paths of a list; empty lines and those that begin with # are left out."""
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
    """Key, name and photo of each sample."""
    with decoding(source, "a tar"), tarfile.open(source, "r:*") as tar:
        for key, files in webdataset.grouped(tar):
            kinds = [name for name in files if "." + name.rpartition(".")[2].lower() in SUFFIXES]
            if kinds:
                yield key, f"{key}.{kinds[0]}", files[kinds[0]]
            else:
                yield key, key, InputError(f"{source}/{key}: holds no photo, but {', '.join(files)}")


def _of_rows(source: str, group: int) -> Iterator[tuple[str, str, bytes | Path | InputError]]:
    """Likewise of the rows of a row group."""
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
    """A cell: bytes, a path, or the two in one as Hugging Face's data sets have them."""
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        return value
    return folder / value if isinstance(value, str) and value else InputError(f"{name}: holds no photo")


def _columns(path: Path, schema: Any) -> tuple[str, str | None]:
    """The column of the photos, and that of the keys if there is one."""
    found = next((name for name in (*_IMAGES, *_PATHS) if name in schema.names), None)
    if found is None:
        known = f"{', '.join(_IMAGES)} (bytes) or {', '.join(_PATHS)}"
        raise InputError(f"{path}: columns {', '.join(schema.names)}; photos must be in one named {known}")
    return found, next((name for name in _KEYS if name in schema.names), None)


def _plain(name: str) -> str:
    """A key for WebDataset, which ends it at the first dot, and for file names, which have 255 bytes at most."""
    plain = re.sub(r"[^\w\-]+", "_", name)
    return plain.encode()[:120].decode(errors="ignore") or "photo"


def _free(key: str, taken: set[str]) -> str:
    number, free = 2, key
    while free in taken:
        free, number = f"{key}-{number}", number + 1
    taken.add(free)
    return free
