"""The loop: a run that was stopped, however hard, goes on as if it had not been; the best weights are kept."""

import dataclasses
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tiny_training
from illures.data.cache import SampleCache
from illures.errors import InputError
from illures.model import read_weights
from illures.model.export import load_network, save_weights
from illures.model.network import IlluResSfSNet
from illures.train.checkpoint import read_checkpoint
from illures.train.loop import BEST, CHECKPOINT, Training
from illures.train.recipe import Recipe, Stage
from illures.train.validate import Validation, held_out
from tiny_networks import COMPACT
from tiny_training import EVERY_KIND, TINY, training

pytestmark = pytest.mark.usefixtures("one_thread")


def as_process(*arguments: object, **environment: str) -> subprocess.Popen:
    paths = {"PYTHONPATH": tiny_training.search_path()}
    return subprocess.Popen(
        [sys.executable, tiny_training.__file__, *map(str, arguments)], env=os.environ | paths | environment
    )


def test_after_kill_9_a_run_ends_in_the_same_bytes(cache_folder, cache, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run = training(EVERY_KIND, cache, whole)
    run.run()
    run.finish(whole / "weights.safetensors")
    killed = as_process(cache_folder, parts, 80)
    assert killed.wait(600) == -signal.SIGKILL
    assert read_checkpoint(parts / CHECKPOINT).seen == 64
    resumed = training(EVERY_KIND, cache, parts)
    assert resumed.seen == 64
    resumed.run()
    resumed.finish(parts / "weights.safetensors")
    assert (whole / CHECKPOINT).read_bytes() == (parts / CHECKPOINT).read_bytes()
    for name in (BEST, "weights.safetensors"):
        one, other = read_weights(whole / name), read_weights(parts / name)
        assert one.info == other.info and one.graph == other.graph  # the hash is one over all tensors


def test_with_muon_a_run_in_two_parts_ends_in_the_same_bytes(cache, tmp_path):
    recipe = dataclasses.replace(TINY, optimizer="muon")

    def stop(seen: int, figures: dict[str, float]) -> None:
        if seen == 48 and "score" not in figures:
            signal.raise_signal(signal.SIGINT)

    training(recipe, cache, tmp_path / "whole").run()
    with pytest.raises(KeyboardInterrupt):
        training(recipe, cache, tmp_path / "parts").run(stop)
    training(recipe, cache, tmp_path / "parts").run()
    assert (tmp_path / "whole" / CHECKPOINT).read_bytes() == (tmp_path / "parts" / CHECKPOINT).read_bytes()
    changed = read_checkpoint(tmp_path / "whole" / CHECKPOINT).tensors
    assert any(name.endswith(".momentum") for name in changed) and any(name.endswith(".exp_avg") for name in changed)


def test_ctrl_c_ends_after_the_step_and_leaves_a_checkpoint(cache, tmp_path):
    def stop(seen: int, figures: dict[str, float]) -> None:
        if seen == 48 and "score" not in figures:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        training(TINY, cache, tmp_path).run(stop)
    # The signal comes after the step of 48 images; the next one is told of it.
    assert training(TINY, cache, tmp_path).seen == 64
    assert signal.getsignal(signal.SIGINT) is before


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(cache, tmp_path):
    spoilt = training(TINY, cache, tmp_path)

    def spoil(seen: int, figures: dict[str, float]) -> None:
        if seen == 80:
            with torch.no_grad():
                next(spoilt.learner.model.parameters()).fill_(torch.nan)

    with pytest.raises(
        InputError, match=r"albedo.* not finite after 80 images; learning_rate = 0.001 of stage 'global'"
    ):
        spoilt.run(spoil)
    kept = read_checkpoint(tmp_path / CHECKPOINT)
    assert kept.seen == 64 and all(value.isfinite().all() for value in kept.tensors.values())


def test_a_damaged_checkpoint_is_said_to_be_one(cache, tmp_path):
    training(TINY, cache, tmp_path).save()
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="can't be read as a checkpoint"):
        training(TINY, cache, tmp_path)


