"""Peak memory of `illures decompose` and `relight` on a photo of 12 megapixels: python benchmarks/memory.py.

The photo is scikit-image's astronaut (NASA, public domain), blown up. Each figure is of a process of its own;
unlike times, they hold also where other work runs beside it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from skimage.data import astronaut

from processes import measured, write_large
from record import record

COMMANDS = {
    "decompose_png": ["decompose"],
    "decompose_png16": ["decompose", "--format", "png16"],
    "decompose_exr": ["decompose", "--format", "exr"],
    "decompose_exr32": ["decompose", "--format", "exr32"],
    "decompose_exr_split": ["decompose", "--format", "exr", "--exr-layers", "split"],
    "decompose_exr32_split": ["decompose", "--format", "exr32", "--exr-layers", "split"],
    "relight_jpg": ["relight", "--light", "rembrandt"],
}


def main() -> None:
    """Measure each command and record all."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.jpg"
        write_large(path, astronaut())
        for name, (verb, *options) in COMMANDS.items():
            figures[f"{name}_peak_MiB"] = measured([verb, str(path), "-o", f"{folder}/{name}", *options])[1]
    print(figures)
    record("memory", figures)


if __name__ == "__main__":
    main()
