"""Photos a second of `illures decompose FOLDER`, and where the CPU time goes: python benchmarks/folder.py FOLDER.

The command runs as a user runs it, on all cores that may be used. The wall time holds only on a quiet machine, so the
load is recorded, too; CPU seconds hold better. A second run with one thread is profiled, by that thread's CPU time.
"""

from __future__ import annotations

import cProfile
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from record import record

# Functions that are profiled, by file and name; each stage is without the stages inside it.
STAGES = {
    "maps of the photo's size": ("photo_maps.py", "photo_maps"),
    "reading": ("photos.py", "open_photo"),
    "finding faces": ("landmarks.py", "find_faces"),
    "network": ("predictor.py", "__call__"),
    "contact sheet": ("contact_sheet.py", "contact_sheet"),
    "encoding PNG": ("png.py", "png"),
}


def main() -> None:
    """Measure and record."""
    if len(sys.argv) == 3 and sys.argv[1] == "--profile":
        print(json.dumps(profiled(Path(sys.argv[2]))))
        return
    folder = Path(sys.argv[1])
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as out:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        command = [sys.executable, "-m", "illures", "decompose", str(folder), "-o", out, "--json"]
        done = subprocess.run(command, capture_output=True, text=True)
        wall = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    photos = sum(json.loads(line)["error"] is None for line in done.stdout.splitlines())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    command = [sys.executable, __file__, "--profile", str(folder)]
    stages = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    figures = {
        "photos": photos,
        "cores": len(os.sched_getaffinity(0)),
        "load_of_other_work": round(load, 1),
        "wall_s": round(wall, 1),
        "photos_per_s": round(photos / wall, 2),
        "cpu_s_per_photo": round(cpu / photos, 3),
        "photos_per_cpu_s": round(photos / cpu, 2),
        "cpu_ms_per_photo_by_stage": stages,
    }
    print(json.dumps(figures, indent=2))
    record("folder", figures)


def profiled(folder: Path) -> dict[str, Any]:
    """CPU milliseconds a photo of each stage, with one thread."""
    import cv2

    from illures.decompose import batch
    from illures.decompose.decomposer import Decomposer
    from illures.io.formats import Format
    from illures.io.inputs import expand
    from illures.jobs.photos import Report

    cv2.setNumThreads(1)
    sources, _ = expand([folder], False)
    decomposer = Decomposer.from_pretrained()
    profile = cProfile.Profile(time.thread_time)
    with tempfile.TemporaryDirectory() as out:
        report = Report(True, len(sources))
        profile.runcall(batch.decompose_all, sources, Path(out), report, decomposer, Format("png"), workers=1)
    functions = {(Path(key[0]).name, key[2]): value for key, value in pstats.Stats(profile).stats.items()}  # type: ignore[attr-defined]
    total = functions["batch.py", "decompose_all"][3]
    seconds = {stage: functions[key][3] for stage, key in STAGES.items()}
    seconds["the rest: crops, light, masks, files"] = total - sum(seconds.values())
    return {stage: round(1000 * value / len(sources)) for stage, value in seconds.items()}


if __name__ == "__main__":
    main()
