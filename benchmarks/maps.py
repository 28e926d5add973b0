"""Files, bytes and CPU time a photo of `illures decompose`, by `--maps`: python benchmarks/maps.py FOLDER.

Runs take turns, on one core and with one photo at a time, so that other work slows all alike. The CPU time is the
median over the turns.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from record import record

TURNS = 3
CHOICES: dict[str, list[str]] = {"default": [], "all": ["--maps", "all"], "albedo": ["--maps", "albedo"]}


def main() -> None:
    """Measure and record."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    folder = sys.argv[1]
    runs = [{name: run(folder, options) for name, options in CHOICES.items()} for _ in range(TURNS)]
    figures: dict[str, object] = {"turns": TURNS, "photos": next(iter(runs[0].values()))["photos"]}
    for name in CHOICES:
        figures[name] = {
            "files_per_photo": round(runs[0][name]["files"], 1),
            "megabytes_per_photo": round(runs[0][name]["bytes"] / 1e6, 2),
            "cpu_s_per_photo": round(statistics.median(turn[name]["cpu_s"] for turn in runs), 3),
        }
    print(figures)
    record("maps", figures)


def run(folder: str, options: list[str]) -> dict[str, float]:
    """One run: photos, and files, bytes and CPU seconds of each."""
    with tempfile.TemporaryDirectory() as out:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "illures", "decompose", folder, "-o", out, "--workers", "1", *options]
        subprocess.run(command, capture_output=True)  # photos without a face are left out
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        files = [path for path in Path(out).rglob("*") if path.is_file()]
        photos = len(list(Path(out).iterdir()))
        size = sum(path.stat().st_size for path in files)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"photos": photos, "files": len(files) / photos, "bytes": size / photos, "cpu_s": cpu / photos}


if __name__ == "__main__":
    main()
