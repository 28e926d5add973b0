"""`illures edit`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from illures.cli.app import BAD_INPUT, OK, app
from illures.cli.options import (
    FaceOptions,
    Json,
    NormalOptions,
    Output,
    Recursive,
    SkipExisting,
    Weights,
    Workers,
    check_workers,
    reported,
)
from illures.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from illures.editing.batch import Edit


@app.command
def edit(
    photos: list[Path],
    /,
    *,
    output: Output,
    albedo: Path | None = None,
    normal: Path | None = None,
    normals: NormalOptions = NormalOptions(),  # noqa: B008 (frozen)
    lipstick: str | None = None,
    blush: str | None = None,
    remove_shine: float | None = None,
    even_light: float | None = None,
    skin_tone: float | None = None,
    format: Literal["jpg", "png", "png16", "exr"] | None = None,
    recursive: Recursive = False,
    faces: FaceOptions = FaceOptions(),  # noqa: B008 (frozen)
    skip_existing: SkipExisting = False,
    json: Json = False,
    workers: Workers = None,
    weights: Weights = None,
) -> int:
    """Change the skin or the shape of the faces of photos, and keep their light.

    With --albedo or --normal: decompose the photo, change albedo.png or normal.png of its folder in any editor, keep
    the size, and hand the file back. Unchanged pixels stay as in the photo.

    Parameters
    ----------
    photos
        Photos, or folders of photos.
    output
        NAME.jpg (or png, tif, webp, exr) for one photo; else a folder, in which each photo keeps its name.
    albedo
        An edited albedo.png of the photo's size; for a single photo.
    normal
        An edited normal.png of the photo's size; for a single photo.
    normals
        How normals are stored.
    lipstick
        COLOUR or COLOUR:STRENGTH, such as red, berry:0.5, #b3122a:0.8.
    blush
        Likewise, such as rose:0.5.
    remove_shine
        Remove highlights on the skin: 0 to 1.
    even_light
        Soften harsh light: 0 to 1.
    skin_tone
        Lighten (+) or darken (-) the skin: a shift of the individual typology angle in degrees, -90 to 90.
    format
        Of the pictures in a folder: jpg (default) and png have 8 bits, png16 has 16, exr half floats.
    faces
        Which faces count.
    """
    if all(v is None for v in (albedo, normal, lipstick, blush, remove_shine, even_light, skin_tone)):
        raise InputError("nothing to edit: give --albedo, --normal, --lipstick, --blush, --remove-shine, ...")
    from illures.cli import where
    from illures.decompose.decomposer import Decomposer
    from illures.editing.batch import edit_all
    from illures.io.files import check_writable
    from illures.io.inputs import expand

    normals.check("--normal", normal is not None)
    wanted = replace(
        _edit(albedo, normal, lipstick, blush, remove_shine, even_light, skin_tone),
        normals=normals.normals,
        normal_space=normals.normal_space,
    )
    faces.check()
    check_workers(workers)
    found, problems = expand(photos, recursive)
    single = output if where.is_file(output) else None
    if single is not None:
        where.check_one(single, len(found))
        where.check_format(single, format)
    if (albedo or normal) and len(found) > 1:
        raise InputError(f"{albedo or normal}: the edited map of a single photo; {len(found)} are given")
    check_writable(where.parent_of(output))
    report = reported(json, len(found), problems)
    if found:
        targets = {found[0]: single} if single else where.pictures(found, output, format or "jpg")
        decomposer = Decomposer.from_pretrained(weights)
        faces.choose(decomposer)
        edit_all(targets, report, decomposer, wanted, format == "png16", skip_existing, workers)
    return OK if report.summary() else BAD_INPUT


def _edit(
    albedo: Path | None,
    normal: Path | None,
    lipstick: str | None,
    blush: str | None,
    remove_shine: float | None,
    even_light: float | None,
    skin_tone: float | None,
) -> Edit:
    """Check the options and return the edit."""
    shine, even = _share("remove-shine", remove_shine), _share("even-light", even_light)
    if skin_tone is not None and not -90 <= skin_tone <= 90:
        raise InputError(f"skin-tone {skin_tone:g}: must be from -90 to 90 degrees")

    from illures.editing import retouch
    from illures.editing.batch import Edit

    steps = [retouch.less_shine(shine)] if shine else []
    if blush is not None:
        steps.append(retouch.blush(*_paint("blush", blush, 0.5)))
    if lipstick is not None:
        steps.append(retouch.lipstick(*_paint("lipstick", lipstick, 0.7)))
    return Edit(albedo, normal, steps=tuple(steps), skin_tone_deg=skin_tone or 0.0, even_light=even)


def _share(name: str, value: float | None) -> float:
    if value is not None and not 0 <= value <= 1:
        raise InputError(f"{name} {value:g}: must be from 0 to 1")
    return value or 0.0


def _paint(name: str, text: str, usual: float) -> tuple[Float[np.ndarray, "3"], float]:
    """Colour and strength from COLOUR or COLOUR:STRENGTH."""
    from illures.editing.retouch import colour_of

    colour, _, rest = text.partition(":")
    try:
        strength = float(rest) if rest else usual
    except ValueError:
        raise InputError(f"{name} {text!r}: must be COLOUR or COLOUR:STRENGTH") from None
    return colour_of(colour), _share(name, strength)
