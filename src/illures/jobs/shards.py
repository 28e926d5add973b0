"""An output folder of shards, one for each part. It holds all that a later run needs to resume.

- `shard-000012.tar` (or .parquet): the results of part 12.
- `index/shard-000012.parquet`: one row per photo, including failed ones. Written last: it marks the part as finished.
- `.trying/12.json`: the photo in progress, while the part is being processed.
- `job.json`: hash of the job that these shards belong to.
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
    """The outcome of one photo.

    Attributes:
        photo: its path, or shard and name.
        key: key of its sample.
        shard: name of the file that holds its results.
        faces: number of faces found.
        seconds: processing time [s].
        error: error message; None if there is a result.
    """

    photo: str
    key: str
    shard: str
    faces: int = 0
    seconds: float = 0.0
    error: str | None = None


class Writer(Protocol):
    """Writes the results of one part."""

    def add(self, row: Row, folder: Path | None) -> None:
        """Add a photo with the files of a folder; None if it failed."""
        ...


@dataclass(frozen=True)
class ShardFolder:
    """The folder of all shards.

    Attributes:
        path: absolute path, the same on every machine.
        kind: format of the shards: WebDataset tars, or Parquet files with the result files as bytes.
    """

    path: Path
    kind: Kind

    def claim(self, settings: str) -> None:
        """Reserve the folder for one job. The caller must hold its lock (`pool.one_writer`).

        Raises:
            InputError: the folder holds shards of another job, or can't be written to.
        """
        note = self.path / JOB
        content = {"about": "shards of illures; the same command resumes where it stopped", "settings": settings}
        if note.exists() and self.settings() != settings:
            raise InputError(f"{self.path}: holds shards of other photos or options; choose another folder")
        for folder in (self.path, self.path / "index", self.path / ".trying"):
            check_writable(folder)
        self.tidy()
        write_whole(note, (json.dumps(content, indent=2) + "\n").encode())

    def tidy(self) -> None:
        """Remove partial files of killed processes. No worker may be running."""
        for folder in (self.path, self.path / "index", self.path / ".trying"):
            for left in folder.glob(".*.partial-*"):
                left.unlink(missing_ok=True)

    def settings(self) -> str | None:
        """Hash of the job that claimed the folder; None if there is none."""
        note = self.path / JOB
        if not note.is_file():
            return None
        with decoding(note, "a note of illures"):
            return str(parse_json(note.read_bytes()).get("settings"))

    def done(self) -> set[int]:
        """Numbers of the finished parts."""
        paths = (self.path / "index").glob("shard-*.parquet")
        return {int(path.stem.removeprefix("shard-")) for path in paths}

    def is_done(self, number: int) -> bool:
        """Whether a part is finished."""
        return self._index(number).is_file()

    def name(self, number: int) -> str:
        """File name of a shard."""
        return f"shard-{number:06d}.{self.kind}"

    def rows(self, number: int) -> list[Row]:
        """Read the rows of a finished part.

        Raises:
            InputError: the index can't be read.
        """
        import pyarrow.parquet as pq

        with decoding(self._index(number), "an index of illures"):
            return [Row(**row) for row in pq.read_table(self._index(number)).to_pylist()]

    @contextmanager
    def writing(self, number: int) -> Iterator[Writer]:
        """Write a part. Shard and index appear only if the block ends without an error.

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
        """The note about the photo in progress."""
        return Trying(self.path / ".trying" / f"{number}.json")

    def _index(self, number: int) -> Path:
        return self.path / "index" / f"shard-{number:06d}.parquet"


class Trying:
    """Notes the photo in progress, so that one that kills its worker repeatedly is skipped."""

    MOST = 3  # deaths of workers at one photo

    def __init__(self, path: Path) -> None:
        """Read the note of an earlier worker; the photo it was processing counts as a death."""
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
        """Note that a photo is begun.

        Raises:
            InputError: `MOST` workers have died at it.
        """
        if self._deaths.get(key, 0) >= self.MOST:
            raise InputError(f"{self.MOST} workers died while they worked on it, perhaps as memory ran out")
        write_whole(self._path, json.dumps({"now": key, "deaths": self._deaths}).encode())

    def end(self) -> None:
        """Remove the note, as the part is finished."""
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
