from dataclasses import fields, replace

import pytest
import torch

from illures.data.cache import UNKNOWN
from illures.model.network import Estimate
from illures.render import render
from illures.train.losses import LossWeights, light_drift, near_eyes, pixel_weights, supervised
from illures.types import Region


@pytest.fixture
def batch(cache):
    return cache.batch(range(6))


def truth_as_estimate(batch) -> Estimate:
    residual = batch.image - render(batch.albedo, batch.normal, batch.light[:, None])
    return Estimate(batch.albedo, batch.normal, batch.light, residual)


def test_the_truth_costs_nothing(batch):
    losses = supervised(truth_as_estimate(batch), batch)
    assert losses.total(LossWeights()).item() < 1e-5


@pytest.mark.parametrize("name", ["albedo", "normal", "residual"])
def test_only_the_mask_counts(batch, name):
    truth = truth_as_estimate(batch)
    beyond = replace(truth, **{name: torch.where(batch.mask > 0, getattr(truth, name), 0.77)})
    assert supervised(beyond, batch).total(LossWeights()).item() < 1e-5
    wrong = replace(truth, **{name: torch.full_like(getattr(truth, name), 0.77)})
    assert getattr(supervised(wrong, batch), name).mean() > 0.05


def test_with_a_weight_for_the_head_all_that_shows_a_surface_counts(batch):
    """Half of the mask is taken away: what was of the face is then of the head."""
    half = torch.where(torch.arange(batch.mask.shape[2])[:, None] < 16, batch.mask, 0)
    narrow = replace(batch, mask=half)
    wrong = replace(truth_as_estimate(batch), albedo=torch.where(half > 0, batch.albedo, 0.9))
    assert supervised(wrong, narrow).albedo.max() < 1e-5
    assert supervised(wrong, narrow, head=0.5).albedo.min() > 0.02
    assert torch.equal(pixel_weights(narrow, 0.0), half)
    weights = pixel_weights(narrow, 0.5)
    assert torch.equal(weights > 0, (batch.surface > 0) | (half > 0))
    assert torch.equal(weights > 1, near_eyes(narrow) & (half > 0))


def test_illumination_costs_its_log_error_where_the_quotient_can_be_told(batch):
    lit = (batch.image + 0.003) / batch.albedo.clamp(min=0.01)
    truth = replace(truth_as_estimate(batch), illumination=lit)
    assert supervised(truth, batch).illumination.max() < 1e-4
    brighter = supervised(replace(truth, illumination=lit * 1.5), batch).illumination
    clear = ((batch.image < 0.97) & (batch.image > 0.002)).float()
    expected = 0.405465 * (clear * batch.mask).sum(dim=(1, 2, 3)) / (3 * batch.mask.sum(dim=(1, 2, 3)))
    torch.testing.assert_close(brighter, expected, rtol=0, atol=1e-4)


def test_classes_cost_where_they_are_wrong_and_not_where_the_photo_does_not_go(batch):
    sure = 30 * torch.nn.functional.one_hot(batch.region[..., 0].long(), len(Region)).float()
    truth = replace(truth_as_estimate(batch), regions=sure)
    assert supervised(truth, batch).regions.max() < 1e-3
    wrong = replace(truth, regions=sure.roll(1, dims=-1))
    assert supervised(wrong, batch).regions.min() > 10
    unknown = replace(batch, region=torch.full_like(batch.region, UNKNOWN))
    assert supervised(wrong, unknown).regions.max() == 0


def test_detail_sees_what_is_blurred_away_and_no_constant_error(batch):
    truth = truth_as_estimate(batch)
    shifted = supervised(replace(truth, normal=truth.normal + 0.1), batch)
    assert shifted.detail.max() < 1e-5 < shifted.normal.min()
    rough = replace(batch, normal=batch.normal + 0.2 * torch.randn(batch.normal.shape))
    assert supervised(truth, rough).detail.min() > 0.1


