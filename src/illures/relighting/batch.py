"""Relight several photos under several lights, and write the results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from illures.decompose.decomposer import Decomposer
from illures.decompose.reading import decomposed_photo
from illures.errors import InputError
from illures.io.inputs import check_not_source, folder_for_each
from illures.io.photos import save_with_bits
from illures.jobs.photos import Outcome, Report, each_photo
from illures.relighting.composite import Background, PhotoRelighter
from illures.relighting.sources import Source
from illures.relighting.surface import Residual

Kind = Literal["jpg", "png", "png16", "exr"]


@dataclass(frozen=True)
class Job:
    """The work for each photo; see `relight_photo`.

    Attributes:
        lights: by file name.
        stops: exposure of the new light against the old.
        kind: "jpg" and "png" have 8 bits, "png16" has 16, "exr" half floats.
        strength: of the change.
        shadows: let faces cast shadows on themselves.
        single: the output file, for one photo under one light; its suffix selects the format. None: folders.
    """

    lights: Mapping[str, Source]
    residual: Residual = "recompute"
    background: Background = "keep"
    stops: float = 0.0
    kind: Kind = "jpg"
    strength: float = 1.0
    shadows: bool = True
    single: Path | None = None

    def files(self, folder: Path) -> dict[str, Path]:
        """The file of each light."""
        if self.single is not None:
            return dict.fromkeys(self.lights, self.single)
        suffix = "." + self.kind.removesuffix("16")
        return {name: folder / (name + suffix) for name in self.lights}

    @property
    def deep(self) -> bool:
        """Whether the output needs finer steps than 8 bits."""
        suffix = self.single.suffix.lower() if self.single is not None else ""
        return self.kind in ("png16", "exr") or suffix == ".exr"


def relight_all(
    sources: list[Path],
    out: Path,
    report: Report,
    decomposer: Decomposer,
    job: Job,
    skip_existing: bool = False,
    workers: int | None = None,
) -> None:
    """Relight and write each photo, several at a time; after an error the others go on, unless the disk is full."""
    chosen = folder_for_each(sources, out)

    def one(source: Path) -> Outcome:
        files = job.files(chosen[source])
        if skip_existing:
            files = {name: path for name, path in files.items() if not path.exists()}
        target = job.single or chosen[source]
        if not files:
            return Outcome(str(source), str(target), skipped=True)
        return relight_one(decomposer, source, target, files, job)

    each_photo(chosen, one, report, workers)


def relight_one(decomposer: Decomposer, source: Path, target: Path, files: Mapping[str, Path], job: Job) -> Outcome:
    """Relight and write one photo.

    Args:
        decomposer: finds and decomposes the faces.
        source: the photo.
        target: the folder that is made for its pictures, or the one file.
        files: where the picture under each light goes.
        job: what is to be done.

    Raises:
        InputError: the photo can't be read or shows no face, or a picture can't be written.
    """
    check_not_source(source, files.values(), target)
    read = decomposed_photo(decomposer, source)
    photo, faces = read.opened.photo, read.faces
    if job.deep and photo.dtype == np.uint8:
        photo = photo.astype(np.uint16) * np.uint16(257)  # the new light needs finer steps than the photo has
    relighter = PhotoRelighter(
        photo,
        faces,
        residual=job.residual,
        background=job.background,
        strength=job.strength,
        shadows=job.shadows,
    )
    folder = target.parent if job.single else target
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: can't be made ({error.strerror})") from error
    for name, path in files.items():
        relit = relighter(job.lights[name].on(faces[0], job.stops))
        save_with_bits(path, relit, 16 if job.kind == "png16" else 8, read.opened.alpha)
    return read.outcome(target)
