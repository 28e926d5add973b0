"""Keep a measured figure with what made it: command, date, commit, machine."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def record(name: str, figures: dict[str, Any]) -> Path:
    """Write benchmarks/results/`name`.json and say where it is. Names of figures end in their unit."""
    script = Path(sys.argv[0]).resolve().relative_to(RESULTS.parent.parent)
    # Where things lie on this machine is nobody's business: absolute paths keep their last part alone.
    arguments = [re.sub(r"(?<![^=,])/[^=,]*/", "…/", a) for a in sys.argv[1:]]
    command = " ".join(["python", str(script), *(shlex.quote(a) for a in arguments)])
    content = {
        "command": command,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": machine(),
        "figures": figures,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(path.relative_to(RESULTS.parent.parent))
    return path


def machine() -> str:
    """CPU, cores that may be used, memory, and the versions that matter."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    packages = f"onnxruntime {version('onnxruntime')}"
    return f"{cpu}, {cores} cores, {memory:.0f} GiB, Python {platform.python_version()}, {packages}"


def commit() -> str:
    """Short hash, with + where the tree has changes; "unknown" outside a repository."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=RESULTS.parent, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
