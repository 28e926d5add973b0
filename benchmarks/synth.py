"""Speed, memory and size of `illures synth` on this machine, and what the method's two traced sets would take.

    python benchmarks/synth.py [--identities 4] [--hdri DIR] [--ict FILE]

Renders whole people of `expre-syn` and `caric-syn`, one process a core, start-up not counted, and extrapolates to all.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from illures.data.shards import read_views, shard_paths
from illures.synth import generate
from illures.synth.sets import SETS, Recipe
from record import record

NAMES = ("expre-syn", "caric-syn")


def main() -> None:
    """Measure, print, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("ILLURES_DATA")
    parser.add_argument("--identities", type=int, default=4, help="people of each set")
    parser.add_argument("--hdri", type=Path, default=data and Path(data) / "hdri")
    parser.add_argument("--ict", type=Path, default=data and Path(data) / "ict_head_60.npz")
    parser.add_argument("--samples", type=int, help="paths a pixel; default: the recipe's")
    options = parser.parse_args()
    models = ("makehuman",) if options.ict is None else ("makehuman", f"ict={options.ict}")
    figures: dict[str, float] = {"workers": os.cpu_count() or 1}
    minutes = images = 0.0
    for name in NAMES:
        full = SETS[name]()
        few = replace(
            full,
            identities=options.identities,
            identities_per_shard=1,
            models=models,
            hdri=options.hdri,
            samples=options.samples or full.samples,
        )
        seconds, megabytes, peak = _measure(few)
        views = few.views - few.views_per_identity * int(
            figures["workers"]
        )  # the first of each worker starts the clock
        minutes += seconds / views * full.views / 60
        images += full.views * full.lights
        figures |= {
            f"{name} samples a pixel": few.samples,
            f"{name} views/s": round(views / seconds, 3),
            f"{name} images/s": round(views * few.lights / seconds, 2),
            f"{name} kB a sample": round(1000 * megabytes / (few.views * few.lights), 1),
            f"{name} peak MB a worker": round(peak),
        }
    figures |= {"images of both sets": images, "minutes for both sets": round(minutes, 1)}
    for name, value in figures.items():
        print(f"{name:28} {value}")
    record("synth", figures)


def _measure(recipe: Recipe) -> tuple[float, float, float]:
    """Seconds from the first shard of each worker to its last, megabytes on disk, peak megabytes of a worker."""
    with tempfile.TemporaryDirectory() as folder:
        out, times, peak, done = Path(folder), list[float](), [0.0], threading.Event()

        def watch() -> None:
            while not done.wait(0.25):
                while len(times) < len(list(out.glob("*.tar"))):
                    times.append(time.monotonic())
                peak[0] = max(peak[0], *_workers_mb(), 0.0)

        watcher = threading.Thread(target=watch)
        watcher.start()
        generate.generate(recipe, out)
        end = time.monotonic()
        done.set()
        watcher.join()
        while len(times) < recipe.shards:
            times.append(end)
        assert sum(1 for _ in read_views(shard_paths(out))) == recipe.views
        workers = os.cpu_count() or 1
        size = sum(path.stat().st_size for path in shard_paths(out)) / 1e6
        # Means over the workers, so that one that ends later than the others does not count twice.
        return sum(times[-workers:]) / workers - sum(times[:workers]) / workers, size, peak[0]


def _workers_mb() -> list[float]:
    """Resident megabytes of this process's descendants."""
    pages = os.sysconf("SC_PAGE_SIZE") / 1e6
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rsplit(")", 1)[1].split()[1])
            if parent == os.getpid():
                found.append(int((status.parent / "statm").read_text().split()[1]) * pages)
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    return found


if __name__ == "__main__":
    main()
