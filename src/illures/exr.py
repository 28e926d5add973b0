"""OpenEXR files: linear pixels in and out. Sizes are checked in the header, before a pixel is decoded."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from illures.decoding import decoding, one_line
from illures.errors import InputError
from illures.files import write_error

# Of all channels of all parts together: 1 GiB as float32. A few hundred kilobytes can unfold to many times that.
MOST_VALUES = 1 << 28


def write_exr(path: Path, linear: Num[np.ndarray, "height width *channels"]) -> None:
    """Write an OpenEXR file: linear, half or float, channels R, G, B (and A), or Y for a single one.

    Raises:
        InputError: the file can't be written; what was written of it is removed.
    """
    import OpenEXR

    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    try:
        with OpenEXR.File(header, {"RGB" if linear.ndim == 3 else "Y": np.ascontiguousarray(linear)}) as file:
            file.write(str(partial))
        os.replace(partial, path)
    except (RuntimeError, OSError) as error:  # the library tells the system's error in words alone
        partial.unlink(missing_ok=True)
        code = next((c for c in (errno.ENOSPC, errno.EDQUOT) if os.strerror(c) in str(error)), None)
        raise write_error(path, OSError(code, one_line(error))) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def read_exr_linear(path: Path) -> Float[np.ndarray, "height width *channels"]:
    """Linear float32 pixels of an EXR file: [height, width, 3 or 4], or [height, width] where it has one channel.

    Raises:
        InputError: the file can't be read, is too large, or has other channels.
    """
    import OpenEXR

    exr_size(path)
    with decoding(path, "an EXR file"), OpenEXR.File(str(path)) as file, np.errstate(over="ignore"):
        channels = {name: np.asarray(channel.pixels, np.float32) for name, channel in file.channels().items()}
    for name in ("RGBA", "RGB"):
        if name in channels:
            return channels[name]
    if set("RGB") <= channels.keys():  # of unlike types, which the library does not put together
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

    with decoding(path, "an EXR file"):
        headers = [part.header for part in OpenEXR.File(str(path), header_only=True).parts]
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
