"""`illures evaluate`: every method on every item, resumable, then tables, pictures and the report."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

from rich.console import Console
from rich.progress import TextColumn

from illures.errors import InputError, nearest
from illures.evaluate.benchmark import BENCHMARKS, Benchmark, Estimate, Failure, Item, Score, load_benchmark
from illures.evaluate.methods import (
    Contender,
    crop_contenders,
    fixed_contenders,
    mean_face,
    our_contenders,
    rival_contenders,
    stable_contenders,
)
from illures.evaluate.methods.query import Method, Query, ask
from illures.evaluate.results import About, Row, check_same, file_name, read_results, write_group
from illures.io.files import DiskFullError, check_writable
from illures.jobs.progress import Progress, timed_columns

# Subfolder of `--data` for each benchmark; others have a subfolder of their own name.
FOLDERS = {"yaleb": ".", "video": "clips"}


@dataclass(frozen=True)
class Entry:
    """A benchmark of a run.

    Attributes:
        name: of `BENCHMARKS`.
        label: its folder of results.
        path: of its data.
        options: of its `load`.
    """

    name: str
    label: str
    path: Path
    options: Mapping[str, Any]


@dataclass
class Tally:
    """Groups that a benchmark could not read, so that they are in no file of results."""

    unread: list[Failure] = field(default_factory=list)


def parse_entry(text: str, data: Path | None, lpips: Path | None = None) -> Entry:
    """NAME, or NAME:OPTION=VALUE,… with the options of the benchmark's `load` and "path".

    Raises:
        InputError: an unknown name or option, a value of the wrong kind, or no data.
    """
    name, _, rest = text.partition(":")
    if name not in BENCHMARKS:
        raise InputError(f"benchmark {name!r}: must be one of {', '.join(BENCHMARKS)}{nearest(name, BENCHMARKS)}")
    given: dict[str, str] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise InputError(f"benchmark {text!r}: {part!r} must be OPTION=VALUE")
        given[key] = value
    path = Path(given.pop("path")) if "path" in given else None
    options = _options(name, given)
    if lpips is not None and "lpips" in _parameters(name):
        options["lpips"] = lpips
    if path is None and data is None:
        raise InputError(f"{name}: give --data, set ILLURES_DATA, or name its folder ({name}:path=FOLDER)")
    path = path if path is not None else Path(data or ".") / FOLDERS.get(name, name)
    return Entry(name, file_name("-".join([name, *map(str, given.values())])), path, options)


def contenders(models: Sequence[Path], rivals: Sequence[str]) -> list[Contender]:
    """All methods of a run, except the mean face, which depends on the benchmark.

    Raises:
        InputError: weights or folders can't be read, or two have the same name.
    """
    all_ = [*fixed_contenders(), *rival_contenders(rivals), *our_contenders(models)]
    names = [contender.name for contender in all_] + ["mean face"]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(f"{', '.join(sorted(twice))}: two methods have this name")
    return all_


class Run:
    """All methods on one benchmark; groups that are complete in the folder are skipped.

    Files: FOLDER/LABEL/METHOD.jsonl (see `results`).
    """

    def __init__(self, entry: Entry, methods: Sequence[Contender], folder: Path) -> None:
        """Open the benchmark and read finished results.

        Raises:
            InputError: the benchmark can't be opened, or the folder holds other results under the same names.
        """
        self._benchmark = load_benchmark(entry.name, entry.path, **entry.options)
        self.entry, self.target = entry, folder / entry.label
        check_writable(self.target)
        stable = stable_contenders(methods) if entry.name == "video" else []
        self._methods = [*methods, *crop_contenders(methods), *stable, mean_face(self._benchmark)]
        options = {key: v.name if isinstance(v, Path) else str(v) for key, v in entry.options.items()}
        self._abouts = {m.name: About(m.name, m.kind, m.about, entry.label, options) for m in self._methods}
        self._done = {name: _done(self._path(name), about) for name, about in self._abouts.items()}

    @property
    def names(self) -> list[str]:
        """Names of the methods."""
        return list(self._abouts)

    def score(self, console: Console | None = None) -> Tally:
        """Run all missing items.

        Raises:
            InputError: a result can't be written.
        """
        tally = Tally()
        with _progress(console) as progress:
            task = progress.add_task(self.entry.label, total=len(self._benchmark.groups))
            for group in self._benchmark.groups:
                missing = [method for method in self._methods if group not in self._done[method.name]]
                if missing:
                    progress.update(task, description=f"{self.entry.label} {group}")
                    self._group(group, missing, tally)
                progress.advance(task)
        return tally

    def estimates(self, wanted: Mapping[str, str]) -> Iterator[tuple[Item, dict[str, Estimate]]]:
        """Some items again (id to group) with the estimates of all methods, for pictures; without failures."""
        for group in (group for group in self._benchmark.groups if group in set(wanted.values())):
            for item in self._benchmark.items(group):
                if isinstance(item, Failure) or item.id not in wanted:
                    continue
                query, found = ask(item), {}
                for contender in self._methods:
                    try:
                        found[contender.name] = contender.method(group).estimate(query)
                    except Exception:  # already listed as a failure
                        continue
                yield item, found

    def _path(self, method: str) -> Path:
        return self.target / f"{file_name(method)}.jsonl"

    def _group(self, group: str, methods: Sequence[Contender], tally: Tally) -> None:
        """Score and write one group. A group that can't be read is not written, so the next run tries again."""
        rows: dict[str, list[Row]] = {contender.name: [] for contender in methods}
        kept: dict[str, list[Score]] = {contender.name: [] for contender in methods}
        readers = {contender.name: contender.method(group) for contender in methods}
        unread: list[Failure] = []
        try:
            for item in self._benchmark.items(group):
                if isinstance(item, Failure):
                    unread.append(item)
                    continue
                query = ask(item)
                for name, method in readers.items():
                    row, score = _score(self._benchmark, item, query, method)
                    rows[name].append(row)
                    if score is not None and not row.error:
                        kept[name].append(score)
        except InputError as error:
            tally.unread.append(Failure(group, group, str(error)))
            return
        if unread and not any(rows.values()):
            tally.unread += unread
            return
        for name in rows:
            figures = self._benchmark.summarise(kept[name]) if kept[name] else {}
            write_group(self._path(name), self._abouts[name], group, rows[name], figures, unread)


