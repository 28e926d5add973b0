"""The figures of a run as text files: items.csv, summary.csv and summary.json of each benchmark."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from illures.evaluate.angles import histogram_quantile, histogram_std
from illures.evaluate.benchmark import Failure
from illures.evaluate.compare import SIGNIFICANT, is_better
from illures.evaluate.intervals import Interval, mean_interval
from illures.evaluate.results import Results, difference, histogram, interval, meaning
from illures.evaluate.tone import TONES
from illures.io.files import write_text

LEAST_PEOPLE = 3  # least number of people in a group of skin tone that counts as the worst
ANGLE_BINS = (0.0, 12.0, 25.0, 50.0, 77.0, 180.0)  # the subsets of Yale B [deg]


# Headline figures, shown in the terminal and the README.
HEADLINES = (
    "normal_deg",
    "albedo_rel",
    "albedo_corr",
    "albedo_drift_contrast",
    "colour_kept",
    "light_shading_rel",
    "ita_error_deg",
    "relit_psnr_db",
    "relit_lpips",
    "recon_l1",
    "albedo_flicker_rel",
)
# Figures in which a trivial method is (nearly) perfect: a constant does not drift, a copy keeps all colour, and albedo
# as photo over shading reconstructs the photo.
NO_RACE = frozenset(
    {
        "coverage_pct",
        "albedo_drift_rel",
        "albedo_flicker_rel",
        "colour_kept",
        "normal_drift_deg",
        "residual_energy_pct",
        "recon_l1",
        "recon_lpips",
    }
)


@dataclass(frozen=True)
class Verdict:
    """A method against the best dummy, on one figure.

    Attributes:
        figure, dummy: which.
        beats: whether its mean is better; a model that does not beat the dummies loses.
        certain: whether the difference is significant (paired, over groups).
    """

    figure: str
    dummy: str
    beats: bool
    certain: bool


@dataclass(frozen=True)
class ToneErrors:
    """Errors of skin tone by the group of the true skin.

    Attributes:
        groups: mean |ITA error| [deg] of each group present, dark first.
        worst: the group with the largest mean, among those with `LEAST_PEOPLE` people; None without one.
        worst_over_mean: its mean over that of all images; 1: all groups are equal.
    """

    groups: Mapping[str, Interval]
    worst: str | None
    worst_over_mean: float | None


def verdicts(results: Results, methods: Mapping[str, Results]) -> list[Verdict]:
    """Compare a method with the best dummy of each figure."""
    if results.about.kind == "dummy":
        return []
    found = []
    for figure in results.figures():
        own = interval(results, figure)
        rivals = [(name, of, span) for name, of in methods.items() if (span := _dummy(of, figure)) is not None]
        if figure in NO_RACE or own is None or not rivals:
            continue
        name, dummy, span = rivals[0]
        for other in rivals[1:]:
            if is_better(figure, other[2].mean, span.mean):
                name, dummy, span = other
        paired = difference(dummy, results, figure)
        certain = paired is not None and paired.p_value < SIGNIFICANT
        found.append(Verdict(figure, name, is_better(figure, own.mean, span.mean), certain))
    return found


def by_tag(results: Results, figure: str, tag: str) -> dict[str, Interval]:
    """Means of a figure over the items of each value of a tag; angles of light in `ANGLE_BINS`."""
    parts: dict[str, list[Any]] = {}
    for row in results.scored:
        if figure in row.figures and tag in row.tags:
            parts.setdefault(label(row.tags[tag]), []).append(row)
    pooled = meaning(figure).pooled
    return {
        value: mean_interval(
            [row.figures[figure] for row in rows],
            [row.group for row in rows],
            [row.pixels for row in rows] if pooled else None,
        )
        for value, rows in sorted(parts.items(), key=lambda part: _order(part[0]))
    }


def tone_errors(results: Results) -> ToneErrors | None:
    """`ita_error_deg` by group of skin tone; None where it was not measured."""
    groups, mean = by_tag(results, "ita_error_deg", "tone"), interval(results, "ita_error_deg")
    if not groups or mean is None:
        return None
    enough = {name: span.mean for name, span in groups.items() if span.groups >= LEAST_PEOPLE}
    worst = max(enough, key=lambda name: enough[name], default=None)
    return ToneErrors(groups, worst, None if worst is None else enough[worst] / max(mean.mean, 1e-12))


def label(value: float | str) -> str:
    """Label of the bin for a value of a tag."""
    if isinstance(value, str):
        return value
    k = min(int(np.searchsorted(ANGLE_BINS, value, side="left")), len(ANGLE_BINS) - 1)
    return f"{ANGLE_BINS[max(k, 1) - 1]:.0f}–{ANGLE_BINS[max(k, 1)]:.0f}°"


def summary(methods: Mapping[str, Results], unread: Sequence[Failure] = ()) -> dict[str, Any]:
    """All figures of a benchmark as plain data for JSON."""
    first = next(iter(methods.values()))
    failures = {failure.id: failure.message for of in methods.values() for failure in of.unread}
    failures |= {failure.id: failure.message for failure in unread}
    return {
        "benchmark": first.about.benchmark,
        "options": dict(first.about.options),
        "unread": failures,
        "methods": {name: _method(results, methods) for name, results in methods.items()},
    }


def write_summary(folder: Path, methods: Mapping[str, Results], unread: Sequence[Failure] = ()) -> None:
    """Write items.csv, summary.csv and summary.json, each whole.

    Raises:
        InputError: one can't be written.
    """
    content = summary(methods, unread)
    text = json.dumps(content, indent=1, ensure_ascii=False)
    write_text(folder / "summary.json", text + "\n")
    write_text(folder / "summary.csv", _summary_csv(content))
    write_text(folder / "items.csv", _items_csv(methods))


def _method(results: Results, methods: Mapping[str, Results]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": results.about.kind,
        "about": results.about.detail,
        "items": len(results.scored),
        "failed": {row.id: row.error for row in results.failed},
        "groups": len({row.group for row in results.scored}),
        "seconds_per_item": round(float(np.mean([row.seconds for row in results.scored] or [0.0])), 4),
        "figures": {},
        "against_dummies": {},
    }
    for figure in results.figures():
        span = interval(results, figure)
        if span is not None:
            found["figures"][figure] = _rounded(span)
    counts = histogram(results)
    if counts is not None:
        found["normal_pixels"] = {
            "median_deg": round(histogram_quantile(counts), 3),
            "std_deg": round(histogram_std(counts), 3),
        }
    if (tones := tone_errors(results)) is not None:
        found["tones"] = {
            "ita_error_deg": {name: _rounded(span) | {"people": span.groups} for name, span in tones.groups.items()},
            "worst": tones.worst,
            "worst_over_mean": None if tones.worst_over_mean is None else round(tones.worst_over_mean, 3),
        }
    for verdict in verdicts(results, methods):
        word = "beats" if verdict.beats else "loses to"
        found["against_dummies"][verdict.figure] = (
            f"{word} {verdict.dummy}{'' if verdict.certain else ' (not certain)'}"
        )
    return found


def _summary_csv(content: dict[str, Any]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["method", "kind", "items", "failed", "figure", "mean", "low", "high", "against_dummies"])
    for name, of in content["methods"].items():
        for figure, span in of["figures"].items():
            against = of["against_dummies"].get(figure, "")
            numbers = [span["mean"], span["low"], span["high"]]
            table.writerow([name, of["kind"], of["items"], len(of["failed"]), figure, *numbers, against])
    return text.getvalue()


def _items_csv(methods: Mapping[str, Results]) -> str:
    figures = list(dict.fromkeys(name for of in methods.values() for row in of.rows for name in row.figures))
    tags = list(dict.fromkeys(name for of in methods.values() for row in of.rows for name in row.tags))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["method", "item", "group", *tags, "pixels", "seconds", *figures, "error"])
    for name, of in methods.items():
        for row in of.rows:
            values = [row.figures.get(figure, "") for figure in figures]
            about = [row.tags.get(tag, "") for tag in tags]
            table.writerow([name, row.id, row.group, *about, row.pixels, row.seconds, *values, row.error])
    return text.getvalue()


def _dummy(results: Results, figure: str) -> Interval | None:
    return interval(results, figure) if results.about.kind == "dummy" else None


def _rounded(span: Interval) -> dict[str, float]:
    return {key: float(f"{getattr(span, key):.5g}") for key in ("mean", "low", "high")}


def _order(value: str) -> tuple[float, str]:
    if value in TONES:
        return float(TONES.index(value)), ""
    start = value.partition("–")[0]
    return (float(start), "") if start.replace(".", "").isdigit() else (float("inf"), value)
