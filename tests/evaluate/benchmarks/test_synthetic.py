"""Shards of made-up views: what is held out, and that truth scores zero."""

import numpy as np
import pytest

from illures.data.cache import SampleCache
from illures.data.shards import ViewRecord, write_shard
from illures.data.split import is_held_out
from illures.errors import InputError
from illures.evaluate.benchmark import Estimate
from illures.evaluate.benchmarks.synthetic import load
from illures.evaluate.tone import TONES, tone_of
from illures.math.normals import normalize
from illures.render import render
from illures.train.validate import held_out

SIZE = 24


def view(identity, rng, tone):
    y, x = np.mgrid[1 : -1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    normal = normalize(np.stack([x, y, np.full_like(x, 1.2)], axis=-1)).astype(np.float32)
    albedo = (np.float32([1, 0.75, 0.6]) * tone * rng.uniform(0.9, 1.1, (SIZE, SIZE, 1))).astype(np.float32)
    lights = []
    for turn in (-0.5, 0.5):
        light = np.zeros((9, 3), np.float32)
        light[0], light[3], light[2] = 2, turn, 1
        lights.append(light)
    images = tuple(render(albedo, normal, light, 0.02).astype(np.float32) for light in lights)
    return ViewRecord(
        albedo=albedo,
        normal=normal,
        mask=x**2 + y**2 < 0.8,
        region=(x**2 + y**2 < 0.8).astype(np.uint8),
        landmarks=rng.random((478, 3)).astype(np.float32) * SIZE,
        images=images,
        contexts=tuple(np.zeros((56, 56, 3), np.float32) for _ in images),
        lights=tuple(lights),
        lightings=(2 * identity, 2 * identity + 1),
        identity=identity,
        expression=identity,
        pose=identity,
        seed=0,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("sets") / "mine", np.random.default_rng(0)
    root.mkdir()
    people = [view(k, rng, 0.1 + 0.05 * k) for k in range(12)]
    for shard in range(3):
        write_shard(root / f"shard-{shard:06d}.tar", [(f"{k:04d}", people[k]) for k in range(4 * shard, 4 * shard + 4)])
    return root


def oracle(item, **changes):
    truth = item.truth
    given = dict(normal=truth.normal, albedo=truth.albedo, light=truth.light, residual=truth.residual)
    return Estimate(**(given | changes))


def test_the_truth_scores_zero(folder):
    benchmark = load(folder, share=1)
    assert len(benchmark.groups) == 12 and benchmark.groups[0] == "mine/0"
    scores = []
    for item in benchmark.items("mine/5"):
        scores.append(benchmark.score(item, oracle(item)))
        figures = scores[-1].figures
        zero = ("normal_deg", "albedo_rel", "light_sh_rel", "light_deg", "shading_rel", "residual_mae", "ita_error_deg")
        assert max(figures[name] for name in zero) < 1e-4 and figures["recon_l1"] < 0.001
    assert len(scores) == 2
    assert benchmark.summarise(scores)["albedo_drift_rel"] < 1e-6


def test_skin_that_is_too_dark_has_a_negative_bias(folder):
    benchmark = load(folder, share=1)
    item = next(iter(benchmark.items("mine/5")))
    figures = benchmark.score(item, oracle(item, albedo=0.5 * item.truth.albedo)).figures
    assert figures["albedo_rel"] < 1e-5
    assert figures["ita_bias_deg"] < -5 and figures["ita_error_deg"] == -figures["ita_bias_deg"]


def test_light_in_the_albedo_is_drift(folder):
    benchmark = load(folder, share=1)
    scores = [benchmark.score(item, oracle(item, albedo=item.photo)) for item in benchmark.items("mine/5")]
    assert benchmark.summarise(scores)["albedo_drift_rel"] > 0.02


def test_held_out_people_are_those_of_training(folder):
    cache = object.__new__(SampleCache)
    object.__setattr__(cache, "identity", np.arange(500))
    for share in (0.05, 0.3):
        assert [is_held_out(k, share) for k in range(500)] == held_out(cache, share).tolist()
    chosen = {f"mine/{k}" for k in range(12) if is_held_out(k, 0.3)}
    assert set(load(folder, share=0.3).groups) == chosen and 0 < len(chosen) < 12


def test_random_people_are_the_same_each_time_and_a_folder_of_sets_will_do(folder):
    once, again, other = (load(folder.parent, share=1, people=4, seed=seed).groups for seed in (0, 0, 1))
    assert once == again != other and len(once) == 4


def test_tones_are_in_order():
    tones = [tone_of(np.tile(np.array([[1, 0.75, 0.6]]) * level, (5, 1))) for level in (0.02, 0.15, 0.3, 0.5, 0.8)]
    places = [TONES.index(tone) for tone in tones]
    assert len(TONES) == 6 and places == sorted(places) and places[0] == 0 and places[-1] >= 4


def test_what_is_missing_or_broken_is_named(folder, tmp_path):
    with pytest.raises(InputError, match="holds no .tar shards"):
        load(tmp_path)
    with pytest.raises(InputError, match="give a larger share"):
        load(folder, share=1e-6)
    with pytest.raises(InputError, match="share 2"):
        load(folder, share=2.0)
    (tmp_path / "shard-000000.tar").write_bytes(b"no tar")
    with pytest.raises(InputError, match="shard-000000.tar: can.t be read as a shard"):
        load(tmp_path)