def _score(benchmark: Benchmark, item: Item, query: Query, method: Method) -> tuple[Row, Score | None]:
    """One method on one item; whatever it raises becomes a failed row."""
    started = time.perf_counter()
    try:
        estimate = method.estimate(query)
        seconds = time.perf_counter() - started
        score = benchmark.score(item, estimate)
    except DiskFullError:
        raise
    except Exception as error:  # other people's code may raise anything; one photo must not end the run
        message = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
        return Row(item.id, item.group, tags=dict(item.tags), error=message), None
    return Row.scored(item.id, item.group, dict(item.tags), score, seconds), score


def _done(path: Path, about: About) -> set[str]:
    """Finished groups: complete and without failures."""
    if not path.exists():
        return set()
    check_same(path, about)
    results = read_results(path)
    return set(results.groups) - {row.group for row in results.failed}


def _parameters(name: str) -> dict[str, Any]:
    """Options of a benchmark and their types."""
    load = import_module(BENCHMARKS[name]).load
    hints = get_type_hints(load)
    return {key: hints[key] for key in list(inspect.signature(load).parameters)[1:]}


def _options(name: str, given: Mapping[str, str]) -> dict[str, Any]:
    types = _parameters(name)
    unknown = [key for key in given if key not in types]
    if unknown:
        raise InputError(f"{name}: no option {unknown[0]!r}; there are path, {', '.join(types)}")
    return {key: _value(f"{name}:{key}", value, types[key]) for key, value in given.items()}


def _value(what: str, text: str, kind: Any) -> Any:
    """Parse text as a type; "none" for optional types."""
    choices = [part for part in get_args(kind) if isinstance(part, type)] or [kind]
    if type(None) in choices and text.lower() == "none":
        return None
    for wanted in (int, float, Path):
        if wanted in choices:
            try:
                return wanted(text)
            except ValueError:
                raise InputError(f"{what} {text!r}: must be a number") from None
    return text


def _progress(console: Console | None) -> Progress:
    columns = TextColumn("{task.description}"), *timed_columns()
    return Progress(*columns, console=console or Console(stderr=True), unit="groups", transient=True)
