"""A folder of shards: one for each part, with a table of its photos; all that another process needs to go on.

- `shard-000012.tar` (or .parquet): the results of part 12;
- `index/shard-000012.parquet`: a row a photo, those that failed too; written last, so that it says "done";
- `.trying/12.json`: the photo in hand, for as long as the part is being done;
- `job.json`: what these shards are made of.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Protocol

from illures.errors import InputError
from illures.io import webdataset
from illures.io.decoding import decoding, parse_json
from illures.io.files import check_writable, whole_file, write_error, write_whole

Kind = Literal["tar", "parquet"]
JOB = "job.json"


@dataclass(frozen=True)
class Row:
    """What became of a photo.

    Attributes:
        photo: its path, or its place in a shard.
        key: of its sample.
        shard: the file that holds its results.
        faces: how many were found.
        seconds: that it took.
        error: why there is no result; None where there is one.
    """

    photo: str
    key: str
    shard: str
    faces: int = 0
    seconds: float = 0.0
    error: str | None = None


class Writer(Protocol):
    """Takes the results of one part."""

    def add(self, row: Row, folder: Path | None) -> None:
        """Add a photo: the files of a folder, or none where it failed."""
        ...


@dataclass(frozen=True)
class ShardFolder:
    """The folder of all shards.

    Attributes:
        path: absolute; the same on every machine.
        kind: of the shards: WebDataset tars, or Parquet files with the results' files as bytes.
    """

    path: Path
    kind: Kind

    def claim(self, settings: str) -> None:
        """Hold the folder to one job; for the one that has the lock.

        Raises:
            InputError: it holds another job's shards, or can't be written.
        """
        note = self.path / JOB
        content = {"about": "shards of illures; the same command goes on where it stopped", "settings": settings}
        if note.exists() and self.settings() != settings:
            raise InputError(f"{self.path}: holds shards of other photos or options; choose another folder")
        for folder in (self.path, self.path / "index", self.path / ".trying"):
            check_writable(folder)
        self.tidy()
        write_whole(note, (json.dumps(content, indent=2) + "\n").encode())

    def tidy(self) -> None:
        """Remove what processes that were killed left behind; while nobody works."""
        for folder in (self.path, self.path / "index", self.path / ".trying"):
            for left in folder.glob(".*.partial-*"):
                left.unlink(missing_ok=True)

    def settings(self) -> str | None:
        """What the folder was claimed for; None where it is not ours, or is not there."""
        note = self.path / JOB
        if not note.is_file():
            return None
        with decoding(note, "our note"):
            return str(parse_json(note.read_bytes()).get("settings"))

    def done(self) -> set[int]:
        """Numbers of the parts that are finished."""
        paths = (self.path / "index").glob("shard-*.parquet")
        return {int(path.stem.removeprefix("shard-")) for path in paths}

    def is_done(self, number: int) -> bool:
        """Whether a part is finished."""
        return self._index(number).is_file()

    def name(self, number: int) -> str:
        """Of a shard's file."""
        return f"shard-{number:06d}.{self.kind}"

    def rows(self, number: int) -> list[Row]:
        """The table of a finished part.

        Raises:
            InputError: it can't be read.
        """
        import pyarrow.parquet as pq

        with decoding(self._index(number), "a table of ours"):
            return [Row(**row) for row in pq.read_table(self._index(number)).to_pylist()]

    @contextmanager
    def writing(self, number: int) -> Iterator[Writer]:
        """Write a part: shard and table appear when the block ends well, and else nothing.

        Raises:
            DiskFullError, InputError: the files can't be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows: list[Row] = []
        with whole_file(self.path / self.name(number)) as partial:
            if self.kind == "tar":
                with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as tar:
                    yield _TarWriter(tar, rows)
            else:
                with pq.ParquetWriter(partial, _schema(with_files=True)) as file:
                    yield _ParquetWriter(file, rows)
        with whole_file(self._index(number)) as partial:
            pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows], _schema()), partial)

    def trying(self, number: int) -> Trying:
        """The note of the photo in hand."""
        return Trying(self.path / ".trying" / f"{number}.json")

    def _index(self, number: int) -> Path:
        return self.path / "index" / f"shard-{number:06d}.parquet"


class Trying:
    """Remembers which photo is in hand, so that one that kills its worker again and again is given up."""

    MOST = 3  # deaths at one photo

    def __init__(self, path: Path) -> None:
        """Count what was in hand when the worker before died."""
        self._path = path
        self._deaths: dict[str, int] = {}
        try:
            before = parse_json(path.read_bytes())
            self._deaths = dict(before["deaths"])
            if before["now"] is not None:
                self._deaths[before["now"]] = self._deaths.get(before["now"], 0) + 1
        except (OSError, ValueError, TypeError, KeyError):
            pass

    def begin(self, key: str) -> None:
        """A photo is taken in hand.

        Raises:
            InputError: workers have died at it.
        """
        if self._deaths.get(key, 0) >= self.MOST:
            raise InputError(f"{self.MOST} workers died while they worked on it, perhaps as memory ran out")
        write_whole(self._path, json.dumps({"now": key, "deaths": self._deaths}).encode())

    def end(self) -> None:
        """The part is done."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise write_error(self._path, error) from error


@dataclass(frozen=True)
class _TarWriter:
    tar: tarfile.TarFile
    rows: list[Row]

    def add(self, row: Row, folder: Path | None) -> None:
        self.rows.append(row)
        if folder is not None:
            webdataset.add_folder(self.tar, row.key, folder)
            facts = {"photo": row.photo, "faces": row.faces}
            webdataset.add(self.tar, f"{row.key}.json", json.dumps(facts, ensure_ascii=False).encode())


@dataclass(frozen=True)
class _ParquetWriter:
    file: Any
    rows: list[Row]

    def add(self, row: Row, folder: Path | None) -> None:
        import pyarrow as pa

        self.rows.append(row)
        paths = [] if folder is None else sorted(path for path in folder.rglob("*") if path.is_file())
        held = [(webdataset.member(path, folder), path.read_bytes()) for path in paths if folder is not None]
        self.file.write_table(pa.Table.from_pylist([asdict(row) | {"files": held}], _schema(with_files=True)))


def _schema(with_files: bool = False) -> Any:
    import pyarrow as pa

    types = {"str": pa.string(), "int": pa.int32(), "float": pa.float32(), "str | None": pa.string()}
    columns = [(field.name, types[str(field.type)]) for field in fields(Row)]
    files = [("files", pa.map_(pa.string(), pa.binary()))] if with_files else []
    return pa.schema([*columns, *files])
