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
    assert getattr(supervised(Estimate(**spoilt), batch), name) > 0.05


def test_a_wrong_light_is_seen_by_light_and_image_alone(batch):
    truth = truth_as_estimate(batch)
    losses = supervised(Estimate(truth.albedo, truth.normal, truth.light * 1.5, truth.residual), batch)
    assert losses.light > 0.1 and losses.image > 0.02
    assert losses.normal + losses.albedo + losses.residual < 1e-5
