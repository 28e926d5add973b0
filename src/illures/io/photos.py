"""Read and write photos, upright and in sRGB.

Convention: [height, width, 3], sRGB-encoded, row 0 at the top after the EXIF rotation. `read_photo` keeps the file's
depth (uint8, uint16, or float32 from EXR), `load_image` gives float32 in [0, 1].
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Num
from PIL import Image

from illures.errors import InputError
from illures.io import icc
from illures.io.decoding import decoding, note
from illures.io.exr import read_exr_linear, write_exr
from illures.io.files import write_whole
from illures.io.photo_files import check_size, orientation_of, plain_modes, read_pixels, upright
from illures.io.png import png
from illures.math.color import linear_to_srgb, srgb_to_linear

# Colour behind transparent pixels: mid grey (encoded), the safest guess for the light around a cut-out face.
BACKDROP = 0.5

Photo = Num[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class Opened:
    """A photo as read from a file.

    Attributes:
        photo: upright, sRGB; transparent pixels lie over mid grey.
        alpha: 0 (transparent) to 1; None where all is opaque.
    """

    photo: Photo
    alpha: Float[np.ndarray, "height width"] | None = None


def load_image(path: str | os.PathLike[str]) -> Float[np.ndarray, "height width 3"]:
    """Read a photo as float32 sRGB in [0, 1].

    EXIF rotation is applied, ICC profiles are converted, 16 bits stay 16 bits, grey becomes RGB, transparent pixels
    are laid over mid grey, EXR is encoded and clipped to [0, 1], the first frame of an animation is taken.

    Raises:
        InputError: the file is missing, is no image, is truncated, or is too large.
    """
    return as_float(read_photo(path))


def as_float(photo: Photo) -> Float[np.ndarray, "height width 3"]:
    """Codes to float32 in [0, 1]; floats pass through."""
    if photo.dtype == np.uint8 or photo.dtype == np.uint16:
        return np.multiply(photo, 1 / np.iinfo(photo.dtype).max, dtype=np.float32)
    return photo.astype(np.float32, copy=False)


def as_linear(photo: Photo) -> Float[np.ndarray, "height width 3"]:
    """Decode the sRGB curve of codes or floats, float32; integers by a table, which is exact and fast."""
    if photo.dtype == np.uint8 and photo.size and photo.ndim == 3 and photo.shape[2] <= 4:
        return np.asarray(cv2.LUT(photo, _linear_levels(255)))  # three times as fast as numpy's
    if photo.dtype == np.uint8 or photo.dtype == np.uint16:
        return _linear_levels(int(np.iinfo(photo.dtype).max)).take(photo)
    return srgb_to_linear(photo.astype(np.float32, copy=False))


@cache
def _linear_levels(top: int) -> Float[np.ndarray, " levels"]:
    return srgb_to_linear(np.arange(top + 1, dtype=np.float64) / top).astype(np.float32)


def read_photo(path: str | os.PathLike[str]) -> Photo:
    """Read a photo at its own depth: uint8, uint16, or float32 in [0, 1] (EXR); see `load_image`."""
    return open_photo(path).photo


def open_photo(path: str | os.PathLike[str]) -> Opened:
    """Read a photo at its own depth, with its alpha; see `load_image`."""
    path = Path(path)
    with decoding(path), path.open("rb") as file:
        magic = file.read(4)
    return _read_exr(path) if magic == b"\x76\x2f\x31\x01" else _opened(read_pixels(path))


def to_photo(image: Any, name: str = "image") -> Photo:
    """The photo of `to_opened`."""
    return to_opened(image, name).photo


def to_opened(image: Any, name: str = "image") -> Opened:
    """A path, a pillow image, or an array as a photo with its alpha.

    Args:
        image: arrays are [height, width], or with 1, 3 or 4 channels: uint8, uint16, or floating sRGB in [0, 1];
            PyTorch tensors may have their channels first, as is usual there.
        name: used in errors.

    Raises:
        InputError: an array of another shape or type, or with values that are not finite or not in [0, 1].
    """
    if isinstance(image, (str, os.PathLike)):
        return open_photo(image)
    if isinstance(image, Image.Image):
        image = upright(np.asarray(icc.to_srgb(plain_modes(image), name)), orientation_of(image))
    array = _from_torch(image) if hasattr(image, "detach") else np.asarray(image)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise InputError(f"{name}: shape {np.shape(image)}; must be [height, width] with 1, 3 or 4 channels")
    if np.issubdtype(array.dtype, np.floating):
        array = array.astype(np.float32, copy=False)
        if not (array.size and array.min() >= -1e-4 and array.max() <= 1 + 1e-4):  # NaN fails too
            raise InputError(f"{name}: float values must be sRGB-encoded in [0, 1]")
        array = np.clip(array, 0, 1)
    elif array.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{name}: type {array.dtype}; must be uint8, uint16 or float")
    return _opened(array)


def is_batch(image: Any) -> bool:
    """Whether this is several images: a list or tuple, or an array or tensor of four axes."""
    return isinstance(image, (list, tuple)) or getattr(image, "ndim", 0) == 4


def _from_torch(tensor: Any) -> np.ndarray:
    """A tensor on any device as an array, channels last."""
    array: np.ndarray = tensor.detach().cpu().float().numpy() if tensor.is_floating_point() else tensor.cpu().numpy()
    first = array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4)
    return np.moveaxis(array, 0, -1) if first else array


def save_image(
    path: str | os.PathLike[str],
    image: Photo,
    bits: int = 8,
    alpha: Float[np.ndarray, "height width"] | None = None,
) -> None:
    """Write an image: float sRGB in [0, 1] (clipped), or codes. The file appears whole or not at all.

    Args:
        path: its suffix selects the format: png, tif, jpg, webp, or exr (linear half floats).
        image: as `load_image` gives it.
        bits: 8, or 16 for png and tif.
        alpha: in [0, 1]; JPEG has none: it is left out, with a note.

    Raises:
        InputError: an unknown suffix, 16 bits in a format that has none, or a file that can't be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    check_savable(path)
    if suffix == ".exr":
        linear = as_linear(image)
        if alpha is not None:  # EXR colours are premultiplied with alpha
            linear = np.concatenate([linear, np.ones_like(linear[..., :1])], axis=-1) * alpha[..., None]
        write_exr(path, linear.astype(np.float16))
        return
    if bits not in (8, 16) or (bits == 16 and suffix not in (".png", ".tif", ".tiff")):
        raise InputError(f"{path}: {bits} bits; must be 8, or 16 for png and tif")
    kind: Any = np.uint8 if bits == 8 else np.uint16
    codes = image if image.dtype == kind else np.round(np.clip(as_float(image), 0, 1) * np.iinfo(kind).max).astype(kind)
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix in (".jpg", ".jpeg") else []
    if alpha is not None and options:
        note(path, "JPEG has no alpha; transparent pixels of the photo become mid grey")
    elif alpha is not None:
        codes = np.dstack([codes, np.round(alpha * np.float32(np.iinfo(kind).max)).astype(kind)])
    write_whole(path, encoded(codes, suffix, options))


