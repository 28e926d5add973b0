"""Drift and flicker of what is known to stay or to change, on a clip of a public photo that moves."""

import av
import numpy as np
import pytest
from skimage.data import astronaut

from illures.errors import InputError
from illures.evaluate.benchmark import Estimate, Failure
from illures.evaluate.benchmarks.video import load
from illures.evaluate.methods import our_contenders, stable_contenders
from illures.evaluate.methods.query import ask
from illures.math.color import srgb_to_linear

FRAMES = 8


def write(path, pictures):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clip "a": the face goes right, then a cut to its mirror image. "b": no face. "c": no video."""
    root = tmp_path_factory.mktemp("clips")
    photo = astronaut()
    moving = [photo[:320, 100 - 3 * k : 340 - 3 * k] for k in range(FRAMES)]
    write(root / "a.mkv", moving + [255 - photo[192:512, 200:440]] * 4)
    write(root / "b.mkv", [np.full((120, 160, 3), 60, np.uint8)] * 3)
    (root / "c.mp4").write_bytes(b"no clip")
    return root


@pytest.fixture(scope="module")
def clip(folder):
    benchmark = load(folder)
    return benchmark, list(benchmark.items("a"))


def summary(benchmark, items, estimate):
    return benchmark.summarise([benchmark.score(item, estimate(item)) for item in items])


def test_a_clip_counts_up_to_its_cut(clip):
    _, items = clip
    assert [item.id for item in items] == [f"a/{k:05d}" for k in range(FRAMES)]
    assert all(item.truth.mask.mean() > 0.05 for item in items)


def test_what_moves_with_the_face_does_not_drift(clip):
    benchmark, items = clip
    rng = np.random.default_rng(0)
    same = summary(benchmark, items, lambda item: Estimate(albedo=srgb_to_linear(item.photo)))
    noise = summary(
        benchmark,
        items,
        lambda item: Estimate(albedo=srgb_to_linear(item.photo) * rng.uniform(0.6, 1.4, item.photo.shape[:2] + (1,))),
    )
    assert same["albedo_drift_rel"] < 0.05 and same["albedo_flicker_rel"] < 0.05
    assert noise["albedo_drift_rel"] > 2 * same["albedo_drift_rel"]
    assert noise["albedo_flicker_rel"] > 2 * same["albedo_flicker_rel"]


def test_slow_change_is_drift_and_no_flicker(clip):
    benchmark, items = clip

    def shaded(item):
        ramp = np.linspace(1, 1 + 0.2 * item.tags["frame"], item.photo.shape[1], dtype=np.float32)
        return Estimate(albedo=np.ones_like(item.photo) * ramp[:, None])

    found = summary(benchmark, items, shaded)
    assert found["albedo_drift_rel"] > 0.02 and found["albedo_flicker_rel"] < 0.2 * found["albedo_drift_rel"]


def test_a_smooth_mask_wins_nothing(clip):
    """It does not flicker; over its own contrast it does, and it has none of the frame's detail."""
    benchmark, items = clip
    same = summary(benchmark, items, lambda item: Estimate(albedo=srgb_to_linear(item.photo)))
    mask = summary(benchmark, items, lambda item: Estimate(albedo=np.full_like(item.photo, 0.4)))
    assert mask["albedo_flicker_rel"] < 0.1 * same["albedo_flicker_rel"]
    assert mask["albedo_flicker_contrast"] > 0.9 > 3 * same["albedo_flicker_contrast"]
    assert mask["albedo_detail_corr"] < 0.05 and same["albedo_detail_corr"] > 0.999


def test_normals_are_compared_in_the_frame_of_the_head(clip):
    """Normals that face the viewer turn only as the found head turns, which here is by its noise."""
    benchmark, items = clip
    flat = summary(benchmark, items, lambda item: Estimate(np.broadcast_to(np.float32([0, 0, 1]), item.photo.shape)))
    assert 0 < flat["normal_drift_deg"] < 2
    leaning = np.float32([[0.6, 0, 0.8], [-0.6, 0, 0.8]])
    found = summary(
        benchmark, items, lambda item: Estimate(np.broadcast_to(leaning[int(item.tags["frame"]) % 2], item.photo.shape))
    )
    assert found["normal_drift_deg"] == pytest.approx(np.rad2deg(np.arcsin(0.6)), abs=2)


def test_lost_frames_break_the_run_and_not_the_figures(clip):
    benchmark, items = clip
    kept = [items[k] for k in (0, 1, 3, 4, 5, 7)]
    found = summary(benchmark, kept, lambda item: Estimate(albedo=srgb_to_linear(item.photo)))
    alone = summary(benchmark, items[3:6], lambda item: Estimate(albedo=srgb_to_linear(item.photo)))
    assert found["albedo_flicker_rel"] == pytest.approx(alone["albedo_flicker_rel"], rel=0.2)
    assert "albedo_flicker_rel" not in summary(benchmark, items[:2], lambda i: Estimate(albedo=srgb_to_linear(i.photo)))
    assert benchmark.summarise([]) == {}


def test_what_is_missing_or_broken_is_named(folder, tmp_path):
    benchmark = load(folder, frames=4)
    assert benchmark.groups == ("a", "b", "c") and len(list(benchmark.items("a"))) == 4
    (nobody,), (broken,) = benchmark.items("b"), benchmark.items("c")
    assert isinstance(nobody, Failure) and "b.mkv: no face found" in nobody.message
    assert isinstance(broken, Failure) and "c.mp4" in broken.message
    assert load(folder, clips=2).groups == ("a", "c")
    with pytest.raises(InputError, match="holds no clips"):
        load(tmp_path)
    with pytest.raises(InputError, match="frames 1"):
        load(folder, frames=1)


def test_our_models_take_part_a_second_time_and_flicker_less(tmp_path):
    """On a moving photo with noise of its own in every frame; each clip begins with no memory of another."""
    rng = np.random.default_rng(0)
    photo = astronaut()
    noisy = [photo[:320, 100 - 3 * k : 340 - 3 * k] + rng.normal(0, 12, (320, 240, 3)) for k in range(FRAMES)]
    write(tmp_path / "noisy.mkv", [np.clip(picture, 0, 255).astype(np.uint8) for picture in noisy])
    benchmark = load(tmp_path)
    alone = our_contenders([])
    stable = stable_contenders(alone)
    assert [each.name for each in stable] == ["illures video"]
    items = list(benchmark.items("noisy"))
    found = []
    for contender in (*alone, *stable):
        method = contender.method("noisy")
        found.append(summary(benchmark, items, lambda item, method=method: method.estimate(ask(item))))
    assert found[1]["albedo_flicker_rel"] < 0.7 * found[0]["albedo_flicker_rel"]
    assert stable[0].method("a") is not stable[0].method("b")