def test_another_recipe_does_not_take_up_the_run(cache, tmp_path):
    training(TINY, cache, tmp_path).save()
    with pytest.raises(InputError, match="another recipe: seed = 0, here 5"):
        training(dataclasses.replace(TINY, seed=5), cache, tmp_path)


def test_training_learns(cache, tmp_path):
    """The loss of the last steps is well below that of the first ones."""
    recipe = dataclasses.replace(TINY, stages=(Stage("global", 320, 3e-3),), panel=10_000)
    seen = []
    run = training(dataclasses.replace(recipe, validate=10_000), cache, tmp_path)
    run.run(lambda _, terms: seen.append(terms))
    seen = [terms for terms in seen if "score" not in terms]
    for name in ("normal", "albedo"):
        first, last = (sum(terms[name] for terms in part) for part in (seen[:5], seen[-5:]))
        assert last < 0.75 * first, name


def test_the_best_weights_are_those_of_the_best_validation(cache, tmp_path):
    """Trained well first and ruined by a wild stage, the run ends with the weights from before."""
    stages = (Stage("global", 192, 3e-3), Stage("global", 48, 1.0))
    recipe = dataclasses.replace(TINY, stages=stages, average=32, validate=96, panel=10_000)
    scores: dict[int, float] = {}
    run = training(recipe, cache, tmp_path)
    run.run(lambda seen, figures: scores.update({seen: figures["score"]} if "score" in figures else {}))
    run.finish(tmp_path / "weights.safetensors")
    best = min(scores, key=lambda seen: scores[seen])
    assert best < 240 and scores[240] > 1.1 * scores[best]
    network, info = load_network(tmp_path / "weights.safetensors")
    assert info.metrics["validation_score"] == scores[best]
    again = Validation(cache, np.flatnonzero(held_out(cache, 0.1)), recipe.validation_images)(network)
    assert again.score() == pytest.approx(scores[best], rel=1e-5)


def test_curves_and_panels_are_logged(cache, tmp_path, monkeypatch):
    monkeypatch.setattr("illures.train.loop._LOG_EVERY", 2)
    training(dataclasses.replace(EVERY_KIND, stages=(Stage("all", 64, real=0.5),)), cache, tmp_path).run()
    log = EventAccumulator(str(tmp_path)).Reload()
    curves = set(log.Tags()["scalars"])
    assert {"loss/normal", "loss/align_albedo", "validation/normal_deg", "validation/video_drift"} <= curves
    assert {"watch/log_albedo_std", "watch/residual_energy", "watch/normal_slant_deg"} <= curves
    assert set(log.Tags()["images"]) == {"panel/synthetic", "panel/real"}


def test_sfsnet_alone_leaves_no_residual(cache, tmp_path):
    recipe = dataclasses.replace(TINY, residual=False, stages=(Stage("global", 32),))
    run = training(recipe, cache, tmp_path)
    terms: list[set[str]] = []
    run.run(lambda _, figures: terms.append(set(figures)))
    assert "residual" not in terms[0] and "image" not in terms[0]
    estimate = run.learner.network().eval()(torch.rand(2, 3, 32, 32), torch.zeros(2, 3, 32, 32))
    assert not estimate.residual.any()


