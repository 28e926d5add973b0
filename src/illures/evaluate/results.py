"""Results of a run on disk, one file of JSON lines per method, and statistics of them.

`FOLDER/BENCHMARK/METHOD.jsonl` begins with a line about the method; then each group (subject, clip) adds its items
and a closing line in one write. An interrupted run leaves at most a partial last line, which is ignored. Of
a group that occurs twice (an error was tried again), the last one counts.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from illures.errors import InputError
from illures.evaluate.benchmark import FIGURES, Failure, Figure, Score
from illures.evaluate.intervals import Interval, PairedDifference, mean_interval, paired_difference
from illures.io.decoding import parse_json
from illures.io.files import write_error

_FORMAT = 1


@dataclass(frozen=True)
class Row:
    """The result of one method for one item of a benchmark.

    Attributes:
        id, group, tags: of the item.
        figures: by name, finite; empty if it failed.
        pixels: number of pixels.
        histogram: of angular errors of normals in degrees, or None.
        error: message if it failed, or "".
        seconds: run time of the method.
    """

    id: str
    group: str
    figures: Mapping[str, float] = field(default_factory=dict)
    pixels: int = 0
    histogram: tuple[int, ...] | None = None
    tags: Mapping[str, float | str] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0

    @classmethod
    def scored(cls, id: str, group: str, tags: Mapping[str, float | str], score: Score, seconds: float) -> Row:
        """Make a row from a score; an item with a figure that is not finite counts as failed."""
        wrong = [name for name, value in score.figures.items() if not math.isfinite(value)]
        if wrong:
            return cls(id, group, tags=tags, error=f"{', '.join(wrong)}: not finite", seconds=seconds)
        figures = {name: float(f"{value:.6g}") for name, value in score.figures.items()}
        histogram = None if score.histogram is None else tuple(int(count) for count in score.histogram)
        return cls(id, group, figures, score.pixels, histogram, tags, "", round(seconds, 4))


@dataclass(frozen=True)
class About:
    """The first line of a file; a run may only add to a file with an equal one.

    Attributes:
        method, kind, detail: of the `Contender`.
        benchmark: its label.
        options: of the benchmark, as text.
    """

    method: str
    kind: str
    detail: str
    benchmark: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class Results:
    """All results of one method on one benchmark, in the order of the run.

    Attributes:
        about: the first line.
        rows: of groups that are complete.
        groups: figures of each complete group, which may be none.
        unread: items of them that the benchmark could not read.
    """

    about: About
    rows: tuple[Row, ...]
    groups: Mapping[str, Mapping[str, float]]
    unread: tuple[Failure, ...] = ()

    @property
    def scored(self) -> list[Row]:
        """Rows that did not fail."""
        return [row for row in self.rows if not row.error]

    @property
    def failed(self) -> list[Row]:
        """Rows that did."""
        return [row for row in self.rows if row.error]

    def figures(self) -> list[str]:
        """Names of all available figures, in the order of `FIGURES`."""
        own = {name for row in self.rows for name in row.figures} | {name for of in self.groups.values() for name in of}
        return [name for name in FIGURES if name in own] + sorted(own - FIGURES.keys())


def file_name(name: str) -> str:
    """A method's or item's name as a file name."""
    return re.sub(r"[^\w.+-]+", "~", name).strip("~") or "~"


def meaning(figure: str) -> Figure:
    """The definition of a figure; unknown names are used as their own description."""
    return FIGURES.get(figure, Figure(figure, pooled=False))


def check_same(path: Path, about: About) -> None:
    """Check that a run may add to an existing file of results.

    Raises:
        InputError: it is of another method, other weights or other options.
    """
    if not path.exists():
        return
    known = read_results(path).about
    if known != about:
        pairs = [(key, value, vars(about)[key]) for key, value in vars(known).items() if value != vars(about)[key]]
        differ = ", ".join(f"its {key} is {old or 'none'}, this run's {new or 'none'}" for key, old, new in pairs)
        raise InputError(f"{path}: {differ}; give another folder, or delete the file")


def write_group(
    path: Path,
    about: About,
    group: str,
    rows: Sequence[Row],
    figures: Mapping[str, float],
    unread: Sequence[Failure] = (),
) -> None:
    """Add a complete group to a method's file, in one write; removes a partial line of an earlier run.

    Raises:
        InputError: the file can't be written.
    """
    exists = path.exists()
    size = _parse(path)[1] if exists else 0
    lines: list[dict[str, Any]] = [] if size else [{"format": _FORMAT, **vars(about)}]
    lines += [{"item": row.id, **{key: value for key, value in vars(row).items() if key != "id"}} for row in rows]
    rounded = {name: float(f"{value:.6g}") for name, value in figures.items()}
    lines.append({"done": group, "figures": rounded, "unread": [[failure.id, failure.message] for failure in unread]})
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    try:
        with path.open("r+b" if exists else "xb") as file:
            file.seek(size)
            file.truncate()
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise write_error(path, error) from error


def read_results(path: Path) -> Results:
    """Read the complete groups of a file.

    Raises:
        InputError: it is no file of results.
    """
    return _parse(path)[0]


def read_folder(folder: Path) -> dict[str, dict[str, Results]]:
    """All results of a run: by benchmark, then as `read_benchmark`.

    Raises:
        InputError: there are none, or a file is none of results.
    """
    places = sorted({path.parent for path in folder.glob("*/*.jsonl")})
    if not places:
        raise InputError(f"{folder}: holds no results of illures evaluate (BENCHMARK/METHOD.jsonl)")
    return {place.name: read_benchmark(place) for place in places}


def read_benchmark(folder: Path) -> dict[str, Results]:
    """Results of one benchmark by method, in the order of `Kind` and name; may be empty.

    Raises:
        InputError: a file is none of results.
    """
    found = [read_results(path) for path in sorted(folder.glob("*.jsonl"))]
    return dict(sorted(((results.about.method, results) for results in found), key=_rank))


def interval(results: Results, figure: str) -> Interval | None:
    """Mean and confidence interval of a figure, or None where it is absent."""
    values, groups, weights = _series(results, figure)
    return mean_interval(values, groups, weights) if values else None


def difference(a: Results, b: Results, figure: str) -> PairedDifference | None:
    """B minus A on common items (or groups); None if there are none."""
    first, second = ({row.id: row for row in results.scored} for results in (a, b))
    both = [key for key, row in first.items() if figure in row.figures and figure in second.get(key, row).figures]
    both = [key for key in both if key in second]
    if both:
        pooled = meaning(figure).pooled
        return paired_difference(
            [first[key].figures[figure] for key in both],
            [second[key].figures[figure] for key in both],
            [first[key].group for key in both],
            [first[key].pixels for key in both] if pooled else None,
        )
    shared = [g for g, of in a.groups.items() if figure in of and figure in b.groups.get(g, {})]
    if not shared:
        return None
    return paired_difference([a.groups[g][figure] for g in shared], [b.groups[g][figure] for g in shared], shared)


def histogram(results: Results) -> np.ndarray | None:
    """Angular errors of all pixels of all items, in bins of one degree; None without normals."""
    counts = [row.histogram for row in results.scored if row.histogram is not None]
    return np.sum(counts, axis=0) if counts else None


def _series(results: Results, figure: str) -> tuple[list[float], list[str], list[float] | None]:
    rows = [row for row in results.scored if figure in row.figures]
    if rows:
        weights = [float(row.pixels) for row in rows] if meaning(figure).pooled else None
        return [row.figures[figure] for row in rows], [row.group for row in rows], weights
    groups = [group for group, figures in results.groups.items() if figure in figures]
    return [results.groups[group][figure] for group in groups], groups, None


def _parse(path: Path) -> tuple[Results, int]:
    """Results of complete groups, and their size in the file [bytes]."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from error
    about: About | None = None
    rows: dict[str, list[Row]] = {}
    groups: dict[str, dict[str, float]] = {}
    unread: dict[str, list[Failure]] = {}
    pending: list[Row] = []
    end = place = 0
    for line in data.splitlines(keepends=True):
        place += len(line)
        if not line.endswith(b"\n"):
            break
        try:
            content: dict[str, Any] = parse_json(line)
            if about is None:
                about = _about(content)
            elif "done" in content:
                group = content["done"]
                rows[group], groups[group] = pending, content["figures"]
                unread[group] = [Failure(name, group, message) for name, message in content["unread"]]
                pending, end = [], place
            else:
                pending.append(_row(content))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: not a file of results of illures evaluate") from error
    if about is None:
        raise InputError(f"{path}: not a file of results of illures evaluate (empty)")
    failures = tuple(failure for of in unread.values() for failure in of)
    return Results(about, tuple(row for of in rows.values() for row in of), groups, failures), end


def _about(content: dict[str, Any]) -> About:
    if content["format"] != _FORMAT:
        raise ValueError("format")
    return About(*(content[key] for key in ("method", "kind", "detail", "benchmark", "options")))


def _row(content: dict[str, Any]) -> Row:
    counts = content["histogram"]
    return Row(
        content["item"],
        content["group"],
        content["figures"],
        content["pixels"],
        None if counts is None else tuple(counts),
        content["tags"],
        content["error"],
        content["seconds"],
    )


def _rank(entry: tuple[str, Results]) -> tuple[int, str]:
    return ["dummy", "baseline", "rival", "ours"].index(entry[1].about.kind), entry[0]
