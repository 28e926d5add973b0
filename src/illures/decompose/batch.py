"""Many photos, one after the other: what a failure of one does to the rest, and what is said about each."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

from illures.decompose import textured_mesh
from illures.decompose.contact_sheet import contact_sheet
from illures.decompose.decomposer import Decomposer
from illures.decompose.folder import (
    OUTPUTS,
    About,
    check_target,
    describe_weights,
    is_done,
    targets,
    write_maps,
    write_photo,
)
from illures.errors import InputError
from illures.io.decoding import noted
from illures.io.formats import Format
from illures.io.photos import open_photo, save_image
from illures.jobs.photos import Outcome, Report, for_each
from illures.jobs.progress import bar


def decompose_all(
    sources: list[Path],
    out: Path,
    report: Report,
    decomposer: Decomposer,
    format: Format,
    crop_only: bool = False,
    skip_existing: bool = False,
    *,
    names: Collection[str] = OUTPUTS,
    single: Path | None = None,
) -> None:
    """Decompose and write each photo; bad ones are reported and the rest still done, unless the disk is full.

    Args:
        sources: the photos.
        out: folder for the results.
        report: is told what became of each.
        decomposer: finds and decomposes the faces.
        format: of the maps.
        crop_only: leave out the maps of the photo's size.
        skip_existing: leave results alone that are there.
        names: of `folder.OUTPUTS`: the maps that are written.
        single: instead of a folder, the one file for one photo: .exr for the maps as layers, else the sheet.
    """
    chosen = targets(sources, out) if single is None else {sources[0]: single}

    def one(source: Path) -> None:
        target = chosen[source]
        if skip_existing and (is_done(target, source) if single is None else single.exists()):
            report.skipped(source, target)
        else:
            report.done(decompose_one(decomposer, source, target, format, crop_only, names, single is not None))

    with bar(len(sources), report.console) as advance:
        for_each(chosen, one, report, advance)


def decompose_one(
    decomposer: Decomposer,
    source: Path,
    target: Path,
    format: Format,
    crop_only: bool = False,
    names: Collection[str] = OUTPUTS,
    single: bool = False,
) -> Outcome:
    """Decompose and write one photo; see `decompose_all`.

    Raises:
        InputError: the photo can't be read or shows no face, or the target can't be written.
    """
    started = time.perf_counter()
    if not single:
        check_target(target)
    elif target.exists() and target.samefile(source):
        raise InputError(f"{target}: is the photo itself; choose another output")
    with noted() as notes:
        opened = open_photo(source)
    photo, alpha = opened.photo, opened.alpha
    faces = decomposer(photo, name=str(source), alpha=alpha)
    if not faces:
        raise InputError(f"{source}: no face found")
    if not single:
        weights = describe_weights(decomposer.predictor.info)
        write_photo(target, source, photo, faces, format, weights, crop_only, names, About(alpha, tuple(notes)))
    elif target.suffix.lower() in textured_mesh.SUFFIXES:
        textured_mesh.write_mesh(target, faces[0].photo_resolution(photo))
    elif format.is_exr:
        write_maps(target.parent, photo, faces, format, names, target.name, alpha)
    else:
        save_image(target, contact_sheet(photo, faces, source.name))
    return Outcome(str(source), str(target), len(faces), round(time.perf_counter() - started, 3))