def save_with_bits(path: Path, photo: Photo, bits: int, alpha: Float[np.ndarray, "height width"] | None) -> None:
    """Write a photo as it is if it has `bits` bits, else rounded to them; see `save_image`."""
    save_image(path, photo if photo.dtype == np.dtype(f"uint{bits}") else as_float(photo), bits, alpha)


def check_savable(path: Path) -> None:
    """Raise an InputError unless `save_image` writes files of this suffix."""
    if path.suffix.lower() not in (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".webp", ".exr"):
        raise InputError(
            f"{path}: can't write {path.suffix or 'a file with no suffix'}; use png, tif, jpg, webp or exr"
        )


def encoded(codes: Num[np.ndarray, "height width *channels"], suffix: str, options: list[int] | None = None) -> bytes:
    """The bytes of an sRGB picture file; channels are RGB or RGBA."""
    if suffix == ".png":
        return png(codes, colour=True)
    if codes.ndim == 3:
        codes = cv2.cvtColor(codes, cv2.COLOR_RGB2BGR if codes.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    done, data = cv2.imencode(suffix, codes, options or [])
    if not done:
        raise InputError(f"an image of shape {codes.shape} can't be written as {suffix}")
    return data.tobytes()


def _read_exr(path: Path) -> Opened:
    linear = read_exr_linear(path)
    check_size(path, linear.shape[1], linear.shape[0])
    linear, alpha = np.nan_to_num(linear, nan=0.0), None
    if linear.ndim == 3 and linear.shape[2] == 4:  # EXR colours are premultiplied with alpha
        behind = srgb_to_linear(np.float32(BACKDROP))
        alpha = np.clip(linear[..., 3], 0, 1)
        linear = linear[..., :3] + (1 - alpha[..., None]) * behind
    srgb = np.clip(linear_to_srgb(np.clip(linear, 0, 1)), 0, 1).astype(np.float32)
    photo = np.ascontiguousarray(srgb if srgb.ndim == 3 else np.repeat(srgb[..., None], 3, axis=-1))
    return Opened(photo, None if alpha is None or (alpha == 1).all() else alpha.astype(np.float32))


def _opened(array: Num[np.ndarray, "height width channels"]) -> Opened:
    """Channels as a photo and its alpha."""
    alpha = None
    if array.shape[2] in (2, 4):
        alpha = array[..., -1].astype(np.float32)
        if np.issubdtype(array.dtype, np.integer):
            alpha /= np.float32(np.iinfo(array.dtype).max)
        alpha = None if (alpha == 1).all() else np.ascontiguousarray(alpha)
    return Opened(np.ascontiguousarray(over_backdrop(array)), alpha)


def over_backdrop(array: Num[np.ndarray, "height width channels"]) -> Photo:
    """One, two (grey, alpha), three or four channels to three."""
    if array.shape[2] in (1, 3):
        return np.broadcast_to(array, (*array.shape[:2], 3)) if array.shape[2] == 1 else array
    top = 1.0 if np.issubdtype(array.dtype, np.floating) else float(np.iinfo(array.dtype).max)
    color, alpha = array[..., :-1], array[..., -1:]
    if (alpha == top).all():
        return over_backdrop(color)
    weight = alpha.astype(np.float32) / np.float32(top)
    mixed = color * weight + np.float32(BACKDROP * top) * (1 - weight)
    return over_backdrop((mixed if top == 1.0 else np.round(mixed)).astype(array.dtype))
