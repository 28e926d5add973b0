"""Prepare synthetic shards for training: the cache, and the guide from detected landmarks."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from illures.data.caching import build_cache, is_current
from illures.data.pack import SUFFIX, unpack
from illures.data.shards import name_of, read_shards, shard_paths
from illures.faces import find_face_in_crop, guide_normals
from illures.types import Sample


def prepare(
    folders: list[Path],
    cache: Path,
    progress: Callable[[int], None] = lambda count: None,
    size: int | None = None,
) -> tuple[Path, ...]:
    """Make the cache of each folder of shards under `cache`, unless it is there, current and newer than the shards.

    Args:
        folders: of shards, each a synthetic set; or files that `data.pack` wrote, which hold sets of one size.
        cache: folder of caches, one a set.
        progress: called with the number of samples read so far.
        size: side of the images in the caches [px]; None keeps that of the samples.

    Returns:
        The folders that `SampleCache` opens.

    Raises:
        InputError: a folder holds no shards, or shards that cannot be read.
    """
    made: list[Path] = []
    for k, folder in enumerate(folders):
        if folder.suffix == SUFFIX:
            made += _unpacked(folder, cache, progress)
            continue
        target = cache / f"{k}-{name_of(folder)}{'' if size is None else f'-{size}'}"
        shards = shard_paths(folder)
        if not is_current(target, shards):
            build_cache(_counted(read_shards(shards), progress), target, guide_in, str(folder), size)
        made.append(target)
    return tuple(made)


def _unpacked(path: Path, cache: Path, progress: Callable[[int], None]) -> Sequence[Path]:
    there = sorted(cache.glob(f"{glob.escape(path.stem)}-[0-9][0-9][0-9]"))
    if there and all(is_current(folder, [path]) for folder in there):
        return there
    return unpack(path, cache, progress)


def guide_in(image: Float[np.ndarray, "size size 3"]) -> Float[np.ndarray, "size size 3"]:
    """Guide (`faces.guide_normals`) of the face found in an aligned sRGB-encoded crop; zeros where no face is found.

    The landmarks come from the image itself, as they do for a photo, so that training sees their errors.
    """
    face = find_face_in_crop(image)
    return np.zeros_like(image) if face is None else guide_normals(face.landmarks, image.shape[0])


def _counted(samples: Iterator[Sample], progress: Callable[[int], None]) -> Iterator[Sample]:
    for count, sample in enumerate(samples, start=1):
        yield sample
        progress(count)
