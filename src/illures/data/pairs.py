"""Pairs of frames of one person, far apart in pose, expression and light, for training on real videos.

Shards of `illures videos` are converted once into a cache of memory-mapped raw maps, as synthetic sets (`data.cache`).
Pairs depend only on the frames and a seed.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from illures.data.caches import Caches
from illures.data.choice import describe
from illures.data.frames import FrameRecord, read_frame_shards
from illures.data.shards import name_of, shard_paths
from illures.errors import InputError
from illures.faces.contour import draw_contour, points68
from illures.faces.guide import guide_normals
from illures.io.photos import as_linear

_MAPS = {"image": (np.uint8, 3), "mask": (np.uint8, 1), "guide": (np.int8, 3)}
_ARRAYS = ("landmarks", "features", "identity", "clip", "licence", "shot", "time_s")
_INDEX = "index.json"
_FORMAT = 3  # introduced with licences


@dataclass(frozen=True)
class VideoBatch:
    """Frames side by side as torch tensors.

    Attributes:
        image: what the camera saw, linear, in [0, 1].
        mask: 1 on the face, 0 elsewhere.
        guide: normals of the dense landmark mesh, camera frame; zero where there is none.
        landmarks: of the dense mesh, pixels of the crop (see `types.Face`).
        contour: C, drawn from the landmarks.
    """

    image: Float[Tensor, "batch height width 3"]
    mask: Float[Tensor, "batch height width 1"]
    guide: Float[Tensor, "batch height width 3"]
    landmarks: Float[Tensor, "batch 478 3"]
    contour: Float[Tensor, "batch height width 1"]


def build_frame_cache(frames: Iterable[FrameRecord], folder: Path, source: str) -> int:
    """Write a cache whole or not at all; return how many frames it holds.

    Args:
        frames: all of one size.
        folder: made here; an older cache there is replaced.
        source: what the frames are, kept in the index.

    Raises:
        InputError: there are no frames, or their sizes differ.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    columns: dict[str, list] = defaultdict(list)
    files = {name: open(part / f"{name}.raw", "wb") for name in _MAPS}  # noqa: SIM115 (closed below, all together)
    try:
        for frame in frames:
            size = frame.image.shape[0]
            columns["size"].append(size)
            if size != columns["size"][0]:
                raise InputError(f"{source}: frames of {columns['size'][0]} and {size} px, one size is needed")
            guide = np.rint(guide_normals(frame.landmarks, size) * 127).astype(np.int8)
            for name, values in (("image", frame.image), ("mask", frame.mask * np.uint8(255)), ("guide", guide)):
                values.tofile(files[name])
            columns["features"].append(describe(frame.image, frame.landmarks, frame.mask.astype(np.float32)))
            for name in ("landmarks", "identity", "clip", "licence", "shot", "time_s"):
                columns[name].append(getattr(frame, name))
    finally:
        for file in files.values():
            file.close()
    if not columns["size"]:
        raise InputError(f"{source}: holds no frames, at least one is needed")
    for name in _ARRAYS:
        np.save(part / f"{name}.npy", np.array(columns[name]))
    about = {"format": _FORMAT, "count": len(columns["size"]), "size": columns["size"][0], "source": source}
    (part / _INDEX).write_text(json.dumps(about))
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
    return len(columns["size"])


def prepare_frames(folders: Sequence[Path], cache: Path) -> tuple[Path, ...]:
    """Make the cache of each folder of shards under `cache`, unless it is there, current and newer than the shards.

    Returns:
        The folders that `VideoFrames` opens.

    Raises:
        InputError: a folder holds no shards, or shards that cannot be read.
    """
    made = []
    for k, folder in enumerate(folders):
        target, shards = cache / f"{k}-{name_of(folder)}", shard_paths(folder)
        index = target / _INDEX
        # A shard that was taken away leaves no time of its own, but changes that of its folder.
        newest = max(path.stat().st_mtime for path in [*shards, folder])
        if not index.is_file() or index.stat().st_mtime < newest or _about(target)["format"] != _FORMAT:
            build_frame_cache(read_frame_shards(shards), target, str(folder))
        made.append(target)
    return tuple(made)


