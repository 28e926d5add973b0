"""What shards are made of: files of pixels and numbers in memory."""

from __future__ import annotations

import io

import cv2
import numpy as np

from illures.io.decoding import open_image

# Of one picture in a shard; ours have a megapixel at most.
_PIXELS = 64_000_000


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
        ValueError: it is none.
    """
    with open_image(io.BytesIO(data)) as image:
        if image.width * image.height > _PIXELS:
            raise ValueError(f"an image of {image.width} x {image.height} pixels")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("not an image file")
    return np.ascontiguousarray(pixels[..., ::-1]) if pixels.ndim == 3 else pixels
