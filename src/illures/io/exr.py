"""OpenEXR files: linear pixels in and out. Sizes are checked in the header, before a pixel is decoded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from illures.errors import InputError
from illures.io.decoding import decoding, name_for_libraries
from illures.io.exr_layers import write_exr_channels
from illures.math.colorspace import CHROMATICITIES

# Values of all channels of all parts together: 1 GiB as float32. A file of some hundred kB can expand to far more.
MOST_VALUES = 1 << 28


def write_exr(
    path: Path, linear: Num[np.ndarray, "height width *channels"], attributes: Mapping[str, Any] | None = None
) -> None:
    """Write an OpenEXR file: linear sRGB, half or float, channels R, G, B (and A), or Y for a single one.

    Args:
        path: of the file.
        linear: the pixels.
        attributes: for the header; default: the primaries of sRGB.

    Raises:
        InputError: the file can't be written; what was written of it is removed.
    """
    about = {"chromaticities": CHROMATICITIES["srgb-linear"]} if attributes is None else attributes
    write_exr_channels(path, {"RGB" if linear.ndim == 3 else "Y": linear}, about)


def read_exr_linear(path: Path) -> Float[np.ndarray, "height width *channels"]:
    """Linear float32 pixels of an EXR file: [height, width, 3 or 4], or [height, width] where it has one channel.

    Raises:
        InputError: the file can't be read, is too large, or has other channels.
    """
    import OpenEXR

    exr_size(path)
    with (
        decoding(path, "an EXR file"),
        name_for_libraries(path) as spelled,
        OpenEXR.File(spelled) as file,
        np.errstate(over="ignore"),
    ):
        channels = {name: np.asarray(channel.pixels, np.float32) for name, channel in file.channels().items()}
    for name in ("RGBA", "RGB"):
        if name in channels:
            return channels[name]
    if set("RGB") <= channels.keys():  # channels of different types, which the library does not merge
        return np.stack([channels[name] for name in "RGB"], axis=-1)
    if len(channels) == 1 or "Y" in channels:
        return channels.get("Y", next(iter(channels.values())))
    raise InputError(f"{path}: channels {', '.join(sorted(channels))}; must be R, G, B (and A), or Y")


def exr_size(path: Path) -> tuple[int, int]:
    """Width and height of the first part [px], from the header.

    Raises:
        InputError: the header can't be read, or all parts together hold more than `MOST_VALUES` numbers.
    """
    import OpenEXR

    with decoding(path, "an EXR file"), name_for_libraries(path) as name:
        headers = [part.header for part in OpenEXR.File(name, header_only=True).parts]
        sizes = [_window(header) for header in headers]
        values = sum(w * h * len(header["channels"]) for (w, h), header in zip(sizes, headers, strict=True))
    if values > MOST_VALUES:
        width, height = sizes[0]
        limit = f"at most {MOST_VALUES // 1_000_000} million numbers are read"
        raise InputError(f"{path}: {width} x {height} pixels, {values // 1_000_000} million numbers in all; {limit}")
    return sizes[0]


def _window(header: dict[str, Any]) -> tuple[int, int]:
    low, high = header["dataWindow"]
    return int(high[0]) - int(low[0]) + 1, int(high[1]) - int(low[1]) + 1
