"""Training samples in one small file, for transfer to a machine with a GPU: 8-bit crops, coded as pictures.

Samples of a view share albedo, normals and classes, which are stored once. Image, albedo, normals and guide are JPEGs
of full colour resolution; exact data (classes, mask, surface) are PNG.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Int8, UInt8

from illures.data.cache import SampleCache
from illures.data.caching import CacheWriter
from illures.errors import InputError
from illures.io.decoding import decode_codes, decoding, parse_json
from illures.io.files import write_whole

SUFFIX = ".crops"
_FORMAT, _INDEX = "illures-crops-1", "index.json"
_MARGIN, _ENTRY = 4096, 256  # bytes of the archive itself, and of each entry
_QUALITY = 92
_NONE = 0.5  # a guide shorter than this is none


def pack(caches: Sequence[Path], path: Path, limit: int, progress: Callable[[int], None] = lambda count: None) -> int:
    """Write as many views as fit, drawn evenly from all caches, whole or not at all; return how many samples.

    Args:
        caches: folders of the sets' caches.
        path: the file.
        limit: its largest size [bytes].
        progress: called with the number of samples coded so far.

    Raises:
        InputError: not one view fits, or the file can't be written.
    """
    cache, buffer, kept, size = SampleCache(caches), io.BytesIO(), 0, _MARGIN
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for view in np.random.default_rng(0).permutation(np.unique(cache.view)):
            indices = np.flatnonzero(cache.view == view)
            blob = _coded(cache, indices)
            size += len(blob) + _ENTRY
            if size > limit:
                break
            archive.writestr(f"{cache.set[indices[0]]:03d}/{view:07d}.npz", blob)
            kept += len(indices)
            progress(kept)
        sources = [folder.name for folder in caches]
        archive.writestr(_INDEX, json.dumps({"format": _FORMAT, "size": cache.size, "sets": sources}))
    if not kept:
        raise InputError(f"{path}: {limit} bytes hold no view of {cache.size} px")
    write_whole(path, buffer.getvalue())
    return kept


def unpack(path: Path, folder: Path, progress: Callable[[int], None] = lambda count: None) -> tuple[Path, ...]:
    """Make the caches of a file that `pack` wrote, each whole or not at all; return their folders, one a set.

    Raises:
        InputError: the file is damaged or something else.
    """
    made, samples = [], 0
    with decoding(path, "a file of training crops"), zipfile.ZipFile(path) as archive:
        about = parse_json(archive.read(_INDEX).decode())
        if about.get("format") != _FORMAT:
            raise InputError(f"{path}: is not a file of training crops of format {_FORMAT!r}")
        names = sorted(name for name in archive.namelist() if name.endswith(".npz"))
        for number in sorted({name.partition("/")[0] for name in names}):
            target = folder / f"{path.stem}-{number}"
            with CacheWriter(target, f"{path}: {about['sets'][int(number)]}") as writer:
                for view, name in enumerate(name for name in names if name.startswith(number)):
                    for maps, columns in _decoded(archive.read(name), view):
                        writer.add(maps, columns)
                        samples += 1
                        progress(samples)
            made.append(target)
    return tuple(made)


def _coded(cache: SampleCache, indices: np.ndarray) -> bytes:
    """The samples of one view."""
    raw = cache.raw(indices)
    labels = np.concatenate(
        [raw["region"][0], raw["mask"][0], 255 * (raw["normal"][0] != 0).any(-1, keepdims=True).astype(np.uint8)], -1
    )
    values: dict[str, np.ndarray] = {
        "albedo": _jpeg(raw["albedo"][0]),
        "normal": _jpeg(_unsigned(raw["normal"][0])),
        "labels": np.frombuffer(cv2.imencode(".png", labels[..., ::-1])[1].tobytes(), np.uint8),
        "identity": cache.identity[indices[:1]],
    }
    for k in range(len(indices)):
        values[f"image{k}"] = _jpeg(raw["image"][k])
        values[f"guide{k}"] = _jpeg(_unsigned(raw["guide"][k]))
        values[f"surroundings{k}"] = _jpeg(raw["surroundings"][k])
    values |= {name: raw[name] for name in ("light", "traced")}
    values["landmarks"] = raw["landmarks"].astype(np.float16)
    buffer = io.BytesIO()
    np.savez(buffer, **values)  # type: ignore[arg-type]
    return buffer.getvalue()


def _decoded(blob: bytes, view: int) -> Iterator[tuple[dict[str, np.ndarray], dict[str, object]]]:
    """Maps and columns of each sample of a view."""
    with np.load(io.BytesIO(blob), allow_pickle=False) as values:
        labels = _picture(values["labels"])
        surface = labels[..., 2:] > 0
        shared = {
            "albedo": _picture(values["albedo"]),
            "normal": np.where(surface, _signed(_picture(values["normal"])), 0).astype(np.int8),
            "region": labels[..., :1],
            "mask": labels[..., 1:2],
        }
        for k in range(len(values["light"])):
            guide = _signed(_picture(values[f"guide{k}"]))
            there = np.linalg.norm(guide / 127.0, axis=-1, keepdims=True) > _NONE
            maps = shared | {
                "image": _picture(values[f"image{k}"]),
                "guide": np.where(there, guide, 0).astype(np.int8),
            }
            yield (
                maps,
                {
                    "light": values["light"][k],
                    "landmarks": values["landmarks"][k].astype(np.float32),
                    "surroundings": _picture(values[f"surroundings{k}"]),
                    "traced": values["traced"][k],
                    "identity": values["identity"][0],
                    "view": view,
                },
            )


def _jpeg(picture: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, " bytes"]:
    full = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY, *full])
    assert done
    return coded.ravel()


def _picture(coded: UInt8[np.ndarray, " bytes"]) -> UInt8[np.ndarray, "height width 3"]:
    found = decode_codes(coded.tobytes(), cv2.IMREAD_COLOR)
    if found is None:
        raise ValueError("a picture that can't be decoded")
    return np.ascontiguousarray(found[..., ::-1])


def _unsigned(signed: Int8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    return (signed.astype(np.int16) + 128).astype(np.uint8)


def _signed(unsigned: UInt8[np.ndarray, "height width 3"]) -> Int8[np.ndarray, "height width 3"]:
    return np.clip(unsigned.astype(np.int16) - 128, -127, 127).astype(np.int8)
