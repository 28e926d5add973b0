"""All maps of a photo as layers of one EXR file, as compositing programs read them.

Layers: R, G, B, A the photo; albedo.R/G/B, normal.X/Y/Z, shading.R/G/B, residual.R/G/B, mask.A (skin), matte.A (the
person), regions.ID (class of each pixel). The header has primaries, version, frame, and the light as 27 numbers. The
user's page: docs/outputs.md.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from illures.errors import InputError
from illures.io.decoding import name_for_libraries
from illures.io.files import whole_file, write_error
from illures.math.colorspace import CHROMATICITIES, ColorSpaceName, from_linear_srgb
from illures.types import Region

FILE = "maps.exr"
# Rows processed at a time.
_BAND = 128
_AXES = {"albedo": "RGB", "normal": "XYZ", "shading": "RGB", "residual": "RGB"}

Map = Num[np.ndarray, "height width *channels"]


def write_exr_channels(path: Path, channels: Mapping[str, Map], attributes: Mapping[str, Any]) -> None:
    """Write an EXR file, ZIP-compressed scan lines, whole or not at all.

    Args:
        path: of the file.
        channels: by name; three-channel arrays become NAME.R, NAME.G, NAME.B (or R, G, B under "RGB").
        attributes: for the header.

    Raises:
        InputError: the file can't be written; what was written of it is removed.
    """
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **attributes}
    try:
        # The library ignores strides: an array that is not contiguous would be written wrong, without an error.
        packed = {name: np.ascontiguousarray(pixels) for name, pixels in channels.items()}
        with whole_file(path) as partial, OpenEXR.File(header, packed) as file:
            partial.touch()
            with name_for_libraries(partial) as name:
                file.write(name)
    except RuntimeError as error:  # the library gives the system's error only as text
        code = next((c for c in (errno.ENOSPC, errno.EDQUOT) if os.strerror(c) in str(error)), None)
        raise write_error(path, OSError(code, " ".join(str(error).split()))) from error


def write_layers(
    path: Path,
    photo: Map,
    maps: Mapping[Any, Map],
    attributes: Mapping[str, Any],
    alpha: Float[np.ndarray, "height width"] | None = None,
) -> None:
    """Write the one file.

    Args:
        path: of the file.
        photo: linear, of the maps' type.
        maps: values as stored in the file, and "regions", numbers of classes; missing ones are left out.
        attributes: for the header.
        alpha: of the photo, in [0, 1]; its colours are multiplied with it, the maps are not.

    Raises:
        InputError: the file can't be written.
    """
    opaque = np.ones(photo.shape[:2], photo.dtype) if alpha is None else alpha.astype(photo.dtype)
    channels: dict[str, Map] = {"RGB": photo if alpha is None else (photo * alpha[..., None]).astype(photo.dtype)}
    channels["A"] = opaque
    channels |= {name: maps[name] for name, axes in _AXES.items() if axes == "RGB" and name in maps}
    if "normal" in maps:
        channels |= {f"normal.{axis}": maps["normal"][..., i] for i, axis in enumerate(_AXES["normal"])}
    channels |= {f"{name}.A": maps[name] for name in ("mask", "matte") if name in maps}
    if "regions" in maps:  # of the photo's type, as some programs want one type for all
        channels["regions.ID"] = maps["regions"].astype(photo.dtype)
    write_exr_channels(path, channels, attributes)


def read_layers(path: Path) -> dict[str, Float[np.ndarray, "height width *channels"]]:
    """The layers of a file of `write_layers` as float32, unconverted: "photo", and the maps that it holds.

    Raises:
        InputError: the file can't be read, or was not written by `write_layers`.
    """
    import OpenEXR

    try:
        with name_for_libraries(path) as name, OpenEXR.File(name, separate_channels=True) as file:
            found = {name: np.asarray(channel.pixels, np.float32) for name, channel in file.channels().items()}
        held = {name: axes for name, axes in _AXES.items() if f"{name}.{axes[0]}" in found}
        layers = {name: np.stack([found[f"{name}.{c}"] for c in axes], axis=-1) for name, axes in held.items()}
        single = {"mask": "mask.A", "matte": "matte.A", "regions": "regions.ID"}
        alphas = {name: found[channel] for name, channel in single.items() if channel in found}
        return {"photo": np.stack([found[c] for c in "RGB"], axis=-1), **layers, **alphas}
    except KeyError as error:
        raise InputError(f"{path}: has no channel {error}, where the layers of illures are expected") from None
    except (RuntimeError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as an EXR file ({' '.join(str(error).split())})") from error


def attributes_of(
    space: ColorSpaceName,
    version: str,
    normals: str,
    normal_space: str,
    lights: list[Float[np.ndarray, "9 3"]],
    heads: list[Float[np.ndarray, "3 3"]],
) -> dict[str, Any]:
    """Header attributes; `lights` (linear sRGB) and axes of the heads in the maps' frame, largest face first."""
    about: dict[str, Any] = {
        "chromaticities": CHROMATICITIES[space],
        "illures:version": version,
        "illures:frame": "camera: x right, y up, z toward the viewer",
        "illures:normals": normals,
        "illures:normal_space": normal_space,
        "illures:regions": ", ".join(f"{int(region)} {region.name.lower()}" for region in Region),
    }
    for number, (light, head) in enumerate(zip(lights, heads, strict=True), 1):
        converted = light.astype(np.float64) @ from_linear_srgb(space).T
        for name, values in (("light", converted), ("head", head)):
            about[f"illures:{name}{number if number > 1 else ''}"] = [float(v) for v in values.ravel()]
    return about


def convert(space: ColorSpaceName, maps: Mapping[Any, Map], photo: Map | None = None) -> None:
    """Take maps from linear sRGB to another space, in place.

    Albedo times shading is a product per channel, which a change of primaries does not preserve. So albedo, shading and
    the sum are converted, and the residual is the sum minus their product.
    """
    if space == "srgb-linear":
        return
    matrix = from_linear_srgb(space).T.astype(np.float32)
    albedo, shading, residual = (maps[name] for name in ("albedo", "shading", "residual"))
    for start in range(0, len(albedo), _BAND):
        rows = slice(start, start + _BAND)
        a, s, r = (m[rows].astype(np.float32) for m in (albedo, shading, residual))
        albedo[rows], shading[rows] = a @ matrix, s @ matrix
        held = albedo[rows].astype(np.float32) * shading[rows].astype(np.float32)  # as stored
        residual[rows] = (a * s + r) @ matrix - held
        for whole in (photo, maps.get("reconstruction")):
            if whole is not None:
                whole[rows] = whole[rows].astype(np.float32) @ matrix
