"""`illures lights`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from illures.cli.app import OK, app


@app.command
def lights(
    *,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    face: Path | None = None,
    weights: Path | None = None,
) -> int:
    """List the named lights, and draw them on a ball and on a face.

    Parameters
    ----------
    output
        A PNG to draw them to; without it they are listed alone.
    face
        A photo whose face is drawn; default: the one in the package.
    weights
        A weights file instead of those of the package.
    """
    from illures.relighting.presets import PRESETS

    longest = max(len(name) for name in PRESETS)
    for name, preset in PRESETS.items():
        print(f"{name:{longest}}  {preset.about}")
    if output is not None:
        _draw(output, face, weights)
        print(f"-> {output}")
    return OK


def _draw(output: Path, face: Path | None, weights: Path | None) -> None:
    from importlib.resources import as_file, files

    from illures.decompose import Decomposer
    from illures.errors import InputError
    from illures.images import read_photo, save_image
    from illures.relighting import sources
    from illures.relighting.orbit import small
    from illures.relighting.sheet import light_sheet

    if output.suffix.lower() != ".png":
        raise InputError(f"{output}: the sheet is a PNG; give a name that ends in .png")
    if face is None:
        with as_file(files("illures") / "assets" / "astronaut.jpg") as path:
            photo = read_photo(path)
    else:
        photo = read_photo(face)
    photo = small(photo, 1600)
    faces = Decomposer.from_pretrained(weights)(photo, name=str(face))
    if not faces:
        raise InputError(f"{face}: no face found")
    save_image(output, light_sheet(photo, faces, sources.presets(["all"])))
