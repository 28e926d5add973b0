"""Put trained weights into the package, with their scores inside, if they measure better than those that are there.

Usage: python scripts/release_weights.py runs/release/weights.safetensors --data DIR
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import illures.model
from illures.evaluate.methods import Illures
from illures.evaluate.yaleb import load_yaleb, score
from illures.model import Predictor
from illures.model.export import load_network, save_weights
from illures.model.weights import RELEASE


def main() -> None:
    """Score, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, default=os.environ.get("ILLURES_DATA"), help="folder with yaleb/")
    options = parser.parse_args()
    if options.data is None:
        parser.error("give --data or set ILLURES_DATA")
    metrics = measure(options.weights, options.data)
    print(metrics)
    target = Path(illures.model.__file__).parent / "weights" / RELEASE
    if target.exists():
        released = measure(target, options.data)
        for name in ("yaleb_natural_mean_deg", "yaleb_natural_albedo_drift"):
            if metrics[name] >= released[name]:
                sys.exit(f"not released: {name} {metrics[name]:.3f} is no better than {released[name]:.3f}")
    network, info = load_network(options.weights)
    target.parent.mkdir(exist_ok=True)
    save_weights(target, network, info.recipe, info.data, metrics)
    print(f"{target.name}: {target.stat().st_size / 2**20:.1f} MiB")


def measure(weights: Path, data: Path) -> dict[str, float]:
    """Scores on the development subjects of Extended Yale B."""
    subjects = list(load_yaleb(data, "natural"))
    found = score(Illures(Predictor.from_pretrained(weights)), subjects)
    figures = {"albedo_error": found.albedo, "albedo_drift": found.drift, "light_error": found.light}
    return {"yaleb_natural_mean_deg": found.normal.mean_deg, "yaleb_natural_median_deg": found.normal.median_deg} | {
        f"yaleb_natural_{name}": value for name, value in figures.items() if value is not None
    }


if __name__ == "__main__":
    main()
