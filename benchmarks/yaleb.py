"""Extended Yale B: normals, albedo and light of every method, under natural lights and under flashes.

    python benchmarks/yaleb.py --data "$ILLURES_DATA" [--lights natural flash] [--weights FILE] [--method NAME ...]

The subjects here are the development set: choices were made on them. Scores are means over photos.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from illures.evaluate.methods import METHODS
from illures.evaluate.yaleb import YaleBScore, load_yaleb, score
from record import record


def main() -> None:
    """Measure, print a table, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("ILLURES_DATA"), help="folder with yaleb/")
    parser.add_argument("--lights", nargs="+", choices=["natural", "flash"], default=["natural", "flash"])
    parser.add_argument("--mask", choices=["mask", "mask_strict"], default="mask")
    parser.add_argument("--weights", type=Path, help="default: those of the package")
    parser.add_argument("--method", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    if options.data is None:
        parser.error("give --data or set ILLURES_DATA")
    for lights in options.lights:
        subjects = list(load_yaleb(options.data, lights, options.mask))
        scores = {}
        for name in options.method:
            scores[name] = score(METHODS[name](subjects, options.weights), subjects)
            print(f"{lights:8} {_line(name, scores[name])}", flush=True)
        if not options.no_record:
            figures: dict[str, Any] = {name: asdict(value) for name, value in scores.items()}
            record(f"yaleb-{lights}-{options.mask}", {"subjects": len(subjects), **figures})


def _line(name: str, score: YaleBScore) -> str:
    n, t = score.normal, score.tilt_free
    rest = [f"{key} {value:.3f}" for key in ("albedo", "drift", "light") if (value := getattr(score, key)) is not None]
    return (
        f"{name:10} {n.mean_deg:5.2f} ({n.median_deg:5.2f}; {n.below_20:.0f} / {n.below_25:.0f} / {n.below_30:.0f})"
        f"  tilt-free {t.mean_deg:5.2f}  {'  '.join(rest)}  [{score.photos} photos]"
    )


if __name__ == "__main__":
    main()
