"""Decompose many photos, and write the results of each."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from illures.decompose import textured_mesh
from illures.decompose.contact_sheet import contact_sheet
from illures.decompose.decomposer import Decomposer
from illures.decompose.folder import (
    About,
    check_target,
    describe_weights,
    is_done,
    targets,
    write_photo,
)
from illures.decompose.map_files import DEFAULT, write_maps
from illures.decompose.reading import decomposed_photo
from illures.io.formats import Format
from illures.io.inputs import check_not_source
from illures.io.photos import save_image
from illures.jobs.photos import Outcome, Report, each_photo


def decompose_all(
    sources: list[Path],
    out: Path,
    report: Report,
    decomposer: Decomposer,
    format: Format,
    crop_only: bool = False,
    skip_existing: bool = False,
    *,
    names: Collection[str] = DEFAULT,
    single: Path | None = None,
    workers: int | None = None,
) -> None:
    """Decompose and write each photo, several at a time; after an error the others go on, unless the disk is full.

    Args:
        sources: the photos.
        out: folder for the results.
        report: receives the outcome of each.
        decomposer: finds and decomposes the faces.
        format: of the maps.
        crop_only: write only the maps of the crops.
        skip_existing: skip photos whose results exist.
        names: of `map_files.OUTPUTS`: what is written.
        single: instead of a folder, the one file for one photo: .exr for the maps as layers, else the sheet.
        workers: largest number of photos at a time; None: one a core, as far as the memory goes.
    """
    chosen = targets(sources, out) if single is None else {sources[0]: single}

    def compute(source: Path) -> Outcome:
        target = chosen[source]
        if skip_existing and (is_done(target, source) if single is None else single.exists()):
            return Outcome(str(source), str(target), skipped=True)
        return decompose_one(decomposer, source, target, format, crop_only, names, single is not None)

    each_photo(chosen, compute, report, workers)


def decompose_one(
    decomposer: Decomposer,
    source: Path,
    target: Path,
    format: Format,
    crop_only: bool = False,
    names: Collection[str] = DEFAULT,
    single: bool = False,
) -> Outcome:
    """Decompose and write one photo; see `decompose_all`.

    Raises:
        InputError: the photo can't be read or shows no face, or the target can't be written.
    """
    if single:
        check_not_source(source, [target], target)
    else:
        check_target(target)
    read = decomposed_photo(decomposer, source)
    photo, alpha, faces = read.opened.photo, read.opened.alpha, read.faces
    if not single:
        weights = describe_weights(decomposer.predictor.info)
        write_photo(target, source, photo, faces, format, weights, crop_only, names, About(alpha, read.notes))
    elif target.suffix.lower() in textured_mesh.SUFFIXES:
        textured_mesh.write_mesh(target, faces[0].photo_resolution(photo))
    elif format.is_exr:
        write_maps(target.parent, photo, faces, format, names, target.name, alpha)
    else:
        save_image(target, contact_sheet(photo, faces, source.name))
    return read.outcome(target)
