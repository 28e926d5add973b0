"""Write caches: renders as arrays of 8 bits, whole or not at all. `data.cache` reads them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import DTypeLike

from illures.data.cache import FORMAT, INDEX, MAPS
from illures.data.context import CONTEXT_RANGE, WIDE_PX
from illures.data.nostrils import stretched
from illures.data.shrink import shrunk
from illures.errors import InputError
from illures.io.decoding import parse_json
from illures.io.files import whole_folder
from illures.math.color import linear_to_srgb
from illures.types import Region, Sample

Guide = Callable[[Float[np.ndarray, "height width 3"]], Float[np.ndarray, "height width 3"]]
# Beside the maps; one file each.
_TYPES: dict[str, DTypeLike] = {
    "light": np.float32,
    "landmarks": np.float32,
    "view": np.int64,
    "identity": np.int64,
    "traced": np.float32,
    "surroundings": np.uint8,
}


class CacheWriter:
    """Writes samples one after the other; an older cache in the folder is replaced at the end.

    Args:
        folder: of the cache.
        source: description of the samples, stored in the index.

    Raises:
        InputError: there are no samples, or the folder can't be written.

    Attributes:
        count: of the samples so far.
    """

    def __init__(self, folder: Path, source: str) -> None:
        self.count, self._source, self._size = 0, source, 0
        self._target, self._stack = folder, ExitStack()
        self._columns: dict[str, list[np.ndarray]] = {name: [] for name in _TYPES}

    def __enter__(self) -> CacheWriter:
        """Begin."""
        self._part = self._stack.enter_context(whole_folder(self._target))
        self._files: dict[str, BinaryIO] = {}
        for name in MAPS:
            self._files[name] = self._stack.enter_context(open(self._part / f"{name}.raw", "wb"))
        return self

    def add(self, maps: Mapping[str, np.ndarray], columns: Mapping[str, object]) -> None:
        """Write one sample: the maps of `MAPS`, and its columns."""
        for name, (stored, _) in MAPS.items():
            maps[name].astype(stored).tofile(self._files[name])
        for name, dtype in _TYPES.items():
            self._columns[name].append(np.asarray(columns[name], dtype=dtype))
        self._size, self.count = len(maps["image"]), self.count + 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Move the cache to its final place, or delete it after an error."""
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            if not self.count:
                raise InputError(f"{self._source}: holds no samples, at least one is needed")
            for name, values in self._columns.items():
                np.save(self._part / f"{name}.npy", np.stack(values))
            about = {"format": FORMAT, "count": self.count, "size": self._size, "source": self._source}
            (self._part / INDEX).write_text(json.dumps(about))


def build_cache(samples: Iterable[Sample], folder: Path, guide: Guide, source: str, size: int | None = None) -> int:
    """Write a cache whole or not at all; return how many samples it holds.

    Args:
        samples: all of one square size.
        folder: made here; an older cache there is replaced.
        guide: takes an sRGB-encoded image to the normals of the dense face mesh in it (zeros where none is found).
        source: what the samples are, kept in the index.
        size: side of the images in the cache [px], to which larger samples are shrunk; None keeps theirs.

    Raises:
        InputError: there are no samples, or they are smaller than `size` or no multiple of it.
    """
    views = _Views()
    with CacheWriter(folder, source) as writer:
        for sample in samples:
            found = guide(np.clip(linear_to_srgb(sample.image), 0, 1).astype(np.float32))
            # Without transport the residual is only what clipping removes from the negative lobes of SH, which lie on
            # no face.
            traced = float(np.abs(sample.residual[sample.mask]).max(initial=0) > 0)
            sample = sample if size is None else shrunk(sample, size)
            columns = {
                "light": sample.light,
                "landmarks": sample.landmarks,
                "view": views.number(sample),
                "identity": sample.identity,
                "traced": traced,
                "surroundings": _codes(sample.context),
            }
            writer.add(_maps(sample, found), columns)
    return writer.count


class _Views:
    """Numbers the views of a set: samples of equal identity, expression and pose differ by the light alone."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int], int] = {}

    def number(self, sample: Sample) -> int:
        """Of the view of the next sample."""
        key = (sample.identity, sample.expression, sample.pose)
        return self._known.setdefault(key, len(self._known))


def is_current(folder: Path, shards: Sequence[Path]) -> bool:
    """Whether a cache exists in the current format, and is newer than its shards."""
    index = folder / INDEX
    if not index.is_file() or index.stat().st_mtime < max(shard.stat().st_mtime for shard in shards):
        return False
    try:
        return parse_json(index.read_text()).get("format") == FORMAT
    except (ValueError, AttributeError):  # damaged: rebuilt
        return False


def _maps(sample: Sample, guide: Float[np.ndarray, "height2 width2 3"]) -> dict[str, np.ndarray]:
    size = sample.image.shape[0]
    values = {
        "image": np.clip(linear_to_srgb(sample.image), 0, 1) * 255,
        "albedo": linear_to_srgb(sample.albedo) * 255,
        "normal": stretched(sample.normal, sample.landmarks, sample.region == Region.SKIN) * 127,
        "mask": sample.mask[..., None] * 255.0,
        "region": sample.region[..., None],
        "guide": cv2.resize(guide, (size, size), interpolation=cv2.INTER_AREA) * 127,
    }
    return {name: np.rint(value) for name, value in values.items()}


def _codes(context: Float[np.ndarray, "wide wide 3"] | None) -> UInt8[np.ndarray, "wide wide 3"]:
    """Surroundings in 8 bits as shards keep them; black where there are none."""
    if context is None:
        return np.zeros((WIDE_PX, WIDE_PX, 3), np.uint8)
    return np.rint(linear_to_srgb(np.clip(context / CONTEXT_RANGE, 0, 1)) * 255).astype(np.uint8)
