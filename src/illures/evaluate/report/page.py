"""The HTML report of a run: one file with all pictures and plots, which works offline."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from illures import __version__
from illures.errors import InputError
from illures.evaluate.benchmark import FIGURES, Failure
from illures.evaluate.compare import Change, is_better
from illures.evaluate.intervals import Interval
from illures.evaluate.report import pictures, plots
from illures.evaluate.report.summary import HEADLINES, LEAST_PEOPLE, NO_RACE, tone_errors, verdicts
from illures.evaluate.results import Results, file_name, interval, meaning
from illures.evaluate.tone import TONES
from illures.io.files import write_text

# Tables of figures, by the beginning of their names.
THEMES = (
    ("Normals", ("normal_", "coverage_")),
    ("Albedo and skin tone", ("albedo_", "colour_", "ita_")),
    ("Light", ("light_", "shading_")),
    ("Relighting, against real photos", ("relit_",)),
    ("Reconstruction and residual", ("recon_", "residual_")),
)
# Figures plotted over tags: angles of light, skin tones, sets of renders.
_OVER_TAGS = ("normal_deg", "albedo_rel", "albedo_corr", "ita_error_deg", "relit_psnr_db")
_TAGS = ("light_deg", "tone", "set")
_WHATS = ("normal", "error", "albedo", "relit", "residual")


@dataclass(frozen=True)
class Cell:
    """One figure of one method as text; `state` is "best", "lost" (worse than a dummy) or ""."""

    mean: str
    span: str
    state: str


@dataclass(frozen=True)
class Line:
    """A method's row of a table."""

    method: str
    kind: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Table:
    """Figures of one theme: headings (a name with an arrow for which way is better, and what it means) and lines."""

    title: str
    heads: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Strip:
    """Pictures of one item: rows of (what, tiles), a tile being (caption, data URI)."""

    item: str
    words: str
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True)
class Section:
    """A benchmark in the report."""

    name: str
    facts: str
    sentences: tuple[str, ...]
    tables: tuple[Table, ...]
    plots: tuple[tuple[str, str], ...]
    strips: tuple[Strip, ...]
    failures: tuple[tuple[str, str], ...]
    changes: tuple[tuple[str, Sequence[Change]], ...]


def section(
    folder: Path,
    methods: Mapping[str, Results],
    unread: Sequence[Failure] = (),
    shown: Sequence[tuple[str, str, str]] = (),
    changes: Mapping[str, Sequence[Change]] | None = None,
) -> Section:
    """The section of one benchmark.

    Args:
        folder: of its results; pictures are in its `pictures`.
        methods: its results.
        unread: groups that could not be read.
        shown: items with pictures (see `pictures.choose`).
        changes: comparisons to show.
    """
    first = next(iter(methods.values()))
    options = ", ".join(f"{key} = {value}" for key, value in first.about.options.items())
    items = max(len(of.rows) for of in methods.values())
    groups = max(len(of.groups) for of in methods.values())
    tables = [*(_table(title, starts, methods) for title, starts in THEMES), _tones(methods)]
    facts = f"{items} images of {groups} groups" + (f" ({options})" if options else "")
    return Section(
        first.about.benchmark,
        facts,
        tuple(sentence(of, methods) for of in methods.values() if of.about.kind in ("ours", "rival", "baseline")),
        tuple(table for table in tables if table is not None),
        tuple(_plots(methods)),
        tuple(_strip(folder / "pictures", entry, methods) for entry in shown),
        tuple(_failures(methods, unread)),
        tuple((changes or {}).items()),
    )


