"""Building blocks of shards: samples in a tar, and picture and array files in memory."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from illures.io import webdataset
from illures.io.decoding import decode_codes, decoding, open_image

Record = TypeVar("Record")

# Largest picture in a shard; ours have at most a megapixel.
_PIXELS = 64_000_000


def tar_bytes(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A tar of files by name; equal files give equal bytes."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files:
            webdataset.add(tar, name, data)
    return memory.getvalue()


def read_samples(paths: Iterable[Path], kind: str, parse: Callable[[dict[str, bytes]], Record]) -> Iterator[Record]:
    """The WebDataset samples of tars, in order.

    Args:
        paths: of the tars.
        kind: what each should be, for errors.
        parse: makes a record of the files of a sample, by suffix.

    Raises:
        InputError: a file is not a tar of such samples.
    """
    for path in paths:
        with decoding(path, kind), tarfile.open(path, "r:") as tar:
            for _, files in webdataset.grouped(tar):
                yield parse(files)


def encoded_pixels(kind: str, pixels: np.ndarray, options: list[int]) -> bytes:
    """A file of RGB or grey pixels; `kind` as in ".png".

    Raises:
        ValueError: they do not encode as that.
    """
    done, data = cv2.imencode(kind, pixels[..., ::-1] if pixels.ndim == 3 else pixels, options)
    if not done:
        raise ValueError(f"pixels of shape {pixels.shape} and type {pixels.dtype} do not encode as {kind}")
    return data.tobytes()


def encoded_array(array: np.ndarray) -> bytes:
    """A .npy file."""
    memory = io.BytesIO()
    np.save(memory, array, allow_pickle=False)
    return memory.getvalue()


def decoded_pixels(data: bytes) -> np.ndarray:
    """The pixels of a file, RGB or grey.

    Raises:
        ValueError: it is not such a picture.
    """
    with open_image(io.BytesIO(data)) as image:
        if image.width * image.height > _PIXELS:
            raise ValueError(f"an image of {image.width} x {image.height} pixels")
    pixels = decode_codes(data)
    if pixels is None:
        raise ValueError("not an image file")
    return np.ascontiguousarray(pixels[..., ::-1]) if pixels.ndim == 3 else pixels
