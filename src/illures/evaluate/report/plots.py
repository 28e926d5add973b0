"""Plots of results as SVG text that goes into a page: transparent, and readable on light and on dark."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from illures.errors import InputError
from illures.evaluate.report.summary import by_tag
from illures.evaluate.results import Results, histogram, meaning

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK = "#808080"  # text and axes: a grey with the same contrast to white and to black
# Okabe and Ito, "Color Universal Design" (2008), without its black and its yellow.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#7B61A8")
_DASHES = {"dummy": (0, (1.5, 1.5)), "baseline": (0, (5, 2))}
_TAGS = {
    "light_deg": "angle of the light off the viewer's axis",
    "tone": "skin tone (ITA group)",
    "set": "set of renders",
}
_MOST_DEG = 60
_SIZE = (7.2, 3.6)  # inches


def cumulative(methods: Mapping[str, Results]) -> str | None:
    """Share of pixels whose normal is off by less than an angle; None without normals."""
    curves = {name: counts for name, of in methods.items() if (counts := histogram(of)) is not None}
    if not curves:
        return None
    axes = _axes("angle between normals [deg]", "pixels below [%]")
    for name, counts in curves.items():
        share = 100 * np.concatenate([[0], np.cumsum(counts)]) / max(int(counts.sum()), 1)
        axes.plot(np.arange(_MOST_DEG + 1), share[: _MOST_DEG + 1], label=name, **_style(name, methods))
    axes.set(xlim=(0, _MOST_DEG), ylim=(0, 100))
    return _svg(axes)


def over_tag(methods: Mapping[str, Results], figure: str, tag: str) -> str | None:
    """Means of a figure with their confidence intervals for each value of a tag; None with fewer than two values."""
    parts = {name: found for name, of in methods.items() if (found := by_tag(of, figure, tag))}
    values = list(dict.fromkeys(value for found in parts.values() for value in found))
    if len(values) < 2:
        return None
    axes = _axes(_TAGS.get(tag, tag), meaning(figure).text)
    for k, (name, found) in enumerate(parts.items()):
        shift = 0.5 * (k / max(len(parts) - 1, 1) - 0.5)
        spans = [found[value] for value in values if value in found]
        x = np.array([values.index(value) for value in found]) + shift
        middle = np.array([span.mean for span in spans])
        reach = np.abs(np.array([[span.low for span in spans], [span.high for span in spans]]) - middle)
        axes.errorbar(x, middle, reach, label=name, marker="o", markersize=3, capsize=2, **_style(name, methods))
    items = [sum(found[v].items for found in parts.values() if v in found) // len(parts) for v in values]
    axes.set_xticks(range(len(values)), [f"{value}\n{count} items" for value, count in zip(values, items, strict=True)])
    return _svg(axes)


def _axes(x: str, y: str) -> Axes:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("the report needs matplotlib: pip install illures[evaluate]") from None
    axes = Figure(figsize=_SIZE, layout="constrained").subplots()
    axes.set_xlabel(x, color=_INK, fontsize=9)
    axes.set_ylabel(_broken(y), color=_INK, fontsize=9)
    axes.tick_params(colors=_INK, labelsize=8)
    axes.grid(color=_INK, alpha=0.25, linewidth=0.5)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(_INK)
    return axes


def _style(name: str, methods: Mapping[str, Results]) -> dict[str, Any]:
    kind = methods[name].about.kind
    shown = [other for other, of in methods.items() if of.about.kind != "dummy"]
    # Ours, which come last, get the first colours.
    color = _INK if kind == "dummy" else _COLORS[(len(shown) - 1 - shown.index(name)) % len(_COLORS)]
    dummies = [other for other, of in methods.items() if of.about.kind == "dummy"]
    dashes = (0, (1 + dummies.index(name), 2)) if kind == "dummy" else _DASHES.get(kind, "solid")
    return {"color": color, "linestyle": dashes, "linewidth": 2.0 if kind == "ours" else 1.3}


def _svg(axes: Axes) -> str:
    """The figure alone, without the XML head, scaling with the page."""
    from matplotlib import rc_context

    legend = axes.legend(
        fontsize=8, frameon=False, labelcolor=_INK, ncols=1, loc="center left", bbox_to_anchor=(1, 0.5)
    )
    legend.set_in_layout(True)
    data = io.StringIO()
    figure: Any = axes.figure
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "illures", "font.family": "sans-serif"}):
        figure.savefig(data, format="svg", transparent=True, metadata={"Date": None})
    text = data.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    return re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'role="img"', text, count=1)


def _broken(text: str, width: int = 42) -> str:
    """Long labels in two lines."""
    words: Sequence[str] = text.split()
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)
