"""Several photos under several lights: what is written where, and what a failure does to the rest."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from illures.decompose.decomposer import Decomposer
from illures.errors import InputError
from illures.io.photos import Photo, as_float, open_photo, save_image
from illures.jobs.photos import Outcome, Report, for_each
from illures.jobs.progress import bar
from illures.relighting.composite import PhotoRelighter
from illures.relighting.relight import Background, Residual
from illures.relighting.sources import Source

Kind = Literal["jpg", "png", "png16", "exr"]


@dataclass(frozen=True)
class Job:
    """What is to be done with each photo; see `relight_photo`.

    Attributes:
        lights: by file name.
        stops: exposure of the new light against the old.
        kind: "jpg" and "png" have 8 bits, "png16" has 16, "exr" half floats.
        strength: of the change.
        shadows: let faces cast shadows on themselves.
        single: the one file of one photo under one light, whose suffix says the format; None for folders.
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
        """Whether the new light is to have finer steps than 8 bits."""
        suffix = self.single.suffix.lower() if self.single is not None else ""
        return self.kind in ("png16", "exr") or suffix == ".exr"


def relight_all(
    sources: list[Path], out: Path, report: Report, decomposer: Decomposer, job: Job, skip_existing: bool = False
) -> None:
    """Relight and write each photo; bad ones are reported and the rest still done, unless the disk is full."""
    chosen = folders(sources, out)

    def one(source: Path) -> None:
        files = job.files(chosen[source])
        if skip_existing:
            files = {name: path for name, path in files.items() if not path.exists()}
        target = job.single or chosen[source]
        if files:
            report.done(relight_one(decomposer, source, target, files, job))
        else:
            report.skipped(source, target)

    with bar(len(sources), report.console) as advance:
        for_each(chosen, one, report, advance)


def folders(sources: list[Path], out: Path) -> dict[Path, Path]:
    """One folder for each photo: the file's stem, or its whole name where two photos share a stem."""
    stems = [source.stem.casefold() for source in sources]
    chosen: dict[Path, Path] = {}
    taken: set[str] = set()
    for source, stem in zip(sources, stems, strict=True):
        name = source.stem if stems.count(stem) == 1 else source.name
        number = 2
        while name.casefold() in taken:
            name, number = f"{source.name}-{number}", number + 1
        taken.add(name.casefold())
        chosen[source] = out / name
    return chosen


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
    started = time.perf_counter()
    if any(path.exists() and path.samefile(source) for path in files.values()):
        raise InputError(f"{target}: is the photo itself; choose another output")
    opened = open_photo(source)
    photo = opened.photo
    faces = decomposer(photo, name=str(source), alpha=opened.alpha)
    if not faces:
        raise InputError(f"{source}: no face found")
    if job.deep and photo.dtype == np.uint8:
        photo = photo.astype(np.uint16) * np.uint16(257)  # the new light needs finer steps than the old photo had
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
        _save(path, relighter(job.lights[name].on(faces[0], job.stops)), job.kind, opened.alpha)
    return Outcome(str(source), str(target), len(faces), round(time.perf_counter() - started, 3))


def _save(path: Path, photo: Photo, kind: Kind, alpha: Float[np.ndarray, "height width"] | None) -> None:
    bits = 16 if kind == "png16" else 8
    save_image(path, photo if photo.dtype == np.dtype(f"uint{bits}") else as_float(photo), bits, alpha)