def test_a_wrong_light_is_seen_by_light_and_both_images_alone(batch):
    truth = truth_as_estimate(batch)
    losses = supervised(Estimate(truth.albedo, truth.normal, truth.light * 1.5, truth.residual), batch)
    for name in ("light", "local", "image"):
        assert getattr(losses, name).mean() > 0.02
    assert (losses.normal + losses.albedo + losses.residual).sum() < 1e-5


def test_light_costs_the_square_of_its_error(batch):
    truth = truth_as_estimate(batch)
    once, twice = (
        supervised(replace(truth, light=truth.light + k * torch.eye(9)[:, :3]), batch).light for k in (0.1, 0.2)
    )
    torch.testing.assert_close(twice, 4 * once)


def test_a_bright_light_counts_no_more_than_another(batch):
    """An error of a tenth costs less where little light is, and the same however bright the light."""
    costs = []
    for gain in (0.01, 10.0, 100.0):
        truth = replace(batch, light=batch.light * gain)
        ours = replace(truth_as_estimate(truth), light=truth.light * 1.1)
        costs.append(supervised(ours, truth).light)
    assert costs[0].max() < 1e-4
    torch.testing.assert_close(costs[1], torch.full_like(costs[1], 0.01), rtol=1e-3, atol=0)
    torch.testing.assert_close(costs[2], costs[1], rtol=1e-3, atol=0)


def test_each_image_counts_alike_wherever_the_batch_is_cut(batch):
    """What several processes rest on: the mean over a batch is the mean of the means over equal parts."""
    wrong = replace(truth_as_estimate(batch), albedo=batch.albedo * 0.5, normal=-batch.normal)

    def cost(start: int, stop: int) -> torch.Tensor:
        cut = replace(batch, **{f.name: getattr(batch, f.name)[start:stop] for f in fields(batch)})
        return supervised(wrong[start:stop], cut).total(LossWeights())

    assert len({int(mask.sum()) for mask in batch.mask}) > 1
    torch.testing.assert_close(cost(0, 6), (cost(0, 3) + cost(3, 6)) / 2)


def test_a_face_out_of_sight_costs_nothing(batch):
    hidden = replace(batch, mask=torch.zeros_like(batch.mask))
    wrong = replace(truth_as_estimate(batch), albedo=batch.albedo * 0.5)
    assert supervised(wrong, hidden).total(LossWeights()) == 0


def test_light_drift_counts_what_changes_with_the_light_and_nothing_else(cache):
    half = cache.batch([4, 5, 6, 7])
    twins = replace(half, **{f.name: torch.cat([getattr(half, f.name)] * 2) for f in fields(half)})
    truth = truth_as_estimate(twins)
    left = (torch.arange(half.mask.shape[2]) < half.mask.shape[2] // 2).float()[:, None]
    wrong = replace(truth, albedo=(truth.albedo * (1 - 0.3 * left)).clamp(min=0.02))
    assert light_drift(truth, twins, 8).max() < 1e-6
    assert light_drift(wrong, twins, 8).max() < 1e-6  # wrong, but the same under both lights
    first = (torch.arange(8) < 4).float().view(-1, 1, 1, 1)
    scaled = replace(truth, albedo=truth.albedo * (1 - 0.3 * first))
    bright = replace(twins, albedo=twins.albedo.clamp(min=0.1))
    assert light_drift(replace(scaled, albedo=bright.albedo * (1 - 0.3 * first)), bright, 8).max() < 1e-5
    shadow = replace(truth, albedo=bright.albedo * (1 - 0.3 * first * left))
    found = light_drift(shadow, bright, 8)
    assert found.min() > 0.05
    assert torch.equal(found[:4], found[4:])
    tilted = torch.nn.functional.normalize(truth.normal + first * torch.tensor([0.2, 0, 0]), dim=-1)
    assert light_drift(replace(truth, normal=tilted), twins, 8).min() > 0.03
