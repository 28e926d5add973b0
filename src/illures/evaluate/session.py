"""A whole `illures evaluate`: benchmarks one after the other, then summaries, pictures and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from illures.errors import InputError
from illures.evaluate.compare import Change, as_text, compare
from illures.evaluate.methods import Contender
from illures.evaluate.report.page import Section, section, sentence, write_report
from illures.evaluate.report.pictures import choose, write_pictures
from illures.evaluate.report.summary import HEADLINES, write_summary
from illures.evaluate.results import Results, file_name, interval, read_benchmark
from illures.evaluate.runner import Entry, Run, contenders, parse_entry
from illures.io.files import whole_folder
from illures.jobs.pool import one_writer

REPORT = "report.html"
_REASONS = 3  # largest number of failures named in an error


def evaluate_all(
    benchmarks: Sequence[str],
    output: Path,
    data: Path | None = None,
    models: Sequence[Path] = (),
    rivals: Sequence[str] = (),
    compared: tuple[str, str] | None = None,
    lpips: Path | None = None,
    pictures: int = 24,
) -> str:
    """Run everything, write the results, and return the main figures as text.

    Raises:
        InputError: as `runner`, `results` and `report` do.
    """
    entries = [parse_entry(text, data, lpips) for text in benchmarks]
    labels = [entry.label for entry in entries]
    if len(set(labels)) < len(labels):
        raise InputError(f"benchmarks: {', '.join(labels)}: two of them are the same")
    with one_writer(output):
        methods = contenders(models, rivals)
        parts = [_benchmark(entry, methods, output, compared, pictures) for entry in entries]
        write_report(output / REPORT, [part for part, _ in parts])
    words = [text for _, text in parts]
    return "\n\n".join([*words, f"{output / REPORT}"])


def _benchmark(
    entry: Entry, methods: Sequence[Contender], output: Path, compared: tuple[str, str] | None, pictures: int
) -> tuple[Section, str]:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    run = Run(entry, methods, output)
    for name in compared or ():
        if name not in run.names and not (run.target / f"{file_name(name)}.jsonl").exists():
            raise InputError(f"compare {name!r}: must be one of {', '.join(run.names)}")
    tally = run.score(console)
    results = read_benchmark(run.target)
    if not results:
        reasons = list(dict.fromkeys(failure.message for failure in tally.unread))
        messages = "; ".join(reasons[:_REASONS]) or "it holds nothing"
        raise InputError(f"{entry.path}: nothing could be measured: {messages}")
    for failure in tally.unread:
        console.print(f"error: {failure.message}", markup=False)
    for name, of in results.items():
        if of.failed:
            first = of.failed[0]
            words = f"{len(of.failed)} of {len(of.rows)} images failed, the first is {first.id}: {first.error}"
            console.print(f"error: {name}: {words}", markup=False)
    write_summary(run.target, results, tally.unread)
    shown = choose(main_method(results), pictures)
    if not console.is_terminal:
        console.print(f"{entry.label}: measured; drawing {len(shown)} pictures", markup=False)
    with whole_folder(run.target / "pictures") as folder:
        write_pictures(folder, run.estimates({item: group for item, group, _ in shown}))
    changes = _changes(results, compared)
    part = section(run.target, results, tally.unread, shown, changes)
    lines = [f"{entry.label}", *(_line(of, results) for of in results.values())]
    lines += [f"{words}\n{as_text(found)}" for words, found in changes.items()]
    return part, "\n".join(lines)


def main_method(methods: Mapping[str, Results]) -> Results:
    """The method by which pictures are sorted: our first, else the last of all."""
    return next((of for of in methods.values() if of.about.kind == "ours"), list(methods.values())[-1])


def _changes(methods: Mapping[str, Results], compared: tuple[str, str] | None) -> dict[str, Sequence[Change]]:
    if compared is None:
        return {}
    a, b = compared
    return {f"{a} (A) → {b} (B)": compare(methods[a], methods[b])} if a in methods and b in methods else {}


def _line(results: Results, methods: Mapping[str, Results]) -> str:
    """The first figures of each theme, and the verdict."""
    figures = []
    for name in HEADLINES:
        span = interval(results, name)
        if span is not None:
            figures.append(f"{name} {span.mean:.4g} [{span.low:.4g}, {span.high:.4g}]")
    words = f"  {results.about.method:14} {'  '.join(figures)}"
    return words if results.about.kind == "dummy" else f"{words}\n  {'':14} {sentence(results, methods)}"
