"""Pairs of frames: one person, far apart, the same whenever they are drawn."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from illures.data import pairs
from illures.data.frames import FrameRecord, frame_shard_bytes, read_frame_shards
from illures.data.pairs import PairSampler, VideoFrames, build_frame_cache, prepare_frames, split_identities
from illures.errors import InputError
from illures.faces import draw_contour, guide_normals, points68
from illures.faces.atlas import canonical_points
from illures.faces.pose import HeadPose
from illures.math.color import srgb_to_linear

SIZE = 32


def record(number: int, clip: str = "c0", shot: int = 0, identity: str = "ann", size: int = SIZE) -> FrameRecord:
    rng = np.random.default_rng(number)
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:468] = canonical_points() * [1, -1, 1] * size / 24 + size / 2
    landmarks[:468] += rng.normal(0, size / 100, (468, 3))
    return FrameRecord(
        image=rng.integers(0, 256, (size, size, 3), np.uint8),
        mask=rng.random((size, size)) > 0.3,
        landmarks=landmarks,
        clip=clip,
        frame=number,
        time_s=number / 25,
        shot=shot,
        identity=identity,
        pose=HeadPose(1.25, -2.5, 3.0),
        score=0.9876,
        face_px=101.5,
        sharpness=0.875,
        clipped=0.0125,
        black=0.5,
    )


def people() -> list[FrameRecord]:
    """Ann in two shots and another clip, Bob in one shot, Cyd in two shots of a frame each, Dan in one frame."""
    ann = [record(k, "c0", k // 4) for k in range(8)] + [record(8 + k, "c1") for k in range(3)]
    bob = [record(20 + k, "c2", 0, "bob") for k in range(5)]
    return [*ann, *bob, record(30, "c3", 0, "cyd"), record(31, "c3", 1, "cyd"), record(40, "c4", 0, "dan")]


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> VideoFrames:
    folder = tmp_path_factory.mktemp("pairs") / "cache"
    assert build_frame_cache(people(), folder, "test") == 19
    return VideoFrames([folder])


def drawn(sampler: PairSampler, steps: int = 40) -> list[tuple[int, int]]:
    return [pair for step in range(steps) for pair in zip(*map(list, sampler.pairs(step, 25)), strict=True)]


def test_shards_keep_all_there_is(tmp_path) -> None:
    (tmp_path / "a.tar").write_bytes(frame_shard_bytes(people()))
    assert (tmp_path / "a.tar").read_bytes() == frame_shard_bytes(people())
    for old, new in zip(people(), read_frame_shards([tmp_path / "a.tar"]), strict=True):
        for name, value in vars(old).items():
            np.testing.assert_array_equal(getattr(new, name), value, err_msg=name)
    (tmp_path / "b.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:3000])
    with pytest.raises(InputError, match=r"b\.tar"):
        list(read_frame_shards([tmp_path / "b.tar"]))


def test_a_batch_is_what_the_frames_are(frames) -> None:
    known, chosen = people(), [12, 0, 18]
    batch = frames.batch(chosen)
    for k, index in enumerate(chosen):
        want = known[index]
        linear = srgb_to_linear(want.image.astype(np.float32) / 255)
        np.testing.assert_allclose(batch.image[k].numpy(), linear, atol=1e-6)
        np.testing.assert_array_equal(batch.mask[k, ..., 0].numpy() > 0.5, want.mask)
        np.testing.assert_allclose(batch.guide[k].numpy(), guide_normals(want.landmarks, SIZE), atol=0.5 / 127 + 1e-6)
        np.testing.assert_array_equal(batch.landmarks[k].numpy(), want.landmarks)
        np.testing.assert_array_equal(batch.contour[k, ..., 0].numpy(), draw_contour(points68(want.landmarks), SIZE))
    assert all(value.dtype == torch.float32 for value in vars(batch).values())


def test_pairs_show_one_person_twice(frames) -> None:
    found = drawn(PairSampler(frames, 0, across=0.5))
    assert all(i != j and frames.identity[i] == frames.identity[j] for i, j in found)
    # Everybody with two frames comes equally often, however many those are.
    people_drawn, counts = np.unique([frames.identity[i] for i, _ in found], return_counts=True)
    assert people_drawn.tolist() == ["ann", "bob", "cyd"]
    assert counts.min() > 0.27 * len(found)


def test_pairs_across_shots_come_as_often_as_asked(frames) -> None:
    def across(sampler: PairSampler, who: str) -> float:
        places = [(frames.clip[i], frames.shot[i]) != (frames.clip[j], frames.shot[j]) for i, j in drawn(sampler)
                  if frames.identity[i] == who]  # fmt: skip
        return float(np.mean(places)) if places else -1.0

    assert across(PairSampler(frames, 0, across=0.0), "ann") == 0
    assert across(PairSampler(frames, 0, across=0.3), "ann") == pytest.approx(0.3, abs=0.08)
    assert across(PairSampler(frames, 0, across=1.0), "ann") == 1
    assert across(PairSampler(frames, 0, across=1.0), "bob") == 0  # who is in one shot only
    assert across(PairSampler(frames, 0, across=0.1), "cyd") == 1  # and where shots have one frame each
    assert across(PairSampler(frames, 0, across=0.0), "cyd") == -1


def test_far_frames_are_preferred_as_the_square_of_their_distance(frames) -> None:
    sampler = PairSampler(frames, 0, identities=["bob"])
    found = np.array(drawn(sampler, 200))
    bob = np.flatnonzero(frames.identity == "bob")
    for i in bob[:2]:
        others = bob[bob != i]
        want = ((frames.features[others] - frames.features[i]) ** 2).sum(1)
        seen = np.array([(found[found[:, 0] == i, 1] == j).mean() for j in others])
        np.testing.assert_allclose(seen, want / want.sum(), atol=0.05)


def test_a_step_gives_the_same_pairs_again(frames) -> None:
    a, b = PairSampler(frames, 7), PairSampler(frames, 7)
    b.pairs(0, 10)
    for step in (5, 3):
        np.testing.assert_array_equal(a.pairs(step, 10), b.pairs(step, 10))
    assert not np.array_equal(a.pairs(3, 10), a.pairs(4, 10))
    assert not np.array_equal(a.pairs(3, 10), PairSampler(frames, 8).pairs(3, 10))
    first, second = a.batch(3, 4)
    i, j = a.pairs(3, 4)
    assert torch.equal(first.image, frames.batch(i).image) and torch.equal(second.contour, frames.batch(j).contour)
    one, other = (a.draw(np.random.default_rng(1), 4)[1].image for _ in range(2))
    assert torch.equal(one, other)


def test_people_may_be_left_out(frames) -> None:
    sampler = PairSampler(frames, 0, identities=["bob", "dan"])
    assert {frames.identity[i] for i, _ in drawn(sampler, 5)} == {"bob"}
    with pytest.raises(InputError, match="nobody"):
        PairSampler(frames, 0, identities=["dan"])
    with pytest.raises(InputError, match="across = 2"):
        PairSampler(frames, 0, across=2)


def test_identities_are_split_whole() -> None:
    names = [f"id{k % 40}" for k in range(100)]
    train, held = split_identities(names, 0.1, 3)
    assert len(held) == 4 and sorted(train + held) == sorted(set(names))
    assert (train, held) == split_identities(reversed(names), 0.1, 3)
    assert held != split_identities(names, 0.1, 4)[1]
    assert split_identities(names, 0.0, 3)[1] == []
    assert len(split_identities(["a", "b"], 0.01, 0)[1]) == 1
    with pytest.raises(InputError, match="share = 0.9"):
        split_identities(["a"], 0.9, 0)


def test_caches_join_and_follow_their_shards(tmp_path, monkeypatch) -> None:
    for name, records in {"x": people()[:11], "y": people()[11:]}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.tar").write_bytes(frame_shard_bytes(records))
    folders = [tmp_path / "x", tmp_path / "y"]
    made = prepare_frames(folders, tmp_path / "cache")
    joined = VideoFrames(made)
    assert len(joined) == 19
    np.testing.assert_array_equal(joined.batch([10, 11]).landmarks[1].numpy(), people()[11].landmarks)
    built = []
    monkeypatch.setattr(pairs, "build_frame_cache", lambda frames, target, source: built.append(source))
    prepare_frames(folders, tmp_path / "cache")
    assert built == []
    os.utime(tmp_path / "y" / "a.tar", (4e9, 4e9))
    prepare_frames(folders, tmp_path / "cache")
    assert built == [str(tmp_path / "y")]


def test_what_is_no_cache_is_refused(tmp_path, frames) -> None:
    with pytest.raises(InputError, match="not a cache"):
        VideoFrames([tmp_path])
    with pytest.raises(InputError, match="32 and 16 px"):
        build_frame_cache([record(0), record(1, size=16)], tmp_path / "mixed", "mixed")
    with pytest.raises(InputError, match="holds no frames"):
        build_frame_cache([], tmp_path / "none", "none")
    build_frame_cache([replace(record(1, size=16))], tmp_path / "small", "small")
    build_frame_cache([record(1)], tmp_path / "large", "large")
    with pytest.raises(InputError, match="sizes"):
        VideoFrames([tmp_path / "small", tmp_path / "large"])
