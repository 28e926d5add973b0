"""Puts the browser demo together: its page, the network as ONNX, and onnxruntime-web from npm.

    python scripts/browser_demo.py out/site/browser

The folder is plain files for any web server. onnxruntime-web (MIT, 14 MB) is not in this repository; `npm pack` fetches
the version below, and checks its hash.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from illures.model.weights import FAST, read_weights

ROOT = Path(__file__).parents[1]
ORT_WEB = "onnxruntime-web@1.30.0"
_ORT_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def build(target: Path, weights: Path | str = FAST) -> None:
    """Fill a folder; `weights` are those of 128 px of the package by default.

    Raises:
        FileNotFoundError: there is no npm.
        subprocess.CalledProcessError: npm can't fetch the package.
    """
    from illures.model.onnxfile import write_onnx

    target.mkdir(parents=True, exist_ok=True)
    for path in (ROOT / "docs" / "browser").iterdir():
        shutil.copy(path, target)
    # The page's equations are the studio's.
    shutil.copy(ROOT / "src" / "illures" / "web" / "static" / "js" / "sh.js", target)
    write_onnx(target / "model.onnx", read_weights(weights))
    _fetch(target / "ort")


def _fetch(target: Path) -> None:
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", ORT_WEB], cwd=folder, check=True, capture_output=True)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as tar:
            for name in _ORT_FILES:
                member = tar.extractfile(f"package/dist/{name}")
                assert member is not None
                (target / name).write_bytes(member.read())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {Path(__file__).name} FOLDER")
    build(Path(sys.argv[1]))
