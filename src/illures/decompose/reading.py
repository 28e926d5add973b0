"""Open a photo and decompose its faces: the first steps of every command that works on photos."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from illures.decompose.decomposer import Decomposer
from illures.decompose.decomposition import Decomposition
from illures.errors import InputError
from illures.io.decoding import noted
from illures.io.photos import Opened, Photo, as_float, open_photo, save_image
from illures.jobs.photos import Outcome, Report, for_each
from illures.jobs.prefetch import prefetched, threads_for
from illures.jobs.progress import bar


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
        """What to report once the results are in `target`."""
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


def check_not_source(source: Path, outputs: Iterable[Path], target: Path) -> None:
    """Raise an InputError that names `target` if one of the outputs is the photo itself."""
    if any(path.exists() and path.samefile(source) for path in outputs):
        raise InputError(f"{target}: is the photo itself; choose another output")


def save_with_bits(path: Path, photo: Photo, bits: int, alpha: Float[np.ndarray, "height width"] | None) -> None:
    """Write a photo as it is if it has `bits` bits, else rounded to them; see `io.photos.save_image`."""
    save_image(path, photo if photo.dtype == np.dtype(f"uint{bits}") else as_float(photo), bits, alpha)


def each_photo(
    sources: Collection[Path], work: Callable[[Path], Outcome], report: Report, workers: int | None = None
) -> None:
    """Work on photos, several at a time, and show progress; after an error the others go on, unless the disk is full.

    Args:
        sources: the photos.
        work: on a photo; safe to call from several threads.
        report: receives the outcome of each, in the order of the photos.
        workers: largest number of photos at a time; None: one a core, as far as the memory goes.
    """
    threads = threads_for(len(sources), workers)
    with prefetched(work, sources, threads) as result, bar(len(sources), report.console) as advance:
        for_each(sources, lambda source: report.done(result(source)), report, advance)
