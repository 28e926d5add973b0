"""A stream of samples: each once an epoch, the same again from any place."""

from __future__ import annotations

import dataclasses
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from illures.data.shards import ViewRecord, write_shard
from illures.data.stream import Place, SampleStream
from illures.errors import InputError


def view(identity: int, lights: int) -> ViewRecord:
    rng = np.random.default_rng(identity)
    return ViewRecord(
        albedo=np.full((8, 8, 3), 0.5, np.float32),
        normal=np.tile(np.float32([0, 0, 1]), (8, 8, 1)),
        mask=np.ones((8, 8), bool),
        region=np.ones((8, 8), np.uint8),
        landmarks=rng.normal(4, 2, (478, 3)).astype(np.float32),
        images=(),
        lights=tuple(rng.normal(size=(9, 3)).astype(np.float32) for _ in range(lights)),
        lightings=tuple(100 * identity + k for k in range(lights)),
        identity=identity,
        expression=0,
        pose=0,
        seed=0,
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> list[Path]:
    """Two sets of 4 and 3 shards with 1 to 3 views under 0 to 3 lights each."""
    identity, made = 0, []
    for name, shards in (("a", 4), ("b", 3)):
        made.append(tmp_path_factory.mktemp(name))
        for k in range(shards):
            identities = range(identity, identity + 1 + k % 3)
            write_shard(made[-1] / f"{k}.tar", [(str(i), view(i, i % 4)) for i in identities])
            identity = identities.stop
    return made


ALL = [100 * i + k for i in range(13) for k in range(i % 4)]


def lightings(batches) -> list[int]:
    return [sample.lighting for batch in batches for sample in batch]


def test_an_epoch_holds_each_sample_once_in_an_order_of_its_own(folders) -> None:
    given = lightings(SampleStream(folders, 4, seed=1, buffer=6, epochs=3))
    epochs = [given[: len(ALL)], given[len(ALL) : 2 * len(ALL)], given[2 * len(ALL) :]]
    assert [sorted(epoch) for epoch in epochs] == [ALL] * 3
    assert len({tuple(epoch) for epoch in [*epochs, ALL]}) == 4


def test_the_seed_alone_decides_the_order(folders) -> None:
    orders = [lightings(SampleStream(folders, 4, seed, w, 6, epochs=1)) for seed, w in ((1, 1), (1, 3), (2, 1))]
    assert orders[0] == orders[1] != orders[2]


def test_batches_are_full_but_for_the_last(folders) -> None:
    sizes = [len(batch) for batch in SampleStream(folders, 4, seed=1, epochs=2)]
    assert sizes == [4] * (2 * len(ALL) // 4) + [2 * len(ALL) % 4 or 4][: 2 * len(ALL) % 4]


@pytest.mark.parametrize("buffer", [1, 5, 1000])
def test_a_stream_goes_on_at_any_place(folders, buffer) -> None:
    whole = lightings(SampleStream(folders, 3, seed=5, buffer=buffer, epochs=3))
    for batches in range(0, len(whole) // 3, 2):
        stream = SampleStream(folders, 3, seed=5, buffer=buffer, epochs=3)
        before = lightings(islice(stream, batches))
        # As a checkpoint keeps it.
        state = Place(**json.loads(json.dumps(dataclasses.asdict(stream.state()))))
        after = lightings(SampleStream(folders, 3, seed=5, buffer=buffer, epochs=3, state=state))
        assert before + after == whole


def test_iterating_again_goes_on(folders) -> None:
    stream = SampleStream(folders, 3, seed=5, buffer=5)
    given = lightings(islice(stream, 3)) + lightings(islice(stream, 4))
    assert given == lightings(islice(SampleStream(folders, 3, seed=5, buffer=5), 7))


def test_readers_share_an_epoch(folders) -> None:
    parts = [lightings(SampleStream(folders, 2, seed=3, epochs=1, rank=rank, world=3)) for rank in range(3)]
    assert sorted(sum(parts, [])) == ALL


def test_errors_say_what_is_wrong(folders, tmp_path) -> None:
    with pytest.raises(InputError, match="batch = 0"):
        SampleStream(folders, 0, seed=1)
    with pytest.raises(InputError, match="world = 8"):
        SampleStream(folders, 1, seed=1, world=8)
    with pytest.raises(InputError, match="seed 2, .* this one has .* seed 1"):
        SampleStream(folders, 1, seed=1, state=SampleStream(folders, 1, seed=2).state())
    write_shard(tmp_path / "0.tar", [("0", view(0, lights=0))])
    with pytest.raises(InputError, match="no samples"):
        next(iter(SampleStream([tmp_path], 1, seed=1)))
    (tmp_path / "1.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(InputError, match="1.tar"):
        next(iter(SampleStream([tmp_path], 1, seed=1)))
