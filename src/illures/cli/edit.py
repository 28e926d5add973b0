"""`illures edit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from illures.cli.app import OK, app
from illures.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float


@app.command
def edit(
    photo: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    albedo: Path | None = None,
    normal: Path | None = None,
    lipstick: str | None = None,
    blush: str | None = None,
    remove_shine: float | None = None,
    even_light: float | None = None,
    skin_tone: float | None = None,
    weights: Path | None = None,
) -> int:
    """Change the skin or the shape of the faces of a photo, and keep their light.

    With --albedo or --normal: decompose the photo, change albedo.png or normal.png of its folder in any editor, keep
    the size, and hand the file back. What was not changed stays as it was in the photo.

    Parameters
    ----------
    photo
        The photo.
    output
        The edited photo: jpg, png, tif or webp.
    albedo
        An edited albedo.png of the photo's size.
    normal
        An edited normal.png of the photo's size.
    lipstick
        COLOUR or COLOUR:STRENGTH, such as red, berry:0.5, #b3122a:0.8.
    blush
        Likewise, such as rose:0.5.
    remove_shine
        Highlights on the skin taken away: 0 to 1.
    even_light
        Harsh light softened: 0 to 1.
    skin_tone
        Skin lighter (+) or darker (-): a shift of the individual typology angle in degrees, -90 to 90.
    weights
        A weights file instead of those of the package.
    """
    if all(v is None for v in (albedo, normal, lipstick, blush, remove_shine, even_light, skin_tone)):
        raise InputError("nothing to edit: give --albedo, --normal, --lipstick, --blush, --remove-shine, ...")
    shine, even = _share("remove-shine", remove_shine), _share("even-light", even_light)
    if skin_tone is not None and not -90 <= skin_tone <= 90:
        raise InputError(f"skin-tone {skin_tone:g}: must be from -90 to 90 degrees")

    from illures.editing import retouch
    from illures.editing.edit import apply_albedo, apply_normal, evenly_lit, retouched, toned

    steps = [retouch.less_shine(shine)] if shine else []
    if blush is not None:
        steps.append(retouch.blush(*_paint("blush", blush, 0.5)))
    if lipstick is not None:
        steps.append(retouch.lipstick(*_paint("lipstick", lipstick, 0.7)))

    import numpy as np

    from illures.decompose import Decomposer
    from illures.images import read_photo, save_image

    pixels = read_photo(photo)
    faces = Decomposer.from_pretrained(weights)(pixels, name=str(photo))
    if not faces:
        raise InputError(f"{photo}: no face found")
    if albedo is not None:  # first: its maps are those of the photo as it was
        pixels = apply_albedo(pixels, faces, albedo)
    if normal is not None:
        pixels = apply_normal(pixels, faces, normal)
    if steps:
        pixels = retouched(pixels, faces, steps)
    if skin_tone:
        pixels = toned(pixels, faces, skin_tone)
    if even:
        pixels = evenly_lit(pixels, faces, even)
    deep = pixels.dtype == np.uint16 and output.suffix.lower() in (".png", ".tif", ".tiff")
    save_image(output, pixels, 16 if deep else 8)
    print(f"{photo}: {len(faces)} face{'s' if len(faces) > 1 else ''} -> {output}")
    return OK


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
