"""What a step costs, and the signs of collapse that are watched."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from illures.model.network import Estimate
from illures.render import render
from illures.train.collapse_monitor import collapse_signs
from illures.train.cost import TERMS, term_means, terms, total
from illures.train.data_loader import Step, StepLoader
from illures.train.distributed import Ranks
from illures.train.losses import LossWeights
from tiny_training import EVERY_KIND, FakeVideos, flat_consistency


def truth_of(cache, indices) -> Estimate:
    batch = cache.batch(np.asarray(indices))
    return Estimate(
        batch.albedo, batch.normal, batch.light, batch.image - render(batch.albedo, batch.normal, batch.light[:, None])
    )


@pytest.fixture
def step(cache) -> Step:
    """Two samples and two pairs: 0 and 4, each with another view of itself."""
    samples, videos = cache.batch(np.arange(2)), FakeVideos(cache)
    first, second = videos.frames(np.array([0, 4])), videos.frames(np.array([2, 6]))
    image = torch.cat([samples.image, first.image, second.image])
    return Step(image, torch.zeros_like(image), torch.zeros(6, 32, 32, 4), samples, first, second)


def test_the_truth_costs_nothing_but_what_moves(cache, step):
    found = terms(truth_of(cache, [0, 1, 0, 4, 2, 6]), step, True, flat_consistency)
    assert set(found) == set(TERMS) - {"illumination", "regions", "drift"}  # not of this network, not of such a recipe
    for name, value in found.items():
        if name not in ("align_albedo", "align_normal", "collapse"):
            assert value < 1e-5, name
    assert found["align_normal"] > 0.01


def test_terms_of_a_batch_are_the_mean_of_those_of_its_parts(cache):
    """What several processes rest on."""
    loaders = [
        StepLoader(EVERY_KIND, cache, np.arange(len(cache)), FakeVideos(cache), ranks)
        for ranks in (Ranks(), Ranks(0, 2), Ranks(1, 2))
    ]
    for seen in (16, 64, 96):
        costs = []
        for loader in loaders:
            step = loader.step(seen)
            albedo = step.image * 0.5 + 0.1
            normal = torch.nn.functional.normalize(step.image - 0.4, dim=-1)
            light = torch.ones(len(albedo), 9, 3)
            found = terms(Estimate(albedo, normal, light, 0.1 * albedo), step, True, flat_consistency)
            costs.append(total(found, LossWeights()))
        torch.testing.assert_close(costs[0], (costs[1] + costs[2]) / 2)


def test_reported_terms_are_means_over_the_images_that_have_them(cache, step):
    wrong = replace(truth_of(cache, [0, 1, 0, 4, 2, 6]), residual=torch.full_like(step.image, 0.3))
    found = {name: float(value) for name, value in terms(wrong, step, True, flat_consistency).items()}
    means = term_means(found, (1 / 3, 2 / 3), True)
    alone = Step(step.image[:2], step.guide[:2], step.context[:2], step.truth, None, None)
    cut = wrong[:2]
    assert means["residual"] == pytest.approx(float(terms(cut, alone, True, None)["residual"]))
    assert "residual" not in term_means(found, (1 / 3, 2 / 3), False)
    assert set(term_means(found, (0.0, 1.0), True)) == {"image", "align_albedo", "align_normal", "collapse"}


def test_pairs_are_pulled_from_every_collapse(cache, step):
    pairs = Step(step.image[2:], step.guide[2:], step.context[2:], None, step.first, step.second)
    good = truth_of(cache, [0, 4, 2, 6])
    # Ellipsoids have one colour: give them the spread of a face.
    spread = torch.linspace(0.3, 1, 32)[:, None]
    good = replace(good, albedo=good.albedo * spread)
    flat = torch.tensor([0.0, 0, 1]).expand_as(good.normal)
    collapsed = [
        replace(good, albedo=torch.full_like(good.albedo, 0.3)),
        replace(good, normal=flat),
        replace(good, residual=pairs.image),
    ]
    fine = terms(good, pairs, True, flat_consistency)["collapse"]
    assert all(terms(bad, pairs, True, flat_consistency)["collapse"] > fine + 0.1 for bad in collapsed)
    signs = [collapse_signs(estimate, pairs) for estimate in (good, *collapsed)]
    assert signs[1].log_albedo_std < 0.01 < signs[0].log_albedo_std
    assert signs[2].normal_slant_deg < 1 < signs[0].normal_slant_deg
    assert signs[3].residual_energy > 0.8 > signs[0].residual_energy
