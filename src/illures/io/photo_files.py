"""Pixels of photo files: decoded, in RGB or grey, upright, at their own depth. Other modules call `io.photos`."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Num
from PIL import Image

from illures.errors import InputError
from illures.io import cicp, icc, jpeg
from illures.io.container import MAX_PIXELS
from illures.io.decoding import decode_codes, decoding, open_image

MAX_SIDE = 20_000


def read_pixels(path: Path) -> Num[np.ndarray, "height width channels"]:
    """Decode a file that pillow opens: upright, sRGB, alpha kept.

    Raises:
        InputError: the file is no image, is truncated, is too large, or has pixels of a kind that is not read.
    """
    with decoding(path):
        image = open_image(path)
    with image:
        check_size(path, *image.size)
        with decoding(path):
            deep = any(";16" in str(tile.args) for tile in getattr(image, "tile", []))
            turned = orientation_of(image)
            image.load()  # detects truncated files, which OpenCV would accept
            cicp.say_gain_map(path, image)
            jpeg.say_cut(path, image)
            colours = cicp.colours_of(path, image)
            pixels: np.ndarray | None = None
            if not deep:
                # Pillow rotates TIFF while loading, and then reports orientation 1.
                plain, turned = plain_modes(image), orientation_of(image)
                pixels = None if colours.is_srgb else cicp.deep_pixels(path, image)
                if pixels is None:
                    pixels = np.asarray(icc.to_srgb(plain, str(path)) if colours.is_srgb else plain)
        if pixels is not None:
            pixels = upright(pixels if pixels.ndim == 3 else pixels[..., None], turned)
            return pixels if colours.is_srgb else cicp.as_srgb(pixels, colours, path)
        profile = image.info.get("icc_profile")
    codes = _read_deep(path, turned, profile if colours.is_srgb else None)
    return codes if colours.is_srgb else cicp.as_srgb(codes, colours, path)


def _read_deep(path: Path, turned: int, profile: bytes | None) -> Num[np.ndarray, "height width channels"]:
    """16-bit pixels, for which pillow has no modes."""
    with decoding(path):
        codes = decode_codes(_unturned(path))
    if codes is None or codes.dtype != np.uint16:
        raise InputError(f"{path}: 16-bit pixels of a kind that is not read")
    if codes.ndim == 3:
        codes = cv2.cvtColor(codes, cv2.COLOR_BGR2RGB if codes.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    codes = upright(codes if codes.ndim == 3 else codes[..., None], turned)
    if profile and codes.shape[2] >= 3 and not icc.is_srgb(profile):
        codes = np.concatenate([icc.to_srgb16(codes[..., :3], profile, str(path)), codes[..., 3:]], axis=-1)
    return codes


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation; 1 if unreadable, as damaged metadata are no reason to refuse the pixels."""
    try:
        found = image.getexif().get(0x0112, 1)
    except Exception:
        return 1
    return found if isinstance(found, int) else 1


def _unturned(path: Path) -> bytearray:
    """A file's bytes; in TIFF the orientation is set to 1, because OpenCV 5 turns some and fails on others."""
    data = bytearray(path.read_bytes())
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]))
    if order:
        (table,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, table)
        for entry in range(table + 2, table + 2 + 12 * count, 12):
            if struct.unpack_from(order + "H", data, entry) == (0x0112,):
                struct.pack_into(order + "H", data, entry + 8, 1)
    return data


def plain_modes(image: Image.Image) -> Image.Image:
    """Palettes, bilevel and other rare modes as L, LA, RGB, RGBA or CMYK."""
    if image.mode in ("L", "RGB", "RGBA", "CMYK", "LA", "LAB"):
        if "transparency" in image.info and image.mode in ("L", "RGB"):
            return image.convert("RGBA")
        return image
    if image.mode == "P":
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.mode in ("PA", "La", "RGBa"):
        return image.convert("RGBA")
    if image.mode in ("1", "YCbCr", "HSV", "RGBX"):
        return image.convert("L" if image.mode == "1" else "RGB")
    raise InputError(f"pixels of kind {image.mode!r} are not read; save the photo as 8- or 16-bit RGB, or as EXR")


def check_size(path: Path, width: int, height: int) -> None:
    """Raise an InputError for a picture that is too large."""
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        limits = f"at most {MAX_SIDE} a side and {MAX_PIXELS // 1_000_000} megapixels are read"
        raise InputError(f"{path}: {width} x {height} pixels; {limits}")


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation (TIFF 6.0, tag 274: 2 to 8 are the mirrorings and quarter turns)."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array