def write_report(path: Path, sections: Sequence[Section], title: str = "illures evaluate") -> None:
    """Write the page, whole.

    Raises:
        InputError: it can't be written, or jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise InputError("the report needs jinja2: pip install illures[evaluate]") from None
    template = (files("illures.evaluate.report") / "templates" / "report.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    figures = list(dict.fromkeys(name for s in sections for name in _figures_of(s)))
    text = page.from_string(template).render(
        title=title,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
        sections=sections,
        heat=_uri(pictures.error_scale(), "webp"),
        full=f"{pictures.ERROR_FULL_DEG:.0f}",
        figures=[(name, meaning(name).text, meaning(name).better) for name in figures],
    )
    write_text(path, text)


def sentence(results: Results, methods: Mapping[str, Results]) -> str:
    """Text on how a method compares with the dummies in the headline figures."""
    found = [verdict for verdict in verdicts(results, methods) if verdict.figure in HEADLINES]
    name = results.about.method
    if not found:
        return f"{name}: no dummy gives what it gives."
    parts = []
    for words, beats, certain in (
        ("beats the best dummy in", True, True),
        ("is better than the best dummy, but not certainly, in", True, False),
        ("LOSES to the best dummy in", False, True),
        ("is no better than the best dummy in", False, False),
    ):
        names = [verdict.figure for verdict in found if (verdict.beats, verdict.certain) == (beats, certain)]
        if names:
            parts.append(f"{words} {', '.join(names)}")
    return f"{name} {'; '.join(parts)}."


def _table(title: str, starts: tuple[str, ...], methods: Mapping[str, Results]) -> Table | None:
    figures = [
        name
        for name in dict.fromkeys(name for of in methods.values() for name in of.figures())
        if name.startswith(starts)
    ]
    if not figures:
        return None
    spans = {name: [interval(of, figure) for figure in figures] for name, of in methods.items()}
    best = [_best(figure, [row[k] for row in spans.values()]) for k, figure in enumerate(figures)]
    lines = []
    for name, of in methods.items():
        if any(span is not None for span in spans[name]):
            lost = {verdict.figure for verdict in verdicts(of, methods) if not verdict.beats}
            cells = tuple(
                _cell(span, len(of.failed), figure in lost, span is not None and span.mean == best[k])
                for k, (figure, span) in enumerate(zip(figures, spans[name], strict=True))
            )
            lines.append(Line(name, of.about.kind, cells))
    arrows = {"lower": "↓", "higher": "↑", "zero": "→ 0"}
    heads = tuple((f"{name} {arrows[meaning(name).better]}", meaning(name).text) for name in figures)
    return Table(title, heads, tuple(lines))


def _tones(methods: Mapping[str, Results]) -> Table | None:
    """Errors of skin tone by group, and how much worse the worst group is."""
    found = {name: tones for name, of in methods.items() if (tones := tone_errors(of)) is not None}
    names = [name for name in TONES if any(name in tones.groups for tones in found.values())]
    if not names:
        return None
    heads = [(f"{name} ↓", f"mean |ITA error| of people whose true skin is {name} [deg]") for name in names]
    heads.append(
        ("worst / mean → 1", f"the worst group (of {LEAST_PEOPLE} people at least) over the mean of all images")
    )
    lines = []
    for name, tones in found.items():
        cells = [_cell(tones.groups.get(tone), 0, False, False) for tone in names]
        ratio = tones.worst_over_mean
        cells.append(None if ratio is None else Cell(_short(ratio), tones.worst or "", ""))
        lines.append(Line(name, methods[name].about.kind, tuple(cells)))
    return Table("Skin tone by group, ITA error [deg]", tuple(heads), tuple(lines))


def _cell(span: Interval | None, failed: int, lost: bool, best: bool) -> Cell | None:
    if span is None:
        return None
    words = f"{_short(span.low)} … {_short(span.high)}"
    if failed:
        words += f"; {failed} of {failed + span.items} failed"
    return Cell(_short(span.mean), words, "lost" if lost else "best" if best else "")


def _best(figure: str, spans: Sequence[Interval | None]) -> float | None:
    means = [span.mean for span in spans if span is not None]
    if figure in NO_RACE:
        return None
    best = means[0]
    for mean in means[1:]:
        best = mean if is_better(figure, mean, best) else best
    return best


def _short(value: float) -> str:
    """Three significant digits."""
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def _plots(methods: Mapping[str, Results]) -> list[tuple[str, str]]:
    found = []
    curve = plots.cumulative(methods)
    if curve is not None:
        found.append(("How many pixels are better than an angle", curve))
    for tag in _TAGS:
        for figure in _OVER_TAGS:
            drawn = plots.over_tag(methods, figure, tag)
            if drawn is not None:
                found.append((f"{figure} by {tag}", drawn))
    return found


def _strip(folder: Path, entry: tuple[str, str, str], methods: Mapping[str, Results]) -> Strip:
    item, _, words = entry
    place = folder / file_name(item)
    names = [(pictures.TRUTH, "truth"), *((file_name(name), name) for name in reversed(list(methods)))]
    rows = []
    source = _picture(place / f"{pictures.TRUTH}.input.webp")
    for what in _WHATS:
        tiles = [(text, uri) for name, text in names if (uri := _picture(place / f"{name}.{what}.webp"))]
        if any(text != "truth" for text, _ in tiles):
            rows.append((what, tuple(tiles)))
    if source:
        first, others = rows[0] if rows else ("", ())
        rows[:1] = [(first, (("input", source), *others))]
    return Strip(item, words, tuple(rows))


def _failures(methods: Mapping[str, Results], unread: Sequence[Failure]) -> list[tuple[str, str]]:
    found = {failure.id: failure.message for of in methods.values() for failure in of.unread}
    found |= {failure.id: failure.message for failure in unread}
    return [
        *found.items(),
        *((f"{name}: {row.id}", row.error) for name, of in methods.items() for row in of.failed),
    ]


def _figures_of(part: Section) -> list[str]:
    names = [head.split(" ")[0] for table in part.tables for head, _ in table.heads]
    return [name for name in names if name in FIGURES]


def _picture(path: Path) -> str:
    return _uri(path.read_bytes(), "webp") if path.is_file() else ""


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
