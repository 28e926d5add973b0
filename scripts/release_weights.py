"""Put trained weights into the package, with their scores inside, if they measure better than those that are there.

Usage: python scripts/release_weights.py runs/release/weights.safetensors --data DIR
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import illures.model
from illures.evaluate.methods import our_contenders
from illures.evaluate.results import interval, read_folder
from illures.evaluate.runner import Run, parse_entry
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
        for name in ("yaleb_natural_normal_deg", "yaleb_natural_albedo_drift_rel"):
            if metrics[name] >= released[name]:
                sys.exit(f"not released: {name} {metrics[name]:.3f} is no better than {released[name]:.3f}")
    network, info = load_network(options.weights)
    target.parent.mkdir(exist_ok=True)
    save_weights(target, network, info.recipe, info.data, metrics)
    print(f"{target.name}: {target.stat().st_size / 2**20:.1f} MiB")


FIGURES = (
    "normal_deg",
    "normal_median_deg",
    "normal_untilted_deg",
    "albedo_rel",
    "albedo_drift_rel",
    "light_shading_rel",
    "relit_psnr_db",
    "relit_ssim",
)


def measure(weights: Path, data: Path) -> dict[str, float]:
    """Scores on the development subjects of Extended Yale B under natural lights."""
    entry = parse_entry("yaleb:lights=natural,mask=mask", data)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(entry, our_contenders([weights]), Path(folder))
        if unread := run.score().unread:
            sys.exit(f"not released: {unread[0].message}")
        results = read_folder(Path(folder))[entry.label][weights.stem]
    spans = {name: interval(results, name) for name in FIGURES}
    return {f"yaleb_natural_{name}": span.mean for name, span in spans.items() if span is not None}


if __name__ == "__main__":
    main()
