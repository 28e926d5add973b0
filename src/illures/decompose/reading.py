"""Open a photo and decompose its faces: the first steps of every command that works on photos."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from illures.decompose.decomposer import Decomposer
from illures.decompose.decomposition import Decomposition
from illures.errors import InputError
from illures.io.decoding import noted
from illures.io.photos import Opened, open_photo
from illures.jobs.photos import Outcome


@dataclass(frozen=True)
class DecomposedPhoto:
    """A photo with its faces.

    Attributes:
        source: its file.
        opened: pixels and alpha.
        faces: at least one, largest first.
        notes: what was converted or is missing; see `io.decoding.note`.
        started: when work on it began [s]; see `outcome`.
    """

    source: Path
    opened: Opened
    faces: list[Decomposition]
    notes: tuple[str, ...]
    started: float

    def outcome(self, target: Path) -> Outcome:
        """The outcome to report once the results are in `target`."""
        seconds = round(time.perf_counter() - self.started, 3)
        return Outcome(str(self.source), str(target), len(self.faces), seconds)


def decomposed_photo(decomposer: Decomposer, source: Path) -> DecomposedPhoto:
    """Open a photo and decompose its faces.

    Raises:
        InputError: the photo can't be read or shows no face.
    """
    started = time.perf_counter()
    with noted() as notes:
        opened = open_photo(source)
    faces = decomposer(opened.photo, name=str(source), alpha=opened.alpha)
    if not faces:
        raise InputError(f"{source}: no face found")
    return DecomposedPhoto(source, opened, faces, tuple(notes), started)
