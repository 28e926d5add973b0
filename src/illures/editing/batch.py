"""Several photos under the same edit: what is written where, and what a failure does to the rest."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from illures.decompose.decomposer import Decomposer
from illures.decompose.decomposition import Decomposition
from illures.editing.edit import apply_albedo, apply_normal, evenly_lit, retouched, toned
from illures.editing.retouch import Retouch
from illures.errors import InputError
from illures.io.photos import Photo, as_float, open_photo, save_image
from illures.jobs.photos import Outcome, Report, for_each
from illures.jobs.progress import bar


@dataclass(frozen=True)
class Edit:
    """What is to be changed, in this order.

    Attributes:
        albedo: file of an edited albedo map.
        normal: file of an edited normal map.
        steps: of `editing.retouch`.
        skin_tone_deg: shift of the individual typology angle.
        even_light: share of the difference between directions that goes.
    """

    albedo: Path | None = None
    normal: Path | None = None
    steps: tuple[Retouch, ...] = ()
    skin_tone_deg: float = 0.0
    even_light: float = 0.0

    def __call__(self, photo: Photo, faces: list[Decomposition]) -> Photo:
        """The edited photo; raises an InputError where an edited map does not fit it."""
        if self.albedo is not None:  # first: its maps are those of the photo as it was
            photo = apply_albedo(photo, faces, self.albedo)
        if self.normal is not None:
            photo = apply_normal(photo, faces, self.normal)
        if self.steps:
            photo = retouched(photo, faces, list(self.steps))
        if self.skin_tone_deg:
            photo = toned(photo, faces, self.skin_tone_deg)
        return evenly_lit(photo, faces, self.even_light) if self.even_light else photo


def edit_all(
    targets: Mapping[Path, Path],
    report: Report,
    decomposer: Decomposer,
    edit: Edit,
    deep: bool = False,
    skip_existing: bool = False,
) -> None:
    """Edit and write each photo; bad ones are reported and the rest still done, unless the disk is full.

    Args:
        targets: the file of each photo.
        report: is told what became of each.
        decomposer: finds and decomposes the faces.
        edit: what is changed.
        deep: write 16 bits; photos of 16 bits keep them anyway, where the file can hold them.
        skip_existing: leave files alone that are there.
    """

    def one(source: Path) -> None:
        target = targets[source]
        if skip_existing and target.exists():
            report.skipped(source, target)
        else:
            report.done(_edit_one(decomposer, source, target, edit, deep))

    with bar(len(targets), report.console) as advance:
        for_each(targets, one, report, advance)


def _edit_one(decomposer: Decomposer, source: Path, target: Path, edit: Edit, deep: bool) -> Outcome:
    started = time.perf_counter()
    if target.exists() and target.samefile(source):
        raise InputError(f"{target}: is the photo itself; choose another output")
    opened = open_photo(source)
    photo = opened.photo
    faces = decomposer(photo, name=str(source), alpha=opened.alpha)
    if not faces:
        raise InputError(f"{source}: no face found")
    edited = edit(photo, faces)
    bits = 16 if deep or (edited.dtype == np.uint16 and target.suffix.lower() in (".png", ".tif", ".tiff")) else 8
    save_image(target, edited if edited.dtype == np.dtype(f"uint{bits}") else as_float(edited), bits, opened.alpha)
    return Outcome(str(source), str(target), len(faces), round(time.perf_counter() - started, 3))
