"""Build sdist and wheel and have twine check them: make dist.

Needs no network: setuptools of this environment builds, in a copy of the tree.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "src")


def main(out: Path) -> None:
    """Leave both in `out`; raises CalledProcessError where one is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "illures"
        tree.mkdir()
        for name in NAMES:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, tree / name)
        shutil.rmtree(tree / "src" / "illures.egg-info", ignore_errors=True)
        build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(tree)]
        subprocess.run(build, check=True, timeout=600)
    made = sorted(str(path) for path in out.glob("illures-*") if path.suffix in (".gz", ".whl"))
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *made], check=True, timeout=120)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist")
