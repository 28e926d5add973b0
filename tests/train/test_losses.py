from dataclasses import fields, replace

import pytest
import torch

from illures.model.network import Estimate
from illures.render import render
from illures.train.losses import LossWeights, supervised


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
    spoilt = {key: getattr(truth, key).clone() for key in ("albedo", "normal", "light", "residual")}
    spoilt[name] = torch.where(batch.mask > 0, spoilt[name], 0.77)
    assert supervised(Estimate(**spoilt), batch).total(LossWeights()).item() < 1e-5
    spoilt[name] = torch.full_like(spoilt[name], 0.77)
    assert getattr(supervised(Estimate(**spoilt), batch), name).mean() > 0.05


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


def test_each_image_counts_alike_wherever_the_batch_is_cut(batch):
    """What several processes rest on: the mean over a batch is the mean of the means over equal parts."""
    wrong = replace(truth_as_estimate(batch), albedo=batch.albedo * 0.5, normal=-batch.normal)

    def cost(start: int, stop: int) -> torch.Tensor:
        cut = replace(batch, **{f.name: getattr(batch, f.name)[start:stop] for f in fields(batch)})
        estimate = Estimate(*(getattr(wrong, f.name)[start:stop] for f in fields(wrong)))
        return supervised(estimate, cut).total(LossWeights())

    assert len({int(mask.sum()) for mask in batch.mask}) > 1
    torch.testing.assert_close(cost(0, 6), (cost(0, 3) + cost(3, 6)) / 2)


def test_a_face_out_of_sight_costs_nothing(batch):
    hidden = replace(batch, mask=torch.zeros_like(batch.mask))
    wrong = replace(truth_as_estimate(batch), albedo=batch.albedo * 0.5)
    assert supervised(wrong, hidden).total(LossWeights()) == 0
