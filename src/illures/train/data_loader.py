"""The data loader: threads prepare the batches of the next steps while the network works.

A batch is made of groups of `GROUP` images. All randomness in a group follows from the seed and the number of its first
image, so that any process or thread, now or after a resume, makes the same group. Lights are mixed within a group.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from illures.data.cache import Batch, SampleCache
from illures.errors import InputError
from illures.faces import draw_contour, points68
from illures.jobs.prefetch import in_order
from illures.train import augment
from illures.train.augment import Frames
from illures.train.camera import cut, drop_guide, expose, photograph
from illures.train.distributed import Ranks
from illures.train.recipe import GROUP, Recipe, Stage

_PREFETCH = 2  # batches per thread that are ready or being made, as `prefetch_factor` of PyTorch
_MOST_THREADS = 16
_CORES_A_THREAD = 8  # if the network uses the cores, one thread per so many cores makes data

Record = TypeVar("Record", Batch, Frames, "Step")


@runtime_checkable
class PairSource(Protocol):
    """A source of pairs of real frames; both frames of a pair show one person."""

    size: int

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Frames, Frames]:
        """First and second frames of `count` pairs; the same for equal generators."""


@dataclass(frozen=True)
class Step:
    """One process's share of a batch: samples, then the first frames of the pairs, then the second ones.

    Attributes:
        image: input of the network, sRGB-encoded.
        guide: likewise.
        context: thumbnail of the whole photo and the crop's place in it, likewise sRGB-encoded.
        truth: of the samples, or None without samples.
        first, second: frames of the pairs without camera effects, or None without pairs.
    """

    image: Float[Tensor, "batch height width 3"]
    guide: Float[Tensor, "batch height width 3"]
    context: Float[Tensor, "batch 32 32 4"]
    truth: Batch | None
    first: Frames | None
    second: Frames | None

    def to(self, device: torch.device) -> Step:
        """Copy to a device; asynchronously from pinned memory."""
        return _each(self, lambda value: value.to(device, non_blocking=True))

    def pinned(self) -> Step:
        """Copy to pinned memory."""
        return _each(self, Tensor.pin_memory)


class StepLoader:
    """Makes the steps of a run.

    Args:
        recipe: settings.
        cache: synthetic samples.
        train: indices of the training samples.
        videos: real pairs, or None for recipes without.
        ranks: this process, which determines its share of each batch.

    Raises:
        InputError: the processes can't share the batch evenly.
    """

    def __init__(
        self,
        recipe: Recipe,
        cache: SampleCache,
        train: Int[np.ndarray, " samples"],
        videos: PairSource | None,
        ranks: Ranks,
    ) -> None:
        if recipe.batch % (GROUP * ranks.world):
            needed = GROUP * ranks.world
            raise InputError(f"batch = {recipe.batch}: {ranks.world} processes need a multiple of {needed}")
        self._recipe, self._cache, self._train, self._videos, self._ranks = recipe, cache, train, videos, ranks
        self._partners = _Partners(cache, train)

    def steps(self, seen: int) -> Generator[Step, None, None]:
        """The steps from `seen` images on to the end of the recipe; threads prefetch them."""
        starts = range(seen, self._recipe.images, self._recipe.batch)
        threads = _threads(self._ranks)
        # The setting is per thread, so that threads which make data leave the cores to the network.
        return in_order(self.step, starts, threads, _PREFETCH * threads, partial(torch.set_num_threads, 1))

    def step(self, seen: int) -> Step:
        """This process's share of the batch that follows `seen` images."""
        stage, _ = self._recipe.stage_at(seen)
        starts = range(seen, seen + self._recipe.batch, GROUP)
        count = len(starts) // self._ranks.world
        mine = starts[self._ranks.rank * count :][:count]
        step = _joined([self._group(stage, start) for start in mine])
        return step.pinned() if self._ranks.device.type == "cuda" else step

    def shares(self, seen: int) -> tuple[float, float]:
        """Shares of the samples and of the frames of pairs in the whole batch that follows `seen` images."""
        stage, _ = self._recipe.stage_at(seen)
        starts = range(seen, seen + self._recipe.batch, GROUP)
        paired = sum(stage.kind == "pairs" or _is_real(stage, start) for start in starts) / len(starts)
        return 1 - paired, paired

    def _group(self, stage: Stage, start: int) -> Step:
        rng = np.random.default_rng([self._recipe.seed, start])
        if _is_real(stage, start):
            return self._real_pairs(rng)
        if stage.kind == "pairs":
            return self._synthetic_pairs(start, rng)
        return self._samples(stage, start, rng)

    def _samples(self, stage: Stage, start: int, rng: np.random.Generator) -> Step:
        recipe, camera = self._recipe, self._recipe.camera
        chances = (recipe.repainted, recipe.mixing, recipe.walled, recipe.retextured)
        tied = 2 if recipe.loss.drift > 0 else 1
        views = self._drawn(start, GROUP // tied)
        batch = self._cache.batch(views, rng, *chances) if tied == 1 else self._twins(views, rng, chances)
        batch = augment.relight(batch, rng, everything=stage.kind == "local", walled=recipe.walled)
        batch = augment.flip(batch, rng, tied)
        batch = expose(batch, camera, rng, tied)
        batch = cut(batch, camera, rng)
        batch = drop_guide(batch, camera, rng)
        image, context = photograph(batch.image, batch.context, camera, rng)
        return Step(image, batch.guide, context, batch, None, None)

    def _twins(self, views: Int[np.ndarray, " half"], rng: np.random.Generator, chances: tuple[float, ...]) -> Batch:
        """Samples, then the same views under another light; both get the same skin, hair and clothes."""
        others = [self._cache.other_light(int(index), rng) for index in views]
        seed = int(rng.integers(1 << 62))
        halves = (self._cache.batch(half, np.random.default_rng(seed), *chances) for half in (views, others))
        return _concatenated(list(halves))

    def _synthetic_pairs(self, start: int, rng: np.random.Generator) -> Step:
        first = self._drawn(start, GROUP // 2)
        batch = self._cache.batch(np.concatenate([first, self._partners.draw(first, rng)]))
        batch = augment.relight(batch, rng, everything=False)
        batch = expose(augment.flip(batch, rng, tied=2), self._recipe.camera, rng, tied=2)
        frames = Frames(batch.image, batch.mask, batch.guide, batch.landmarks, _contours(batch.landmarks, batch.image))
        return self._photographed(frames, rng)

    def _real_pairs(self, rng: np.random.Generator) -> Step:
        if self._videos is None:
            raise InputError("the recipe draws pairs of real frames: videos are needed")
        frames = _concatenated(self._videos.draw(rng, GROUP // 2))
        return self._photographed(expose(augment.flip(frames, rng, tied=2), self._recipe.camera, rng, tied=2), rng)

    def _photographed(self, frames: Frames, rng: np.random.Generator) -> Step:
        frames = drop_guide(frames, self._recipe.camera, rng)
        seen, context = photograph(frames.image, augment.crop_contexts(frames.image), self._recipe.camera, rng)
        half = len(seen) // 2
        first, second = _each(frames, lambda value: value[:half]), _each(frames, lambda value: value[half:])
        return Step(seen, frames.guide, context, None, first, second)

    def _drawn(self, start: int, count: int) -> Int[np.ndarray, " samples"]:
        """Samples by position in the run: every pass over the training samples has its own permutation."""
        passes, places = np.divmod(np.arange(start, start + count), len(self._train))
        return np.array(
            [
                self._train[_order(self._recipe.seed, int(p), len(self._train))[k]]
                for p, k in zip(passes, places, strict=True)
            ]
        )


class _Partners:
    """Finds another sample of the same person, in another view if there is one."""

    def __init__(self, samples: SampleCache, train: Int[np.ndarray, " samples"]) -> None:
        person = np.stack([samples.set[train], samples.identity[train]], axis=1)
        _, self._person = np.unique(person, axis=0, return_inverse=True)
        self._person = self._person.reshape(-1)
        self._train, self._view = train, samples.view[train]
        order = np.argsort(self._person, kind="stable")
        self._members = np.split(order, np.cumsum(np.bincount(self._person))[:-1])
        self._place = {int(index): place for place, index in enumerate(train)}

    def draw(self, indices: Sequence[int] | np.ndarray, rng: np.random.Generator) -> Int[np.ndarray, " samples"]:
        """One partner for each sample; the sample itself if it is the only one."""
        return np.array([self._train[self._one(self._place[int(index)], rng)] for index in indices])

    def _one(self, place: int, rng: np.random.Generator) -> int:
        members = self._members[self._person[place]]
        elsewhere = members[self._view[members] != self._view[place]]
        others = elsewhere if len(elsewhere) else members[members != place]
        return int(rng.choice(others)) if len(others) else place


def _threads(ranks: Ranks) -> int:
    """Number of threads for data: with a GPU, all cores but one of this process's share."""
    cores = (os.cpu_count() or 1) // ranks.world
    wanted = cores - 1 if ranks.device.type == "cuda" else cores // _CORES_A_THREAD
    return max(1, min(_MOST_THREADS, wanted))


def _is_real(stage: Stage, start: int) -> bool:
    """Whether a group is of real pairs: `stage.real` of them are, evenly spread."""
    number = start // GROUP
    return stage.needs_videos and int((number + 1) * stage.real) > int(number * stage.real)


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> Int[np.ndarray, " samples"]:
    return np.random.default_rng([seed, epoch, 1]).permutation(count)


def _contours(landmarks: Tensor, like: Tensor) -> Float[Tensor, "batch height width 1"]:
    size = like.shape[1]
    drawn = [draw_contour(points68(points), size) for points in landmarks.numpy()]
    return torch.from_numpy(np.stack(drawn))[..., None]


def _joined(groups: Sequence[Step]) -> Step:
    """Concatenate groups in the order of `Step`."""
    samples = [group for group in groups if group.truth is not None]
    pairs = [group for group in groups if group.truth is None]
    half = GROUP // 2
    halves = slice(None, half), slice(half, None)

    def ordered(name: str) -> Tensor:
        parts = [getattr(group, name) for group in samples]
        return torch.cat(parts + [getattr(group, name)[which] for which in halves for group in pairs])

    return Step(
        ordered("image"),
        ordered("guide"),
        ordered("context"),
        _concatenated([g.truth for g in samples if g.truth is not None]) if samples else None,
        _concatenated([g.first for g in pairs if g.first is not None]) if pairs else None,
        _concatenated([g.second for g in pairs if g.second is not None]) if pairs else None,
    )


def _concatenated(records: Sequence[Record]) -> Record:
    values: dict[str, Any] = {f.name: torch.cat([getattr(r, f.name) for r in records]) for f in fields(records[0])}
    return replace(records[0], **values)


def _each(record: Record, change: Callable[[Tensor], Tensor]) -> Record:
    """Apply a function to every tensor of a record, also in nested records."""

    def changed(value: Any) -> Any:
        if isinstance(value, Tensor):
            return change(value)
        return None if value is None else _each(value, change)

    return replace(record, **{f.name: changed(getattr(record, f.name)) for f in fields(record)})
