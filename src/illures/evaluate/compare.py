"""Compare two methods, or one method in two folders of results, on the same items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from illures.errors import InputError
from illures.evaluate.intervals import Interval
from illures.evaluate.results import Results, difference, interval, meaning, read_folder

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Change:
    """One figure of B compared with A, on common items.

    Attributes:
        figure: its name.
        a, b: means over all items of each.
        change: B minus A, paired.
        p_value: of the sign-flip permutation test over groups, two-sided.
        wilcoxon: p of the signed-rank test on the groups' mean differences; None with fewer than 6 groups.
        verdict: "better", "worse" (B than A, significantly), or "no difference that shows".
    """

    figure: str
    a: float
    b: float
    change: Interval
    p_value: float
    wilcoxon: float | None
    verdict: str


def compare(a: Results, b: Results) -> list[Change]:
    """Compare all common figures. The p-values are per figure, not corrected for multiple tests."""
    changes = []
    for figure in (name for name in a.figures() if name in b.figures()):
        paired, first, second = difference(a, b, figure), interval(a, figure), interval(b, figure)
        if paired is None or first is None or second is None:
            continue
        changes.append(
            Change(
                figure,
                first.mean,
                second.mean,
                paired.difference,
                paired.p_value,
                wilcoxon(a, b, figure),
                verdict(figure, first.mean, second.mean, paired.p_value),
            )
        )
    return changes


def verdict(figure: str, a: float, b: float, p_value: float) -> str:
    """Whether B is better or worse than A."""
    if p_value >= SIGNIFICANT:
        return "no difference that shows"
    return "better" if is_better(figure, b, a) else "worse"


def is_better(figure: str, value: float, than: float) -> bool:
    """Whether a value is better, by the direction of the figure."""
    direction = meaning(figure).better
    if direction == "zero":
        return abs(value) < abs(than)
    return value < than if direction == "lower" else value > than


def wilcoxon(a: Results, b: Results, figure: str) -> float | None:
    """Signed-rank test (Wilcoxon 1945) on the mean difference of each group."""
    from scipy.stats import wilcoxon as signed_rank

    first, second = _per_group(a, figure), _per_group(b, figure)
    changes = np.array([second[group] - first[group] for group in first if group in second])
    if len(changes) < 6 or not np.any(changes):
        return None
    return float(signed_rank(changes).pvalue)


def compare_folders(a: str, b: str) -> dict[str, list[Change]]:
    """Two folders of results, or FOLDER:METHOD of each; by benchmark and method.

    Methods with the same name are compared. If each folder has a single model of ours, these are compared under any
    names.

    Raises:
        InputError: a folder holds no results, or nothing in them can be compared.
    """
    (first, one), (second, other) = (_opened(text) for text in (a, b))
    found: dict[str, list[Change]] = {}
    for benchmark in (name for name in first if name in second):
        for x, y in _pairs(first[benchmark], second[benchmark], one, other):
            label = x.about.method if x.about.method == y.about.method else f"{x.about.method} → {y.about.method}"
            found[f"{benchmark}: {label}"] = compare(x, y)
    if not found:
        raise InputError(f"{a} and {b}: have no benchmark and method in common; name methods as FOLDER:METHOD")
    return found


def as_text(changes: Sequence[Change]) -> str:
    """A table for the terminal."""
    lines = [f"  {'figure':24}{'A':>10}{'B':>10}   {'B - A [95 %]':34}{'p':>7}{'Wilcoxon':>10}"]
    for change in changes:
        span = f"{change.change.mean:+.4g} [{change.change.low:+.4g}, {change.change.high:+.4g}]"
        rank = "–" if change.wilcoxon is None else f"{change.wilcoxon:.3f}"
        numbers = f"{change.a:>10.4g}{change.b:>10.4g}   {span:34}{change.p_value:>7.3f}{rank:>10}"
        lines.append(f"  {change.figure:24}{numbers}  {change.verdict}")
    return "\n".join(lines)


def _opened(text: str) -> tuple[dict[str, dict[str, Results]], str]:
    if Path(text).is_dir():
        return read_folder(Path(text)), ""
    folder, _, method = text.rpartition(":")
    if not folder or not Path(folder).is_dir():
        raise InputError(f"{text}: no such folder of results")
    return read_folder(Path(folder)), method


def _pairs(
    first: dict[str, Results], second: dict[str, Results], one: str, other: str
) -> list[tuple[Results, Results]]:
    if one or other:
        x, y = first.get(one or other), second.get(other or one)
        return [(x, y)] if x and y else []
    ours = [[results for results in of.values() if results.about.kind == "ours"] for of in (first, second)]
    if all(len(of) == 1 for of in ours):
        return [(ours[0][0], ours[1][0])]
    return [(first[name], second[name]) for name in first if name in second]


def _per_group(results: Results, figure: str) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for row in results.scored:
        if figure in row.figures:
            values.setdefault(row.group, []).append(row.figures[figure])
    if values:
        return {group: float(np.mean(of)) for group, of in values.items()}
    return {group: figures[figure] for group, figures in results.groups.items() if figure in figures}
