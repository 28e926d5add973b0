"""Speed and memory of `Decomposer` and of `illures decompose`: python benchmarks/decompose.py [PHOTO] [--weights FILE].

The default photo is scikit-image's astronaut (NASA, public domain). Each figure is taken in a fresh process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from processes import measured, write_large
from record import record


def main() -> None:
    """Measure everything and record it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", nargs="?", type=Path, help="a photo with one face")
    parser.add_argument("--weights", type=Path, help="default: those in the package")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(STEPS[options.only](options)))
        return
    figures: dict[str, Any] = {"threads": options.threads}
    for step in STEPS:
        command = [sys.executable, __file__, *sys.argv[1:], "--only", step]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures |= json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(figures, indent=2))
    record("decompose", figures)


def load(options: argparse.Namespace) -> dict[str, float]:
    """Import and model load, as a script begins."""
    started = time.perf_counter()
    from illures import Decomposer

    Decomposer.from_pretrained(options.weights)
    return {"import_and_load_s": round(time.perf_counter() - started, 2)}


def face(options: argparse.Namespace) -> dict[str, Any]:
    """One photo with one face, from decoded photo to the four maps."""
    import cv2
    import numpy as np

    from illures import Decomposer
    from illures.faces import CONTEXT

    cv2.setNumThreads(options.threads)
    photo = _photo(options)
    decomposer = Decomposer.from_pretrained(options.weights)
    found = decomposer(photo)
    whole = _milliseconds(lambda: decomposer(photo), options.runs)
    images = np.zeros((len(found), decomposer.size, decomposer.size, 3), np.float32)
    contexts = np.zeros((len(found), CONTEXT, CONTEXT, 4), np.float32)
    network = _milliseconds(lambda: decomposer.predictor(images, images, contexts), options.runs)
    finder = _milliseconds(lambda: decomposer.find_faces(photo), options.runs)
    return {
        "photo_px": f"{photo.shape[1]} x {photo.shape[0]}",
        "faces": len(found),
        "photo_to_maps_ms": whole,
        "of_which_network_ms": network,
        "of_which_finding_ms": finder,
        "photo_resolution_ms": _milliseconds(lambda: found[0].photo_resolution(photo), 5),
    }


def large(options: argparse.Namespace) -> dict[str, float]:
    """`illures decompose` on a 12-megapixel JPEG in each format: time, and the process's peak memory."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.jpg"
        write_large(path, _photo(options))
        weights = ["--weights", str(options.weights)] if options.weights else []
        for name in ("png", "png16", "exr"):
            found = measured(["decompose", str(path), "-o", folder, "--format", name, *weights])
            figures[f"12_megapixels_{name}_s"], figures[f"12_megapixels_{name}_peak_mb"] = found
    return figures


STEPS = {"load": load, "face": face, "large": large}


def _photo(options: argparse.Namespace) -> Any:
    if options.photo:
        from illures.io.photos import read_photo

        return read_photo(options.photo)
    from skimage.data import astronaut

    return astronaut()


def _milliseconds(call: Any, runs: int) -> float:
    """Median over runs, after two to warm up."""
    times = []
    for _ in range(runs + 2):
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(times[2:]), 1)


if __name__ == "__main__":
    main()
