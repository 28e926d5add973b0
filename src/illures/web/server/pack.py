"""Pack the textures of one face for the browser: JSON and arrays in one binary response.

Layout: the length of the JSON in 4 bytes (little endian), the JSON, then the arrays, each starting at a multiple of 8
bytes, row 0 at the top. Maps are half floats, whose rounding error is far below a step of an 8-bit image.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from illures.decompose.decomposition import Decomposition
from illures.io.photos import Photo
from illures.relighting.exposure import own_tint
from illures.web.server.facemaps import FaceMaps, face_sample, mean_basis, reduced

_ALIGNED = 8


def pack_face(photo: Photo, faces: Sequence[Decomposition], index: int, side: int) -> bytes:
    """Pack a photo and the maps of one of its faces, at most `side` pixels a side.

    Args:
        photo: sRGB-encoded.
        faces: all faces of the photo.
        index: index of the face.
        side: largest side of the textures [px].
    """
    small, placed = reduced(photo, faces, side)
    face = placed[index]
    found = FaceMaps(small, face, [other.crop for other in placed if other is not face])
    maps = found.whole()
    arrays = {
        "photo": small,
        "albedo": maps.albedo.astype(np.float16),
        "normal": maps.normal.astype(np.float16),
        "residual": maps.residual.astype(np.float16),
        "weight": np.round(np.stack([maps.around, maps.head], axis=-1) * 255).astype(np.uint8),
        "sample": face_sample(face),
    }
    points = face.crop.face.landmarks[:, :2]
    low, high = points.min(0), points.max(0)
    about = {
        "width": small.shape[1],
        "height": small.shape[0],
        "rect": list(found.rect),
        "light": np.round(found.light.astype(np.float64), 7).tolist(),
        "floor": round(float(found.floor), 7),
        "tint": np.round(own_tint(face).astype(np.float64), 7).tolist(),
        "meanBasis": np.round(mean_basis(face), 7).tolist(),
        "centre": np.round((low + high) / 2, 2).tolist(),
        "radius": round(float((high - low).max()) / 2, 2),
    }
    return pack(about, arrays)


def pack(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """Pack JSON and arrays in the layout of this module. Key `arrays` is added to the JSON."""
    places: list[dict[str, Any]] = []
    offset = 0
    for name, array in arrays.items():
        places.append({"name": name, "type": array.dtype.name, "shape": array.shape, "offset": offset})
        offset = _up(offset + array.nbytes)
    text = json.dumps({**about, "arrays": places}).encode()
    start = _up(4 + len(text))
    out = bytearray(start + offset)
    out[: 4 + len(text)] = struct.pack("<I", len(text)) + text
    for place, array in zip(places, arrays.values(), strict=True):
        first = start + place["offset"]
        out[first : first + array.nbytes] = np.ascontiguousarray(array).tobytes()
    return bytes(out)


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Inverse of `pack`."""
    (length,) = struct.unpack_from("<I", data)
    about = json.loads(data[4 : 4 + length])
    start, arrays = _up(4 + length), {}
    for place in about.pop("arrays"):
        count = int(np.prod(place["shape"]))
        flat = np.frombuffer(data, np.dtype(place["type"]), count, start + place["offset"])
        arrays[place["name"]] = flat.reshape(place["shape"])
    return about, arrays


def _up(size: int) -> int:
    """Round up to a multiple of 8."""
    return -(-size // _ALIGNED) * _ALIGNED
