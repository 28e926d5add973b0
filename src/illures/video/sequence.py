"""Image sequences: numbered pictures, read and written as a clip. Their name is a pattern such as frame.%04d.exr.

A sequence has no times and no sound: its frames are 1 / `RATE` seconds apart. Numbers are kept: the result for
frame.1001.png gets the number 1001.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from illures.errors import InputError
from illures.io.exr_layers import write_exr_channels
from illures.io.files import write_whole
from illures.io.formats import Format
from illures.io.photos import as_linear, check_savable, read_photo, save_image
from illures.io.png import png
from illures.math.colorspace import CHROMATICITIES

RATE = 25
_PATTERN = re.compile(r"%(0?)(\d*)d")


def is_sequence(path: Path) -> bool:
    """Whether a name is a pattern for numbered pictures: it contains %d or %04d."""
    return len(_PATTERN.findall(path.name)) == 1


def files_of(path: Path) -> dict[int, Path]:
    """The pictures of a sequence by their numbers, in order; numbers may begin anywhere.

    Raises:
        InputError: there is none, or one in the middle is missing.
    """
    before, _, digits, after = _PATTERN.split(path.name)
    wanted = re.compile(f"{re.escape(before)}(\\d{{{digits.lstrip('0') or 1},}}){re.escape(after)}")
    folder = path.parent
    names = [wanted.fullmatch(p.name) for p in folder.iterdir()] if folder.is_dir() else []
    found = {int(match[1]): folder / match[0] for match in names if match}
    if not found:
        raise InputError(f"{path}: no picture of this sequence")
    numbers = sorted(found)
    for number, follower in zip(numbers, numbers[1:], strict=False):
        if follower != number + 1:
            raise InputError(f"{path}: picture {number + 1} is missing; there are {numbers[0]} to {numbers[-1]}")
    return {number: found[number] for number in numbers}


def read_pictures(path: Path) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """The pictures, 8 bits, sRGB.

    Raises:
        InputError: one can't be read or has another size.
    """
    size = None
    for file in files_of(path).values():
        photo = read_photo(file)
        if size not in (None, photo.shape):
            raise InputError(f"{file}: {photo.shape[1]} x {photo.shape[0]} pixels; the pictures before it differ")
        size = photo.shape
        if photo.dtype == np.uint16:
            photo = (photo >> 8).astype(np.uint8)
        yield photo if photo.dtype == np.uint8 else np.round(photo * 255).astype(np.uint8)


@dataclass(frozen=True)
class Shown:
    """What pictures show.

    Attributes:
        map: name of a map, in its codes; None for colours.
        codes: PNG of 8 bits.
    """

    map: Literal["normal", "shading", "residual"] | None = None
    codes: Format = Format("png")

    def linear(self, picture: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "height width 3"]:
        """Values as `illures decompose` stores them in EXR files."""
        if self.map is None:
            return as_linear(picture)
        values = self.codes.decode(self.map, picture)
        return values * self.codes.axis_signs if self.map == "normal" else values

    def about(self) -> dict[str, Any]:
        """Header attributes of EXR files."""
        space = {"illures:normals": self.codes.normals, "illures:normal_space": self.codes.normal_space}
        return {"chromaticities": CHROMATICITIES["srgb-linear"]} | (space if self.map == "normal" else {})


def write_pictures(
    path: Path,
    first: int,
    pictures: Iterable[UInt8[np.ndarray, "height width channels"]],
    shown: Shown = Shown(),  # noqa: B008 (frozen)
) -> None:
    """Write numbered pictures, RGB or RGBA (straight alpha; premultiplied in EXR); each whole or not at all.

    Raises:
        InputError: the suffix is not of a picture format, the format has no alpha, or a file can't be written.
    """
    for number, picture in enumerate(pictures, first):
        target = path.with_name(path.name % number)
        if target.suffix.lower() == ".exr":
            linear = shown.linear(np.ascontiguousarray(picture[..., :3]))
            if picture.shape[2] == 4:  # EXR alpha is premultiplied
                alpha = picture[..., 3:].astype(np.float32) / 255
                linear = np.concatenate([linear * alpha, alpha], axis=-1)
            channels = {"RGB" if picture.shape[2] == 3 else "RGBA": linear.astype(np.float16)}
            write_exr_channels(target, channels, shown.about())
        elif target.suffix.lower() == ".png":
            write_whole(target, png(picture, colour=shown.map in (None, "shading")))
        elif picture.shape[2] == 3:
            save_image(target, picture)
        else:
            done, data = cv2.imencode(target.suffix, cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA))
            if not done:
                raise InputError(f"{target}: can't be written")
            write_whole(target, data.tobytes())


def check_pictures(path: Path, alpha: bool) -> None:
    """Raise an InputError where pictures of this suffix can't be written (with alpha)."""
    check_savable(path)
    if alpha and path.suffix.lower() in (".jpg", ".jpeg"):
        raise InputError(f"{path}: JPEG has no alpha; use png, tif, webp or exr")
