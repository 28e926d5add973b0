"""Figures of the weights in the package on the photo in the package, which hold on any CPU.

`make figures` (python tests/stored_figures.py) renews them where the weights have changed.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from illures import Decomposer
from illures.model.weights import FAST, FINE, packaged, read_weights

STORED = Path(__file__).parent / "stored_figures.json"
PHOTO = Path(__file__).parents[1] / "src" / "illures" / "assets" / "astronaut.jpg"
MAPS = ("albedo", "normal", "shading", "residual")
GRID = 8


def shipped() -> dict[str, str]:
    """The hash of each weights file of the package."""
    return {name: read_weights(name).info.hash for name in (FAST, FINE) if packaged(name).is_file()}


def measured(name: str) -> dict[str, list[float]]:
    """Means of the four maps over the squares of a grid, of the face as these weights see it."""
    from illures.io.photos import read_photo

    (face,) = Decomposer.from_pretrained(name)(read_photo(PHOTO))
    found = {}
    for each in MAPS:
        values = getattr(face, each)
        side = len(values) // GRID
        means = values.reshape(GRID, side, GRID, side, 3).mean(axis=(1, 3), dtype=np.float64)
        found[each] = np.round(means, 5).ravel().tolist()
    return found


def main() -> None:
    """Measure and store."""
    content = {name: {"hash": hash, "means": measured(name)} for name, hash in shipped().items()}
    STORED.write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
