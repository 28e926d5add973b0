"""A command of illures in a process of its own: how long it takes, and its peak memory."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

MEGAPIXELS_12 = (4000, 3000)

_CODE = """
import resource, sys, illures.cli
try: illures.cli.main(sys.argv[1:])
finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measured(arguments: list[str]) -> tuple[float, int]:
    """Seconds, the start of Python included, and MB at the peak.

    Raises:
        subprocess.CalledProcessError: the command failed.
    """
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _CODE, *arguments], check=True, capture_output=True, text=True)
    return round(time.perf_counter() - started, 2), round(int(done.stdout.splitlines()[-1]) / 1024)


def write_large(path: Path, photo: np.ndarray) -> np.ndarray:
    """A photo blown up to 12 megapixels, in a file; returns it."""
    large = cv2.resize(photo, MEGAPIXELS_12, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), large[..., ::-1])
    return large
