"""`illures decompose`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from illures.cli.app import BAD_INPUT, OK, Flag, app
from illures.errors import InputError


@app.command
def decompose(
    photos: list[Path],
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    format: Literal["png", "png16", "exr"] = "png",
    json: Annotated[bool, Flag] = False,
    weights: Path | None = None,
    size: int | None = None,
    crop_only: Annotated[bool, Flag] = False,
    maps: str | None = None,
    recursive: Annotated[bool, Flag] = False,
    skip_existing: Annotated[bool, Flag] = False,
) -> int:
    """Decompose every face in every photo.

    Each photo gets the folder OUTPUT/NAME: maps of the photo's size, sheet.png to look at, and for each face a folder
    (face-1, face-2, ...) of maps of the crop's size with light.json, probe.png and face.json.

    Parameters
    ----------
    photos
        Photos, or folders of photos.
    output
        Folder for the results; made where it is missing.
    format
        png: 8 bits, to look at; png16 and exr: to compute with.
    json
        Print one line of JSON for each photo instead of words.
    weights
        A weights file instead of those of the package.
    size
        Side of the crop in pixels; default: what the network was trained on.
    crop_only
        Leave out the maps of the photo's size, which take most of the time.
    maps
        Write these maps alone, such as albedo,normal; default: albedo, normal, shading, residual, reconstruction, mask,
        matte (the person, soft) and regions (what each pixel shows; legend in photo.json).
    recursive
        Search the subfolders of folders, too.
    skip_existing
        Leave photos alone whose results are there already.
    """
    from illures.files import check_writable
    from illures.inputs import expand

    check_writable(output)
    sources, problems = expand(photos, recursive)
    names = _map_names(maps)

    from illures.batch import Report, decompose_all
    from illures.decompose import Decomposer
    from illures.formats import Format

    report = Report(json, len(sources) + len(problems))
    for path, problem in problems:
        report.failed(path, problem)
    if sources:
        decompose_all(
            sources,
            output,
            report,
            Decomposer.from_pretrained(weights, size),
            Format(format),
            crop_only,
            skip_existing,
            names,
        )
    return OK if report.summary() else BAD_INPUT


def _map_names(maps: str | None) -> tuple[str, ...]:
    from illures.output import OUTPUTS

    if maps is None:
        return OUTPUTS
    names = tuple(name.strip() for name in maps.split(","))
    for name in names:
        if name not in OUTPUTS:
            raise InputError(f"--maps {maps}: {name!r} is none of {', '.join(OUTPUTS)}")
    return names
