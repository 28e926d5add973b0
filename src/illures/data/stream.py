"""Shuffled samples straight from shards: each once per epoch, in an order that can be resumed.

Shards are read in random order, in groups of at least `buffer` samples, which are shuffled within a group. A position
in the stream is an epoch, the first shard of a group and a count; resuming there reads one group again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from illures.data.shards import read_shards, shard_paths
from illures.errors import InputError
from illures.jobs.prefetch import in_order
from illures.types import Sample


@dataclass(frozen=True)
class Place:
    """Position in a stream; plain numbers (`dataclasses.asdict`), to be kept with a checkpoint.

    Attributes:
        epoch: from 0.
        shard: the group's first shard, counted in the epoch's order.
        taken: samples of the group already returned.
        stream: identifies the stream; a position is only valid in the same stream.
    """

    epoch: int
    shard: int
    taken: int
    stream: str


class SampleStream:
    """Batches of samples from the shards of folders, prefetched by threads.

    Memory holds a group and `workers` shards, about 0.6 MB a sample of 128 px.

    Args:
        folders: of shards, each a synthetic set.
        batch: samples at a time; the last of the last epoch may be fewer.
        seed: of the order.
        workers: threads that decode, each a shard (PNG decoding does not hold Python's lock).
        buffer: fewest samples that are shuffled together; more mix more people.
        state: a `state()` of an equal stream, to resume from.
        epochs: to give in all, or None for ever more.
        rank, world: this reader's number among `world` readers that share the shards.

    Raises:
        InputError: a folder holds no shards, `state` is of another stream, or a number makes no sense.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        batch: int,
        seed: int,
        workers: int = 2,
        buffer: int = 512,
        state: Place | None = None,
        epochs: int | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        for name, value in {"batch": batch, "workers": workers, "buffer": buffer, "world": world}.items():
            if value < 1:
                raise InputError(f"{name} = {value}: must be at least 1")
        self._paths = [path for folder in folders for path in shard_paths(folder)]
        if not 0 <= rank < world <= len(self._paths):
            raise InputError(f"rank = {rank}, world = {world}: rank < world <= {len(self._paths)} shards is needed")
        stream = f"{len(self._paths)} shards, seed {seed}, buffer {buffer}, rank {rank} of {world}"
        self._place = state or Place(0, 0, 0, stream)
        if self._place.stream != stream:
            raise InputError(f"state: is of a stream of {self._place.stream}; this one has {stream}")
        self._batch, self._workers, self._epochs = batch, workers, epochs
        self._stream, self._seed, self._buffer, self._rank, self._world = stream, seed, buffer, rank, world

    def state(self) -> Place:
        """The position after the last batch returned."""
        return self._place

    def __iter__(self) -> Iterator[list[Sample]]:
        """Continue after the last batch returned.

        Raises:
            InputError: a shard can't be read, or the sets hold no lights and thus no samples.
        """
        batch: list[Sample] = []
        place = self._place
        for sample, place in self._samples(self._place):
            batch.append(sample)
            if len(batch) == self._batch:
                self._place = place
                yield batch
                batch = []
        if batch:
            self._place = place
            yield batch

    def _samples(self, start: Place) -> Iterator[tuple[Sample, Place]]:
        """Each sample, and the place after it."""
        taken = start.taken
        for group, here, after in self._groups(start):
            order = np.random.default_rng([self._seed, here.epoch, here.shard, self._rank]).permutation(len(group))
            for n in range(taken, len(group)):
                done = n + 1 == len(group)
                yield group[order[n]], after if done else Place(here.epoch, here.shard, n + 1, self._stream)
            taken = 0

    def _groups(self, start: Place) -> Iterator[tuple[list[Sample], Place, Place]]:
        """Groups of shards' samples, none of which spans two epochs; with the places of their start and end."""
        group: list[Sample] = []
        found = False
        here = Place(start.epoch, start.shard, 0, self._stream)
        for samples, after in self._decoded(here):
            group += samples
            ends = after.epoch > here.epoch
            if len(group) >= self._buffer or ends:
                found = found or bool(group)
                if after.epoch - start.epoch > bool(start.shard) and not found:  # a whole epoch went by
                    raise InputError(f"{self._paths[0].parent}: no samples; sets without lights can't be streamed")
                yield group, here, after
                group, here = [], after

    def _decoded(self, start: Place) -> Iterator[tuple[list[Sample], Place]]:
        """Samples of the shards from a place on, and the place after each; threads decode shards in advance."""
        return in_order(lambda found: (_load(found[0]), found[1]), self._order(start), self._workers, self._workers + 1)

    def _order(self, start: Place) -> Iterator[tuple[Path, Place]]:
        """Shards of this reader, epoch after epoch, and the place after each."""
        for epoch in count(start.epoch):
            if self._epochs is not None and epoch >= self._epochs:
                return
            # All readers draw the same order and take every world-th shard, starting at their rank.
            drawn = np.random.default_rng([self._seed, epoch]).permutation(len(self._paths))[self._rank :: self._world]
            first = start.shard if epoch == start.epoch else 0
            for k in range(first, len(drawn)):
                last = k + 1 == len(drawn)
                yield self._paths[drawn[k]], Place(epoch + last, 0 if last else k + 1, 0, self._stream)


def _load(path: Path) -> list[Sample]:
    return list(read_shards([path]))
