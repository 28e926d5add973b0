"""Put trained weights into the package, with their scores inside, if they measure better than those that are there.

Usage: python scripts/release_weights.py runs/release/weights.safetensors [MORE ...] --data DIR [--body WEIGHTS]

Several files of one training are averaged (stochastic weight averaging, Izmailov et al., UAI 2018). The weights that
are there are measured again, by the same code: what `illures decompose` writes, with all pixels of the face counted.
With --body, weights of 256 px keep their thin level, and take all else from newer weights of 128 px.
With --unmeasured, the files (one of 128 px, one of 256 px, or both) go in as they are, with the scores that they have.
Tensors that both have are stored once, in those of 128 px; whatever is put in, the other ones read as before.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from illures.evaluate.methods import our_contenders
from illures.evaluate.results import interval, read_folder
from illures.evaluate.runner import Run, parse_entry
from illures.model.export import load_network, save_weights
from illures.model.network import IlluResSfSNet
from illures.model.weights import FAST, FINE, Weights, WeightsInfo, packaged, read_weights, write_packaged


def main() -> None:
    """Score, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, default=os.environ.get("ILLURES_DATA"), help="folder with yaleb/")
    parser.add_argument("--body", type=Path, help="weights of 128 px whose body those of 256 px get")
    parser.add_argument("--unmeasured", action="store_true", help="put the files in as they are")
    options = parser.parse_args()
    if options.unmeasured:
        put([read_weights(path) for path in options.weights])
        return
    if options.data is None:
        parser.error("give --data or set ILLURES_DATA")
    network, info = averaged(options.weights)
    if options.body is not None:
        network, info = with_body(network, info, options.body)
    with tempfile.TemporaryDirectory() as folder:
        candidate = Path(folder) / "candidate.safetensors"
        weights = save_weights(candidate, network, info.recipe, info.data, {})
        metrics = measure(candidate, options.data)
    print(metrics)
    target = packaged(name_of(weights))
    if target.exists():
        released = measure(target, options.data)
        print(released)
        for name, sign in BETTER.items():
            ours, theirs = (sign * values[f"yaleb_natural_{name}"] for values in (metrics, released))
            if ours >= theirs:
                sys.exit(f"not released: {name} {abs(ours):.3f} is no better than {abs(theirs):.3f}")
    put([replace(weights, info=replace(weights.info, metrics=metrics))])


def name_of(weights: Weights) -> str:
    """The name in the package."""
    return FINE if weights.info.config.fine_width else FAST


def put(found: Sequence[Weights]) -> None:
    """Write weights into the package."""
    named = {}
    for each in found:
        # Where the weights that it began with lay is nobody's business.
        recipe = each.info.recipe
        if "initial" in recipe:
            recipe = recipe | {"initial": Path(recipe["initial"]).name}
        named[name_of(each)] = replace(each, info=replace(each.info, recipe=recipe))
    if len(named) < len(found):
        sys.exit(f"not released: {len(found)} files for {', '.join(named)}")
    write_packaged(named)
    for name in (FAST, FINE):
        print(f"{name}: {packaged(name).stat().st_size / 2**20:.1f} MiB")


def averaged(paths: Sequence[Path]) -> tuple[IlluResSfSNet, WeightsInfo]:
    """The mean of networks of one shape, with the info of the last."""
    loaded = [load_network(path) for path in paths]
    network, info = loaded[-1]
    states = [other.state_dict() for other, _ in loaded]
    mean = {name: torch.stack([s[name].double() for s in states]).mean(0).to(v.dtype) for name, v in states[-1].items()}
    network.load_state_dict(mean)
    return network, info


def with_body(network: IlluResSfSNet, info: WeightsInfo, path: Path) -> tuple[IlluResSfSNet, WeightsInfo]:
    """The network with the body of another one, which it contains; its info names the data of both.

    The body may have a tint that the network had not.
    """
    body, about = load_network(path)
    config = replace(info.config, tint=about.config.tint)
    if not (config.fine_width and replace(config, size=about.config.size, fine_width=0) == about.config):
        sys.exit(f"{path}: weights of {about.config} are no body of {info.config}")
    joined = IlluResSfSNet(config).eval()
    joined.load_state_dict(joined.state_dict() | network.state_dict() | body.state_dict())
    data = f"body: {about.data}; thin level: {info.data.rpartition('thin level: ')[2]}"
    return joined, replace(info, config=config, data=data)


FIGURES = (
    "normal_deg",
    "normal_median_deg",
    "normal_untilted_deg",
    "normal_eyes_deg",
    "coverage_pct",
    "albedo_rel",
    "albedo_corr",
    "albedo_drift_contrast",
    "light_shading_rel",
    "relit_psnr_db",
    "relit_ssim",
)
# What must be better than the weights that are there, and whether less (1) or more (-1) is; none that flatness wins.
BETTER = {"normal_deg": 1, "albedo_rel": 1, "albedo_corr": -1, "albedo_drift_contrast": 1}


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
