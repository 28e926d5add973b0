"""Process a large set of photos with Ray Data: parts in, shards out. Parts of a node that dies are assigned again.

All nodes must see the output folder, the photos and the weights at the same paths.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from illures import __version__
from illures.errors import InputError
from illures.io.files import DiskFullError
from illures.io.workfolder import WorkFolder
from illures.jobs.parts import Item, Part, items
from illures.jobs.photos import Outcome, Report
from illures.jobs.pool import one_writer
from illures.jobs.progress import bar
from illures.jobs.ray_cluster import connected, first_line
from illures.jobs.shards import Kind, Row, ShardFolder

# (photo, folder to create for its results) -> number of faces. May raise an InputError.
PhotoWork = Callable[[Path, Path], int]
# Called once in each worker. A dataclass, as `digest` compares jobs by their fields.
PhotoJob = Callable[[], PhotoWork]

_MOST_BLOCKS = 10_000  # blocks of Ray Data; with more, its scheduling gets slow


@dataclass(frozen=True)
class Cluster:
    """The cluster to use.

    Attributes:
        address: "local" starts a cluster on this machine, "auto" connects to the one that runs there; or an address.
        workers: largest number of workers, each on one CPU; None for the number of CPUs.
    """

    address: str
    workers: int | None = None


def photos_on_ray(
    job: PhotoJob, parts: Sequence[Part], out: Path, kind: Kind, report: Report, cluster: Cluster
) -> None:
    """Process all parts that are not finished yet. A photo that fails becomes a row with its error.

    Args:
        job: the work on each photo.
        parts: all parts, including finished ones.
        out: folder of the shards (see `jobs.shards`), visible to all nodes.
        kind: format of the shards.
        report: receives the outcome of each photo.
        cluster: the cluster to use.

    Raises:
        InputError: there is no cluster, the folder holds another job or is not visible to a node, or the disk is full.
    """
    folder = ShardFolder(out.resolve(), kind)
    settings = digest([__version__, kind, job, list(parts)])
    with one_writer(folder.path):
        folder.claim(settings)
        done = folder.done()
        if done:
            report.say(f"{len(done)} of {len(parts)} shards are there already")
        missing = [part for part in parts if part.number not in done]
        shown = bar(len(missing), report.console, "shards")
        # Ray's own words go to stdout, which is for results.
        with redirect_stdout(sys.stderr), connected(cluster.address, cluster.workers), shown as advance:
            for rows in _results(job, missing, folder, settings, cluster.workers):
                report.more(len(rows))
                for row in rows:
                    _tell(row, folder.path, report)
                advance()
        folder.tidy()
        lost = sorted({part.number for part in parts} - folder.done())
    if lost:
        raise InputError(f"{out / folder.name(lost[0])}: was not written; do all nodes see this folder?")


def digest(value: Any) -> str:
    """Short hash of a job: dataclasses by their fields, arrays by their bytes."""
    return hashlib.sha256(repr(_canonical(value)).encode()).hexdigest()[:16]


def _canonical(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, [(f.name, _canonical(getattr(value, f.name))) for f in fields(value)]
    if isinstance(value, np.ndarray):
        return value.shape, str(value.dtype), hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    if isinstance(value, Mapping):
        return sorted((str(key), _canonical(each)) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return [_canonical(each) for each in value]
    return repr(value)


def _results(
    job: PhotoJob, parts: Sequence[Part], folder: ShardFolder, settings: str, workers: int | None
) -> Iterator[list[Row]]:
    """Yield the rows of each part once, in the order in which the parts are finished."""
    if not parts:
        return
    import ray
    import ray.data

    for name in ("ray.data", "ray.data._internal"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # errors arrive as exceptions
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.target_max_block_size = 1 << 20  # blocks are text; the default needs 256 MB per worker
    most = max(1, min(workers or int(ray.cluster_resources().get("CPU", 1)), len(parts)))
    blocks = min(len(parts), _MOST_BLOCKS)
    planned = ray.data.from_items([{"part": part.to_json()} for part in parts], override_num_blocks=blocks)
    done = planned.map_batches(
        ShardWorker,
        fn_constructor_args=(job, folder, settings),
        batch_size=1,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(min_size=most, max_size=most),
    )
    seen: set[int] = set()
    try:
        for each in done.iter_rows():
            if each["fatal"]:
                raise InputError(each["fatal"])
            if each["number"] not in seen:  # a part may be assigned twice
                seen.add(each["number"])
                yield [Row(**row) for row in json.loads(each["rows"])]
    except InputError:
        raise
    except Exception as error:  # Ray raises many types
        raise InputError(f"Ray: {first_line(error)}") from error


class ShardWorker:
    """Runs in each of Ray's actors: processes parts, writes shards, returns rows."""

    def __init__(self, job: PhotoJob, folder: ShardFolder, settings: str) -> None:
        """Open the job. The first part raises its error, as Ray reports little of a failed constructor."""
        import cv2

        cv2.setNumThreads(1)  # each worker has one CPU
        self._folder, self._error = folder, None
        try:
            if folder.settings() != settings:
                raise InputError(f"{folder.path}: is not the folder of the machine that runs the command")
            self._work: PhotoWork = job()
        except InputError as error:
            self._error = InputError(f"node {socket.gethostname()}: {error}")

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[Any]]:
        """Process a batch of one part. A fatal error is returned as text, as Ray wraps exceptions."""
        (text,) = batch["part"]
        part, rows, fatal = Part.from_json(str(text)), list[Row](), ""
        try:
            if self._error is not None:
                raise self._error
            rows = self.rows_of(part)
        except InputError as error:
            fatal = str(error)
        return {"number": [part.number], "rows": [json.dumps([asdict(row) for row in rows])], "fatal": [fatal]}

    def rows_of(self, part: Part) -> list[Row]:
        """Process a part, unless its shard exists: Ray may assign it again if its worker died after writing it."""
        folder = self._folder
        if not folder.is_done(part.number):
            trying = folder.trying(part.number)
            # Files that killed workers left are removed with it.
            with WorkFolder("illures-photos-") as scratch, folder.writing(part.number) as writer:
                results = scratch.path / "results"
                inputs = scratch.path / "inputs"
                inputs.mkdir()
                for item in items(part, inputs):
                    row = Row(item.name, item.key, folder.name(part.number))
                    try:
                        trying.begin(item.key)
                        row = self._row(item, row, results)
                    except InputError as error:
                        if isinstance(error, DiskFullError):
                            raise
                        row = replace(row, error=named(error, item))
                    writer.add(row, results if row.error is None else None)
                    shutil.rmtree(results, ignore_errors=True)
            trying.end()
        return folder.rows(part.number)

    def _row(self, item: Item, row: Row, results: Path) -> Row:
        if isinstance(item.path, InputError):
            raise item.path
        started = time.perf_counter()
        try:
            faces = self._work(item.path, results)
        except MemoryError as error:
            raise InputError(f"{item.name}: not enough memory for a photo of this size") from error
        return replace(row, faces=faces, seconds=round(time.perf_counter() - started, 3))


def named(error: InputError, item: Item) -> str:
    """Error message with the photo's name instead of the path of its temporary copy."""
    words = str(error) if isinstance(item.path, InputError) else str(error).replace(str(item.path), item.name)
    return words if item.name in words else f"{item.name}: {words}"


def _tell(row: Row, out: Path, report: Report) -> None:
    if row.error is None:
        report.done(Outcome(row.photo, f"{out / row.shard}:{row.key}", row.faces, round(row.seconds, 3)))
    else:
        report.failed(Path(row.photo), InputError(row.error))
