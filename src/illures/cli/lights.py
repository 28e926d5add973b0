"""`illures lights`."""

from __future__ import annotations

from pathlib import Path

from illures.cli.app import OK, app
from illures.cli.options import OptionalOutput, Weights


@app.command
def lights(
    *,
    output: OptionalOutput = None,
    face: Path | None = None,
    weights: Weights = None,
) -> int:
    """List the named lights, and draw them on a ball and on a face.

    Parameters
    ----------
    output
        NAME.png (or jpg, tif, webp) for the drawing, or a folder, which gets lights.png. Without it they are only
        listed.
    face
        A photo whose face is drawn; default: the one in the package.
    """
    from illures.relighting.presets import PRESETS

    longest = max(len(name) for name in PRESETS)
    for name, preset in PRESETS.items():
        print(f"{name:{longest}}  {preset.about}")
    if output is not None:
        print(f"-> {_draw(output, face, weights)}")
    return OK


def _draw(output: Path, face: Path | None, weights: Path | None) -> Path:
    from importlib.resources import as_file, files

    from illures.cli import where
    from illures.decompose.decomposer import Decomposer
    from illures.errors import InputError
    from illures.io.files import check_writable
    from illures.io.photos import check_savable, read_photo, save_image
    from illures.relighting import sources
    from illures.relighting.light_sheet import light_sheet
    from illures.relighting.orbit import small

    target = output if where.is_file(output) else output / "lights.png"
    check_savable(target)
    check_writable(target.parent)
    if face is None:
        with as_file(files("illures") / "assets" / "astronaut.jpg") as path:
            photo = read_photo(path)
    else:
        photo = read_photo(face)
    photo = small(photo, 1600)
    faces = Decomposer.from_pretrained(weights)(photo, name=str(face))
    if not faces:
        raise InputError(f"{face}: no face found")
    save_image(target, light_sheet(photo, faces, sources.presets(["all"])))
    return target