class VideoFrames:
    """Random access to the frames of one or several caches of the same size.

    Attributes:
        size: side of the images [px].
        identity, clip: names, of each frame; a clip's name begins with the number of its cache.
        licence: of the clip of each frame; "" where that is not known.
        shot: number within the clip.
        features: descriptors (see `choice.describe`).

    Raises:
        InputError: a folder is not a cache, or the sizes differ.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._caches = caches = Caches(folders, _open)
        self.size = caches.size
        self.identity, self.licence = caches.column("identity"), caches.column("licence")
        self.clip = np.concatenate([np.char.add(f"{k}/", part["clip"]) for k, part in enumerate(caches.parts)])
        self.shot, self.features = caches.column("shot"), caches.column("features")

    def __len__(self) -> int:
        return len(self._caches)

    def batch(self, indices: Sequence[int] | np.ndarray) -> VideoBatch:
        """Read the frames at `indices`."""
        raw = {name: self._caches.rows(name, indices) for name in (*_MAPS, "landmarks")}
        contours = [draw_contour(points68(points), self.size) for points in raw["landmarks"]]
        linear = as_linear(raw["image"].reshape(-1, self.size, 3)).reshape(raw["image"].shape)
        return VideoBatch(
            image=torch.from_numpy(linear),
            mask=torch.from_numpy(raw["mask"]).float() / 255,
            guide=torch.from_numpy(raw["guide"]).float() / 127,
            landmarks=torch.from_numpy(raw["landmarks"]),
            contour=torch.from_numpy(np.stack(contours)[..., None]),
        )


class PairSampler:
    """Draws pairs (i, j) of frames of one person.

    A person is drawn, then a frame i of that person, then j: from the same shot with a chance that grows with the
    square of the distance of their descriptors; or, with the chance `across`, from another shot or clip of the person,
    where there is one. The pairs of a step depend only on the seed and the step.

    Args:
        frames: to draw from.
        seed: of the draws; processes that share the work take different ones.
        identities: people to draw from; None: all. Those with a single frame are left out.
        across: chance of a pair of two shots or clips; 0 where a clip may show several people, one a shot.

    Raises:
        InputError: nobody has two frames, or `across` is no chance.
    """

    def __init__(
        self, frames: VideoFrames, seed: int, identities: Collection[str] | None = None, across: float = 0.25
    ) -> None:
        if not 0 <= across <= 1:
            raise InputError(f"across = {across}: must be in [0, 1]")
        self.size = frames.size
        self._frames, self._seed, self._across = frames, seed, across
        self._place = _places(frames)
        self._people: list[Int[np.ndarray, " k"]] = []
        for name in np.unique(frames.identity):
            own = np.flatnonzero(frames.identity == name)
            # People without a second frame that may be paired with the first are left out.
            own = own if across > 0 and len(own) > 1 else own[_sharing(self._place[own])]
            if len(own) and (identities is None or name in identities):
                self._people.append(own)
        if not self._people:
            raise InputError("frames of videos: nobody has two frames to make a pair of")

    def pairs(self, step: int, count: int) -> tuple[Int[np.ndarray, " count"], Int[np.ndarray, " count"]]:
        """Indices of the first and second frames of the pairs of a step."""
        return self._draw(np.random.default_rng([self._seed, step]), count)

    def batch(self, step: int, count: int) -> tuple[VideoBatch, VideoBatch]:
        """The first and second frames of the pairs of a step."""
        first, second = self.pairs(step, count)
        return self._frames.batch(first), self._frames.batch(second)

    def draw(self, rng: np.random.Generator, count: int) -> tuple[VideoBatch, VideoBatch]:
        """First and second frames of `count` pairs; the same for equal generators."""
        first, second = self._draw(rng, count)
        return self._frames.batch(first), self._frames.batch(second)

    def _draw(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        drawn = [self._pair(rng) for _ in range(count)]
        first, second = zip(*drawn, strict=True)
        return np.array(first), np.array(second)

    def _pair(self, rng: np.random.Generator) -> tuple[int, int]:
        own = self._people[rng.integers(len(self._people))]
        i = int(own[rng.integers(len(own))])
        same = self._place[own] == self._place[i]
        near, far = own[same & (own != i)], own[~same]
        others = far if len(far) and (rng.random() < self._across or not len(near)) else near
        weight = np.square(np.linalg.norm(self._frames.features[others] - self._frames.features[i], axis=1)) + 1e-9
        return i, int(rng.choice(others, p=weight / weight.sum()))


def split_identities(identities: Iterable[str], share: float, seed: int) -> tuple[list[str], list[str]]:
    """Split people into those to train on and those held out.

    Args:
        identities: names, repeated ones count once.
        share: of the people that are held out, in [0, 1); at least one where it is above 0.
        seed: of the choice.

    Returns:
        Names to train on, and names held out, both sorted.

    Raises:
        InputError: `share` is out of range, or nobody would be left.
    """
    names = sorted(set(map(str, identities)))
    if not 0 <= share < 1:
        raise InputError(f"share = {share}: must be in [0, 1)")
    count = max(1, round(share * len(names))) if share > 0 else 0
    if count >= len(names):
        raise InputError(f"share = {share}: of {len(names)} people nobody would be left to train on")
    held = {names[k] for k in np.random.default_rng(seed).permutation(len(names))[:count]}
    return [name for name in names if name not in held], sorted(held)


def _places(frames: VideoFrames) -> Int[np.ndarray, " frames"]:
    """Numbers of the shots over all clips."""
    keys = np.char.add(np.char.add(frames.clip, "/"), frames.shot.astype(str))
    return np.unique(keys, return_inverse=True)[1]


def _sharing(places: Int[np.ndarray, " k"]) -> np.ndarray:
    """Mask of the entries that occur more than once."""
    _, back, counts = np.unique(places, return_inverse=True, return_counts=True)
    return np.asarray(counts[back] > 1)


def _about(folder: Path) -> dict:
    return dict(json.loads((folder / _INDEX).read_text()))


def _open(folder: Path) -> dict[str, np.ndarray]:
    if not (folder / _INDEX).is_file():
        raise InputError(f"{folder}: is not a cache of video frames, it has no {_INDEX}")
    about = _about(folder)
    if about.get("format") != _FORMAT:
        raise InputError(f"{folder}: cache of format {about.get('format')}, {_FORMAT} is needed; make it anew")
    count, size = about["count"], about["size"]
    arrays: dict[str, np.ndarray] = {
        name: np.memmap(folder / f"{name}.raw", dtype=dtype, mode="r", shape=(count, size, size, channels))
        for name, (dtype, channels) in _MAPS.items()
    }
    return arrays | {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in _ARRAYS}
