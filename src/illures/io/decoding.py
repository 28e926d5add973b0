"""Decoding untrusted files: allowed formats, size limits, and one clear error for any failure of a decoder.

Everything that reads a file of the user goes through this module. No decoder may start a program or open a second
file. Sizes are checked in the header, before memory is allocated. Whatever a decoder raises becomes an InputError.
"""

from __future__ import annotations

import json
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from io import BufferedIOBase, BytesIO
from math import prod
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from illures.errors import InputError, InputWarning

# Pillow knows dozens of formats. One of them (EPS) starts Ghostscript on the file. Only these are allowed.
PHOTO_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF", "JPEG2000", "PPM")
# Pillow's modules for them; MPO is read by that of JPEG, HEIF by pillow-heif. `Image.init` would import dozens more.
_PLUGINS = ("Jpeg", "Png", "WebP", "Tiff", "Bmp", "Gif", "Avif", "Jpeg2K", "Ppm")
# Largest array from a file [bytes]: larger ones are damaged headers or decompression bombs.
MOST_BYTES = 1 << 30
# The largest double has 309 digits.
_MOST_DIGITS = 309
_EXR_MAGIC = b"\x76\x2f\x31\x01"
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


@contextmanager
def decoding(path: str | os.PathLike[str], kind: str = "an image") -> Iterator[None]:
    """Wrap the call of a decoder, and nothing else: whatever it raises becomes an InputError that names the file.

    Args:
        path: of the file.
        kind: what it was to be read as.
    """
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder, where {kind} is expected") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image, or of a kind that is not read") from None
    except MemoryError as error:
        raise InputError(f"{path}: needs more memory than there is") from error
    except Exception as error:
        raise InputError(f"{path}: can't be read as {kind} ({one_line(error)})") from error


def open_image(file: str | os.PathLike[str] | BytesIO) -> Image.Image:
    """Open a file in one of the `PHOTO_FORMATS` with pillow; no pixel is decoded yet.

    Raises:
        UnidentifiedImageError: it is in none of them. Also whatever the decoder raises; see `decoding`.
    """
    if _begins(file)[4:8] == b"ftyp":  # HEIC and AVIF, also those that were renamed to .jpg
        _register_heif(file)
    for name in _PLUGINS:
        import_module(f"PIL.{name}ImagePlugin")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limits are checked by the caller
        return Image.open(file, formats=[name for name in PHOTO_FORMATS if name in Image.OPEN])


def _register_heif(file: str | os.PathLike[str] | BytesIO) -> None:
    """Have pillow read HEIC; AVIF it reads without help.

    Raises:
        InputError: it is a HEIC file, and the library for these is not installed.
    """
    try:
        import pillow_heif
    except ImportError as error:
        if _begins(file)[8:12] not in (b"avif", b"avis"):
            name = file if isinstance(file, (str, os.PathLike)) else "image"
            raise InputError(f'{name}: HEIC photos need the extra: pip install "illures[heic]"') from error
    else:
        pillow_heif.register_heif_opener()


@contextmanager
def name_for_libraries(path: str | os.PathLike[str]) -> Iterator[str]:
    """A name by which libraries in C++ can open an existing file, within the block.

    They only take names in UTF-8; OpenCV crashes on others.

    Raises:
        OSError: the file is not there, or can't be read.
    """
    name = os.fspath(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        with open(path, "rb") as file:
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        yield name


def read_codes(path: str | os.PathLike[str]) -> np.ndarray | None:
    """Pixels as OpenCV decodes them: stored codes, BGR; None if it can't.

    Raises:
        ValueError, OSError: see `decode_codes`; the file can't be read.
    """
    with open(path, "rb") as file:
        _check_chunks(file)
    with name_for_libraries(path) as name:
        return cv2.imread(name, cv2.IMREAD_UNCHANGED)


def decode_codes(data: bytes | bytearray, flags: int = cv2.IMREAD_UNCHANGED) -> np.ndarray | None:
    """The same of a file in memory.

    Raises:
        ValueError: a PNG file claims a chunk that is longer than the file.
    """
    _check_chunks(BytesIO(data))
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags)


