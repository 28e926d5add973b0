"""Maps of a photo or of a crop as files: PNG, or EXR with layers, and labels. The user's page: docs/outputs.md."""

from __future__ import annotations

import io
from collections.abc import Collection
from pathlib import Path

import numpy as np
from jaxtyping import Float, Num, UInt8
from PIL import Image

import illures
from illures.decompose.decomposition import Decomposition
from illures.decompose.photo_maps import BAND, photo_maps
from illures.faces import upright
from illures.faces.atlas import head_axes
from illures.io import exr_layers
from illures.io.files import write_whole
from illures.io.formats import MAPS, Codes, Format, MapName
from illures.io.photos import Photo, as_linear
from illures.math import sh
from illures.types import Region

# Outputs that can be selected by name: the maps, the same maps of each crop, and the ball under each light.
OUTPUTS = (*MAPS, "regions", "crop", "probe")
DEFAULT: tuple[str, ...] = ("albedo", "normal", "shading", "residual", "matte")
REGION_COLOURS = {
    Region.BACKGROUND: (0, 0, 0),
    Region.SKIN: (229, 180, 150),
    Region.LIPS: (214, 64, 84),
    Region.FACIAL_HAIR: (150, 96, 44),
    Region.EYES: (80, 140, 230),
    Region.MOUTH: (110, 20, 60),
    Region.HAIR: (92, 62, 34),
    Region.GLASSES: (60, 200, 200),
    Region.OBJECT: (240, 200, 60),
    Region.CLOTHES: (60, 130, 80),
}

Alpha = Float[np.ndarray, "height width"]


def write_maps(
    folder: Path,
    photo: Photo,
    faces: list[Decomposition],
    format: Format,
    names: Collection[str] = OUTPUTS,
    name: str | None = None,
    alpha: Alpha | None = None,
) -> None:
    """Write the maps of the photo's size.

    Args:
        folder: must exist.
        photo: its pixels.
        faces: what was found in it.
        format: of the maps.
        names: of `OUTPUTS`: the maps that are written.
        name: file name for an EXR of layers; None: `io.exr_layers.FILE`, with the labels in a file beside it.
        alpha: of the photo, in [0, 1]; stored as the fourth channel of maps with three.

    Raises:
        InputError: a file can't be written.
    """
    maps = photo_maps(photo, faces, format, labels="regions" in names)
    lights = [sh.rotate(face.light, upright(face.crop)) for face in faces]
    heads = [head_axes(face.crop) for face in faces]
    if maps.regions is not None and name is None:
        write_labels(folder / "regions.png", maps.regions)
    if not format.is_exr:
        residual = None
        for each in MAPS:
            if each in names:
                taken = maps.take(each, residual if each == "reconstruction" else None)
                format.write(folder, each, with_alpha(each, taken, format, alpha))
                residual = taken if each == "residual" else None  # its turn is right before that of the reconstruction
        return
    codes = {each: maps.take(each) for each in MAPS if each != "reconstruction" or (format.split and each in names)}
    seen = None if format.split else _photo_codes(photo, format)
    write_exr_maps(folder / (name or exr_layers.FILE), format, codes, seen, lights, heads, names, alpha, maps.regions)


def _photo_codes(photo: Photo, format: Format) -> Codes:
    """The photo's own codes, computed in bands: the floats of all of 12 megapixels would take 144 MB."""
    codes = np.empty(photo.shape, format.dtype)
    for row in range(0, len(photo), BAND):
        rows = slice(row, row + BAND)
        codes[rows] = format.quantise("albedo", as_linear(photo[rows]))
    return codes


def with_alpha(
    name: MapName, codes: Codes, format: Format, alpha: Alpha | None
) -> Num[np.ndarray, "height width *with_alpha"]:
    """Add the photo's alpha to a map: as a fourth channel; maps of one channel (mask, matte) are multiplied by it."""
    if alpha is None:
        return codes
    if codes.ndim == 2:
        return format.quantise(name, format.decode(name, codes) * alpha)
    return np.dstack([codes, format.quantise("matte", alpha)])


def write_exr_maps(
    path: Path,
    format: Format,
    codes: dict[MapName, Codes],
    photo: Codes | None,
    lights: list[np.ndarray],
    heads: list[np.ndarray],
    names: Collection[str],
    alpha: Alpha | None,
    regions: UInt8[np.ndarray, "rows columns"] | None,
) -> None:
    """Write the maps in `names` as one file of layers with the `photo`, or as one file per map in the same folder.

    The codes are converted in place to the format's colour space.
    """
    axes = format.normals, format.normal_space
    about = exr_layers.attributes_of(format.colorspace, illures.__version__, *axes, lights, heads)
    exr_layers.convert(format.colorspace, codes, photo)
    if photo is not None:
        kept = {n: v if v.ndim == 3 else with_alpha(n, v, format, alpha) for n, v in codes.items() if n in names}
        labels = {} if regions is None or "regions" not in names else {"regions": regions}
        exr_layers.write_layers(path, photo, {**kept, **labels}, about, alpha)
        return
    for name, values in codes.items():
        if name in names:
            format.write(path.parent, name, with_alpha(name, values, format, alpha), about)


def write_labels(path: Path, labels: UInt8[np.ndarray, "rows columns"]) -> None:
    """A PNG whose pixels are numbers of `Region`, with a palette for viewing."""
    image = Image.fromarray(labels, "L")
    image.putpalette([value for region in Region for value in REGION_COLOURS[region]])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    write_whole(path, buffer.getvalue())
