"""Apply the same edit to several photos, and write the results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from illures.decompose.decomposer import Decomposer
from illures.decompose.decomposition import Decomposition
from illures.decompose.reading import decomposed_photo
from illures.editing.edit import apply_albedo, apply_normal, evenly_lit, retouched, toned
from illures.editing.retouch import Retouch
from illures.io.formats import Normals, NormalSpace
from illures.io.inputs import check_not_source
from illures.io.photos import Photo, save_with_bits
from illures.jobs.photos import Outcome, Report, each_photo


@dataclass(frozen=True)
class Edit:
    """The changes, in this order.

    Attributes:
        albedo: file of an edited albedo map.
        normal: file of an edited normal map.
        normals: how that file holds y; see `io.formats.Format`.
        normal_space: frame of its normals.
        steps: of `editing.retouch`.
        skin_tone_deg: shift of the individual typology angle.
        even_light: how far differences between directions of light are removed, in [0, 1].
    """

    albedo: Path | None = None
    normal: Path | None = None
    normals: Normals = "opengl"
    normal_space: NormalSpace = "camera"
    steps: tuple[Retouch, ...] = ()
    skin_tone_deg: float = 0.0
    even_light: float = 0.0

    def __call__(self, photo: Photo, faces: list[Decomposition]) -> Photo:
        """The edited photo; raises an InputError where an edited map does not fit it."""
        if self.albedo is not None:  # first, as its maps are those of the original photo
            photo = apply_albedo(photo, faces, self.albedo)
        if self.normal is not None:
            photo = apply_normal(photo, faces, self.normal, self.normals, self.normal_space)
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
    workers: int | None = None,
) -> None:
    """Edit and write each photo, several at a time; after an error the others go on, unless the disk is full.

    Args:
        targets: the output file of each photo.
        report: receives the outcome of each.
        decomposer: finds and decomposes the faces.
        edit: the changes.
        deep: write 16 bits; photos of 16 bits keep them anyway, if the format allows.
        skip_existing: skip files that exist.
        workers: largest number of photos at a time; None: one a core, as far as the memory goes.
    """

    def one(source: Path) -> Outcome:
        target = targets[source]
        if skip_existing and target.exists():
            return Outcome(str(source), str(target), skipped=True)
        return _edit_one(decomposer, source, target, edit, deep)

    each_photo(targets, one, report, workers)


def _edit_one(decomposer: Decomposer, source: Path, target: Path, edit: Edit, deep: bool) -> Outcome:
    check_not_source(source, [target], target)
    read = decomposed_photo(decomposer, source)
    edited = edit(read.opened.photo, read.faces)
    bits = 16 if deep or (edited.dtype == np.uint16 and target.suffix.lower() in (".png", ".tif", ".tiff")) else 8
    save_with_bits(target, edited, bits, read.opened.alpha)
    return read.outcome(target)