def _check_chunks(file: BufferedIOBase) -> None:
    """Raise a ValueError for a PNG file whose chunks can't be in it: OpenCV asks for their memory before it reads."""
    if file.read(8) != _PNG_MAGIC:
        return
    end = file.seek(0, os.SEEK_END)
    place = file.seek(8)
    while place < end:
        length = int.from_bytes(file.read(4), "big")
        if file.read(4) == b"IEND":
            return
        place += 12 + length
        if place > end:
            raise ValueError(f"ends too early: a chunk of {length} bytes ends {place - end} bytes behind the file")
        file.seek(place)


def parse_json(text: str | bytes) -> Any:
    """JSON from a file.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or holds a whole number that no double can hold.
    """
    try:
        return json.loads(text, parse_int=_whole)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_npy(path: Path, most_bytes: int = MOST_BYTES) -> np.ndarray:
    """A .npy file of plain numbers; its header is checked before memory is asked for.

    Raises:
        InputError: it is not a .npy file, is empty, holds something else than numbers, or is larger than `most_bytes`.
    """
    with decoding(path, "a .npy file"), path.open("rb") as file:
        array = _npy(file, os.fstat(file.fileno()).st_size, most_bytes)
        if not array.size:
            raise ValueError(f"shape {array.shape} holds nothing")
        return array


def read_npz(path: str | os.PathLike[str], most_bytes: int = MOST_BYTES) -> dict[str, np.ndarray]:
    """The arrays of a .npz file, numbers or text, each checked as in `read_npy`.

    Raises:
        InputError: it is not a .npz file, or its arrays together are larger than `most_bytes`.
    """
    with decoding(path, "a .npz file"), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > most_bytes:
            raise InputError(f"{path}: unfolds to more than {most_bytes >> 20} MiB")
        arrays = {}
        for member in members:
            with archive.open(member) as file:
                arrays[member.filename.removesuffix(".npy")] = _npy(file, member.file_size, most_bytes, text=True)
        return arrays


_NOTES: ContextVar[list[str] | None] = ContextVar("notes", default=None)


def note(path: str | os.PathLike[str], words: str) -> None:
    """Warn that a file is read only in part, or was converted."""
    kept = _NOTES.get()
    if kept is not None and words not in kept:
        kept.append(words)
    warnings.warn(f"{path}: {words}", InputWarning, stacklevel=2)


@contextmanager
def noted() -> Iterator[list[str]]:
    """Collect the messages of `note` within the block, without file names, to store them with the results."""
    words: list[str] = []
    token = _NOTES.set(words)
    try:
        yield words
    finally:
        _NOTES.reset(token)


def read_tensors(path: Path, kind: str, framework: str = "numpy") -> tuple[dict[str, Any], dict[str, str]]:
    """Tensors and header of a safetensors file.

    Args:
        path: of the file.
        kind: what it was to be read as.
        framework: "numpy", or "pt" for torch's tensors.

    Raises:
        InputError: it is not a safetensors file.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with decoding(path, kind), safe_open(path, framework=framework) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118 (not a dict)


def one_line(error: BaseException) -> str:
    """The message of an exception on one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _npy(file: Any, size: int, most_bytes: int, text: bool = False) -> np.ndarray:
    """A .npy stream of `size` bytes."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"version {version}; 1.0 and 2.0 are read")
    if dtype.kind not in ("biufU" if text else "biuf"):
        raise ValueError(f"holds {dtype}, where plain numbers are expected")
    bytes_ = prod(shape) * dtype.itemsize
    if bytes_ > most_bytes:
        raise ValueError(f"shape {shape}: {bytes_ / 2**20:.3g} MiB; at most {most_bytes >> 20} are read")
    if bytes_ > size:
        raise ValueError(f"shape {shape} says {bytes_} bytes, the file has {size}")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def _begins(file: str | os.PathLike[str] | BytesIO, count: int = 12) -> bytes:
    """The first bytes of a file."""
    if isinstance(file, (str, os.PathLike)):
        with open(file, "rb") as opened:
            return opened.read(count)
    place = file.tell()
    start = file.read(count)
    file.seek(place)
    return start


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    number = int(digits)
    float(number)  # raises where it is beyond a double
    return number