def test_training_starts_from_given_weights(cache, tmp_path):
    first = training(TINY, cache, tmp_path / "first")
    path = tmp_path / "first.safetensors"
    save_weights(path, first.learner.network(), TINY.to_dict(), "none", {})
    second = training(dataclasses.replace(TINY, seed=9, initial=str(path)), cache, tmp_path / "second")
    for name, value in first.learner.network().state_dict().items():
        torch.testing.assert_close(second.learner.model.state_dict()[name], value, rtol=0, atol=0)
    other = dataclasses.replace(TINY, initial=str(path), network=dataclasses.replace(TINY.network, width=16))
    with pytest.raises(InputError, match="the recipe asks for"):
        training(other, cache, tmp_path / "third")
    with pytest.raises(InputError, match="nowhere"):
        training(dataclasses.replace(TINY, initial="nowhere.safetensors"), cache, tmp_path / "fourth")
    with pytest.raises(InputError, match="goes on from the weights of 'sfs'"):
        training(dataclasses.replace(TINY, initial="sfs"), cache, tmp_path / "fifth")


def test_detail_blocks_may_be_added_to_given_weights(cache, tmp_path):
    first = training(TINY, cache, tmp_path / "first")
    path = tmp_path / "first.safetensors"
    save_weights(path, first.learner.network(), TINY.to_dict(), "none", {})
    network = dataclasses.replace(TINY.network, detail_blocks=1)
    detailed = training(dataclasses.replace(TINY, initial=str(path), network=network), cache, tmp_path / "second")
    image, guide = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    found, before = (run.learner.network().eval()(image, guide) for run in (detailed, first))
    torch.testing.assert_close(found.normal, before.normal, rtol=0, atol=0)
    torch.testing.assert_close(found.residual, before.residual, rtol=0, atol=0)


def test_a_thin_level_may_learn_alone(cache, tmp_path):
    network = dataclasses.replace(COMPACT, albedo="quotient", guide=False, size=16)
    path = tmp_path / "body.safetensors"
    save_weights(path, IlluResSfSNet(network), TINY.to_dict(), "none", {})
    fine = dataclasses.replace(network, size=32, fine_width=8)
    recipe = dataclasses.replace(
        TINY, initial=str(path), learns="thin", network=fine, stages=(Stage("global", 32),), checkpoint=16
    )
    run = training(recipe, cache, tmp_path / "run")
    before = {name: value.clone() for name, value in run.learner.model.state_dict().items()}
    run.run()
    changed = {name for name, value in run.learner.model.state_dict().items() if not torch.equal(value, before[name])}
    assert {name for name in changed if "thin" not in name and "stem" not in name} == set()
    assert {name.split(".thin")[0] for name in changed} >= {
        "sfsnet.albedo_branch",
        "sfsnet.normal_branch",
        "illuresnet",
    }
    with pytest.raises(InputError, match="fine_width"):
        dataclasses.replace(TINY, initial=str(path), learns="thin")


def test_a_stage_may_leave_illuresnet_out(cache, tmp_path):
    stages = (Stage("global", 32, residual=False), Stage("global", 32))
    terms: list[set[str]] = []
    run = training(dataclasses.replace(TINY, stages=stages), cache, tmp_path / "run")
    run.run(lambda seen, figures: terms.append(set(figures)))
    steps = [names for names in terms if "normal" in names]
    assert "residual" not in steps[0] and "image" not in steps[0]
    assert "residual" in steps[-1] and "image" in steps[-1]


def test_what_is_missing_is_said_before_anything_is_done(cache, tmp_path):
    with pytest.raises(InputError, match="samples are 32 px"):
        Training(Recipe(), cache, tmp_path)
    with pytest.raises(InputError, match="--videos"):
        Training(EVERY_KIND, cache, tmp_path)
    with pytest.raises(InputError, match="align = 'alignnet'"):
        Training(dataclasses.replace(TINY, stages=(Stage("pairs", 16, real=0.0),)), cache, tmp_path)
    with pytest.raises(InputError, match="not a training cache"):
        SampleCache([tmp_path])


def test_a_cache_of_an_older_format_is_refused(cache_folder, tmp_path):
    index = cache_folder / "index.json"
    text = index.read_text()
    try:
        index.write_text(re.sub(r'"format": \d+, ', "", text))
        with pytest.raises(InputError, match="format None"):
            SampleCache([cache_folder])
    finally:
        index.write_text(text)
