"""Measure as `illures evaluate` does, and keep the figures: benchmarks/results/BENCHMARK.json.

    python benchmarks/evaluate.py yaleb:lights=natural,mask=mask yaleb:lights=flash,mask=mask -o FOLDER
        [--data FOLDER] [--models FILE ...] [--rivals NAME[=FOLDER] ...] [--lpips FOLDER] [--as ablation]

The subjects of Extended Yale B here are the development set: choices were made on them.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from illures.evaluate.report.summary import summary
from illures.evaluate.results import read_folder
from illures.evaluate.runner import parse_entry
from illures.evaluate.session import evaluate_all
from record import record


def main() -> None:
    """Measure, print, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmarks", nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True, help="results, pictures and report: not in git")
    parser.add_argument("--data", type=Path, default=os.environ.get("ILLURES_DATA"))
    parser.add_argument("--models", type=Path, nargs="+", default=[])
    parser.add_argument("--rivals", nargs="*", default=["3dmm"])
    parser.add_argument("--lpips", type=Path)
    parser.add_argument("--as", dest="name", default="", help="of the file: NAME-BENCHMARK.json")
    options = parser.parse_args()
    data = None if options.data is None else Path(options.data)
    print(evaluate_all(options.benchmarks, options.output, data, options.models, options.rivals, lpips=options.lpips))
    found = read_folder(options.output)
    for text in options.benchmarks:
        entry = parse_entry(text, data, options.lpips)
        record(f"{options.name}-{entry.label}" if options.name else entry.label, compact(summary(found[entry.label])))


def compact(content: dict[str, Any]) -> dict[str, Any]:
    """The summary without what can be worked out from it; each figure as "mean [low, high]"."""
    methods = {}
    for method, of in content["methods"].items():
        figures = {name: f"{f['mean']} [{f['low']}, {f['high']}]" for name, f in of["figures"].items()}
        about = {key: of[key] for key in ("kind", "about", "items", "groups")}
        tones = {"tones": of["tones"]} if "tones" in of else {}
        methods[method] = {**about, "failed": len(of["failed"]), "figures": figures, **tones}
    return {"unread": len(content["unread"]), "methods": methods}


if __name__ == "__main__":
    main()
