"""What `pip install .` adds to an empty virtual environment: python benchmarks/install_size.py [EXTRA ...].

Bytes of all files, links not followed, with the byte code that pip compiles; MB are 10^6 bytes.
Disk blocks as well, as `du` counts them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from record import record

ROOT = Path(__file__).parents[1]


def main(extras: list[str]) -> None:
    """Install, measure, record."""
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "venv"
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        before = sizes(environment)
        names = f"[{','.join(extras)}]" if extras else ""
        subprocess.run([environment / "bin" / "pip", "install", "-q", f"{ROOT}{names}"], check=True)
        after = sizes(environment)
    added = {part: after[part] - before[part] for part in after}
    parts = [(name, n) for name, n in added.items() if name not in ("all", "blocks")]
    largest = sorted(parts, key=lambda part: -part[1])[:12]
    figures = {
        "extras": extras,
        "added_MB": round(added["all"] / 1e6, 1),
        "added_blocks_MB": round(added["blocks"] / 1e6, 1),
        "largest_MB": {name: round(n / 1e6, 1) for name, n in largest},
    }
    record("install-size" + "".join(f"-{extra}" for extra in extras), figures)


def sizes(environment: Path) -> Counter[str]:
    """Bytes of each part of site-packages, of "all" files, and of their "blocks" on disk."""
    counted: Counter[str] = Counter()
    for folder, _, files in os.walk(environment):
        for name in files:
            path = Path(folder) / name
            status = path.lstat()
            counted["all"] += status.st_size
            counted["blocks"] += status.st_blocks * 512
            inside = path.relative_to(environment).parts
            if "site-packages" in inside:
                counted[inside[inside.index("site-packages") + 1]] += status.st_size
    return counted


if __name__ == "__main__":
    main(sys.argv[1:])
