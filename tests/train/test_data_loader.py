"""What a step takes follows from the recipe and the images seen alone, whoever makes it and when."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from illures.errors import InputError
from illures.train.data_loader import StepLoader
from illures.train.distributed import Ranks
from illures.train.recipe import Stage
from tiny_training import EVERY_KIND, TINY, FakeVideos


def loader(cache, recipe=TINY, ranks=None) -> StepLoader:
    return StepLoader(recipe, cache, np.arange(4, len(cache)), FakeVideos(cache), ranks or Ranks())


def equal(one, other) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    return all(equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))


@pytest.mark.parametrize("recipe", [TINY, EVERY_KIND])
def test_steps_prefetched_are_those_made_alone_from_any_place(cache, recipe):
    prefetched = list(loader(cache, recipe).steps(0))
    assert len(prefetched) == 8
    for k, step in enumerate(loader(cache, recipe).steps(48), start=3):
        assert equal(step, prefetched[k])
    assert equal(loader(cache, recipe).step(64), prefetched[4])
    assert not equal(prefetched[0], prefetched[1])


def test_ranks_hold_the_whole_batch_together(cache):
    whole = loader(cache).step(64)
    parts = [loader(cache, ranks=Ranks(rank, 2)).step(64) for rank in range(2)]
    assert torch.equal(torch.cat([part.image for part in parts]), whole.image)
    assert torch.equal(torch.cat([part.truth.normal for part in parts]), whole.truth.normal)
    with pytest.raises(InputError, match="3 processes need a multiple of 24"):
        loader(cache, ranks=Ranks(0, 3))


def test_every_training_sample_is_seen_once_a_pass_and_those_held_out_never(cache):
    drawn = loader(cache)._drawn(0, 36)
    assert sorted(drawn) == list(range(4, 40))
    assert sorted(loader(cache)._drawn(36, 36)) == list(range(4, 40))
    assert not np.array_equal(drawn, loader(cache)._drawn(36, 36))


def test_synthetic_pairs_show_one_person_in_two_views(cache):
    ours = loader(cache)
    first = ours._drawn(0, 36)
    second = ours._partners.draw(first, np.random.default_rng(0))
    assert np.array_equal(cache.identity[first], cache.identity[second])
    assert (cache.view[first] != cache.view[second]).all()
    assert (second >= 4).all()


def test_real_pairs_have_the_share_that_the_recipe_asks_for(cache):
    recipe = replace(TINY, stages=(Stage("all", 800, real=0.3),))
    ours = loader(cache, recipe)
    shares = [ours.shares(seen) for seen in range(0, 800, 16)]
    assert np.mean([paired for _, paired in shares]) == pytest.approx(0.3)
    assert {samples + paired for samples, paired in shares} == {1.0}
    for seen in (0, 16, 32, 48):
        step = ours.step(seen)
        count = 0 if step.truth is None else len(step.truth.image)
        assert count / len(step.image) == ours.shares(seen)[0]


def test_pairs_stand_behind_the_samples_first_frames_first(cache):
    step = loader(cache, EVERY_KIND).step(96)
    assert len(step.truth.image) == 8 and len(step.first.image) == len(step.second.image) == 4
    guides = torch.cat([step.truth.guide, step.first.guide, step.second.guide])
    assert torch.equal(guides, step.guide)
    truth = torch.cat([step.truth.image, step.first.image, step.second.image])
    # What the network sees is the same picture through a camera with faults.
    seen, meant = (x.flatten(1) - x.flatten(1).mean(dim=1, keepdim=True) for x in (step.image, truth))
    like = torch.nn.functional.cosine_similarity(seen[:, None], meant[None], dim=-1)
    assert (like.argmax(dim=1) == torch.arange(16)).float().mean() > 0.8


def test_twins_show_a_view_under_two_lights_with_the_same_paint(cache):
    camera, loss = replace(TINY.camera, cut=0.0), replace(TINY.loss, drift=1.0)
    recipe = replace(TINY, camera=camera, loss=loss, repainted=1.0, stages=(Stage("global", 64),))
    truth = loader(cache, recipe).step(0).truth
    for start in range(0, len(truth.image), 8):
        first, second = slice(start, start + 4), slice(start + 4, start + 8)
        assert torch.equal(truth.region[first], truth.region[second])
        assert torch.equal(truth.normal[first], truth.normal[second])
        torch.testing.assert_close(truth.albedo[first], truth.albedo[second], rtol=0, atol=1e-5)
        assert (truth.light[first] - truth.light[second]).abs().amax(dim=(1, 2)).min() > 1e-3
