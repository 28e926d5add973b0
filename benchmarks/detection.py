"""Detection: in how many photos of faces a face is found, and how long the steps take.

python benchmarks/detection.py --data "$ILLURES_DATA"
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from skimage.data import astronaut

from illures.faces import crop_face, extract, face_mask, find_faces, mesh_normals, to_crop
from illures.io.photos import read_photo
from record import record


def main() -> None:
    """Measure, print, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("ILLURES_DATA"), help="folder with photos/")
    options = parser.parse_args()
    if options.data is None:
        parser.error("give --data or set ILLURES_DATA")
    with (options.data / "photos.tsv").open() as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    missed, faces, expected = [], 0, 0
    for row in rows:
        found = find_faces(read_photo(options.data / "photos" / row["file"]))
        faces += len(found)
        expected += _faces_in(row["note"])
        if not found:
            missed.append(row["file"])
    rate = 100 * (1 - len(missed) / len(rows))
    print(f"a face found in {rate:.1f} % of {len(rows)} photos; {faces} faces of {expected}; missed: {missed}")
    figures: dict[str, Any] = {"photos": len(rows), "found_percent": rate, "faces": faces, "faces_noted": expected}
    record("detection", {**figures, "missed": missed, "milliseconds": _timings()})


def _faces_in(note: str) -> int:
    """How many faces the table's note speaks of: "3 faces", else one."""
    words = note.replace(";", " ").split()
    return int(words[words.index("faces") - 1]) if "faces" in words else 1


def _timings() -> dict[str, float]:
    """Median time of each step on one face in a photo of 512 × 512 [ms]."""
    photo = astronaut()
    face = find_faces(photo)[0]
    crop = crop_face(face, photo.shape[:2])
    image, points = extract(photo, crop).astype(np.float32) / 255, to_crop(face.landmarks, crop)
    steps: dict[str, Callable[[], object]] = {
        "find faces": lambda: find_faces(photo),
        "extract crop": lambda: extract(photo, crop),
        "mesh normals": lambda: mesh_normals(points, 128),
        "mask": lambda: face_mask(image, points),
    }
    return {name: _median_ms(step) for name, step in steps.items()}


def _median_ms(step: Callable[[], object], repeats: int = 30) -> float:
    times = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - start))
    return round(float(np.median(times[3:])), 2)


if __name__ == "__main__":
    main()
