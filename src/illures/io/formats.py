"""File formats of maps: codes of each map in PNG (8 and 16 bits) and EXR. The user's page: docs/outputs.md.

Maps are quantised first, and the residual is computed from the codes of the others. So the maps in the files add up
to the photo, up to the quantisation of the residual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Num

from illures.errors import InputError
from illures.io import exr_layers
from illures.io.decoding import decoding, read_codes
from illures.io.exr import read_exr_linear, write_exr
from illures.io.files import write_whole
from illures.io.photos import as_linear
from illures.io.png import png
from illures.math.color import linear_to_srgb, srgb_to_linear
from illures.math.colorspace import ColorSpaceName

FormatName = Literal["png", "png16", "exr", "exr32"]
Normals = Literal["opengl", "directx"]
NormalSpace = Literal["camera", "head"]
MapName = Literal["albedo", "normal", "shading", "residual", "reconstruction", "mask", "matte"]
MAPS: tuple[MapName, ...] = ("albedo", "normal", "shading", "residual", "reconstruction", "mask", "matte")
CROP_MAPS = MAPS[:-1]  # the matte exists only for the photo

# Maps that hold colours (sRGB-encoded); the others are data.
COLOURS: frozenset[MapName] = frozenset({"albedo", "shading", "reconstruction"})

Codes = Num[np.ndarray, "height width *channels"]
Values = Float[np.ndarray, "height width *channels"]

# PNG shading is divided by this before encoding, as shading of well-lit skin is often above 1. It is about 2, chosen so
# that shading 1, the value outside the faces, is exactly code 188 of 255 (48316 of 65535).
SHADING_SCALE = 1 / float(srgb_to_linear(np.float64(188 / 255)))


@dataclass(frozen=True)
class Format:
    """One file format for all maps of a photo.

    Attributes:
        name: "png" (8 bits), "png16", "exr" (half floats, linear, unscaled) or "exr32" (floats).
        shading_scale: PNG only: shading of the largest code.
        normals: how files hold y: "opengl" up, "directx" down. Values are always up.
        normal_space: frame of the normals: "camera", or "head", each person's own.
        colorspace: EXR only: colour space of the written files.
        split: EXR only: one file per map instead of one with all as layers.
    """

    name: FormatName
    shading_scale: float = SHADING_SCALE
    normals: Normals = "opengl"
    normal_space: NormalSpace = "camera"
    colorspace: ColorSpaceName = "srgb-linear"
    split: bool = False

    def __post_init__(self) -> None:
        """Refuse settings that PNG does not support."""
        if not self.is_exr and (self.colorspace != "srgb-linear" or self.split):
            raise InputError(f"format {self.name}: colour spaces and layers are for exr and exr32")

    @property
    def is_exr(self) -> bool:
        """Whether files hold floats."""
        return self.name in ("exr", "exr32")

    @property
    def dtype(self) -> np.dtype:
        """Type of the codes."""
        return np.dtype({"png": np.uint8, "png16": np.uint16, "exr": np.float16, "exr32": np.float32}[self.name])

    @property
    def suffix(self) -> str:
        """Suffix of the files, with its dot."""
        return ".exr" if self.is_exr else ".png"

    def quantise(self, name: MapName, values: Values) -> Codes:
        """Encode linear values as codes; values out of range are clipped."""
        if name == "normal":
            values = values * self.axis_signs
        if self.is_exr:
            return np.clip(values, -65504, 65504).astype(self.dtype)
        top = np.iinfo(self.dtype).max
        if name == "residual":  # 0 is exactly a code, so that a zero residual stays zero
            return np.round(np.clip(values, -1, 1) * (top // 2) + (top // 2 + 1)).astype(self.dtype)
        if name == "normal":
            scaled = (values + 1) / 2
        elif name in ("mask", "matte"):
            scaled = values
        else:
            scaled = linear_to_srgb(np.clip(values / self._scale(name), 0, 1))
        return np.round(np.clip(scaled, 0, 1) * top).astype(self.dtype)

    def decode(self, name: MapName, codes: Codes) -> Values:
        """Linear float32 values of codes: the inverse of `quantise`."""
        if self.is_exr:
            return codes.astype(np.float32) * (self.axis_signs if name == "normal" else np.float32(1))
        top = np.iinfo(self.dtype).max
        if name == "residual":
            return (codes.astype(np.float32) - (top // 2 + 1)) / (top // 2)
        if name in ("normal", "mask", "matte"):
            values = codes.astype(np.float32) / np.float32(top)
            return (2 * values - 1) * self.axis_signs if name == "normal" else values
        return as_linear(codes) * np.float32(self._scale(name))

    def write(self, folder: Path, name: MapName, codes: Codes, attributes: Mapping[str, Any] | None = None) -> None:
        """Write one map's codes to `folder`/`name` with the format's suffix; `attributes` for the header of an EXR.

        Raises:
            InputError: the file can't be written.
        """
        path = folder / (name + self.suffix)
        if self.is_exr:
            write_exr(path, codes, attributes)
        else:
            write_whole(path, png_of(name, codes))

    def read(self, folder: Path, name: MapName) -> Values:
        """Linear values of a map that `illures decompose` wrote, in the colour space of the file.

        Raises:
            InputError: the file is missing or of another format.
        """
        path = folder / (name + self.suffix)
        if self.is_exr and not path.is_file() and (folder / exr_layers.FILE).is_file():
            found = exr_layers.read_layers(folder / exr_layers.FILE)
            needed = ("albedo", "shading", "residual") if name == "reconstruction" else (name,)
            if lacking := [each for each in needed if each not in found]:
                raise InputError(f"{folder / exr_layers.FILE}: has no layer {lacking[0]}")
            if name == "reconstruction":
                return found["albedo"] * found["shading"] + found["residual"]
            return self.decode(name, found[name])
        if not path.is_file():
            asked = f"{name},crop" if (folder / "light.json").is_file() else name
            raise InputError(f"{path}: no such file; `illures decompose --maps {asked}` writes it")
        if self.is_exr:
            return self.decode(name, _without_alpha(read_exr_linear(path)))
        with decoding(path):
            codes = read_codes(path)
        if codes is None or codes.dtype != self.dtype:
            raise InputError(f"{path}: not a map in the format {self.name}")
        return self.decode(name, _without_alpha(codes)[..., ::-1] if codes.ndim == 3 else codes)

    def describe(self) -> dict[str, str | float]:
        """How to read the values, for the JSON beside the files."""
        up = "up" if self.normals == "opengl" else "down"
        if self.normal_space == "camera":
            axes = f"x right, y {up}, z toward the viewer ({self.normals}), camera space"
        else:
            axes = f"x to the face's left, y {up}, z where it looks ({self.normals}), head space: see head_rotation"
        if self.is_exr:
            kind = "half" if self.name == "exr" else "32-bit"
            return {
                "format": self.name,
                "all": f"linear, {kind} float, unscaled",
                "colorspace": self.colorspace,
                "normal": f"n = value, {axes}",
                "normals": self.normals,
                "normal_space": self.normal_space,
            }
        half = np.iinfo(self.dtype).max // 2
        return {
            "format": self.name,
            "albedo": "linear = srgb_to_linear(code / max)",
            "reconstruction": "linear = srgb_to_linear(code / max)",
            "shading": "linear = shading_scale * srgb_to_linear(code / max)",
            "shading_scale": self.shading_scale,
            "residual": f"linear = (code - {half + 1}) / {half}",
            "normal": f"n = 2 * code / max - 1, {axes}",
            "normals": self.normals,
            "normal_space": self.normal_space,
            "mask": "code / max",
            "matte": "code / max",
        }

    @property
    def axis_signs(self) -> Float[np.ndarray, "3"]:
        """Signs of the file's axes against ours."""
        return np.array([1, -1 if self.normals == "directx" else 1, 1], np.float32)

    def _scale(self, name: MapName) -> float:
        return self.shading_scale if name == "shading" else 1.0


def png_of(name: MapName, codes: Codes) -> bytes:
    """The bytes of a map as a PNG file; colours are declared as sRGB, data as nothing."""
    return png(codes, colour=name in COLOURS)


def _without_alpha(codes: Codes) -> Num[np.ndarray, "height width *colours"]:
    return codes[..., :3] if codes.ndim == 3 else codes
