"""Validation: the same people for all, and figures that say what they should."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from illures.math.color import srgb_to_linear
from illures.model import NetworkConfig
from illures.model.network import Estimate, IlluResSfSNet
from illures.render import render
from illures.train import validate
from illures.train.augment import Frames
from illures.train.validate import Figures, Validation, held_out


class Oracle(IlluResSfSNet):
    """Says the truth of samples by their image, changed as asked."""

    def __init__(self, cache, change=lambda truth, light: truth) -> None:
        torch.nn.Module.__init__(self)  # there is no network in it
        batch = cache.batch(range(len(cache)))
        residual = batch.image - render(batch.albedo, batch.normal, batch.light[:, None])
        self.truth, self.image = Estimate(batch.albedo, batch.normal, batch.light, residual), batch.image
        self.change = change
        self.dummy = torch.nn.Parameter(torch.zeros(1))
        self.config = NetworkConfig(guide=True)

    def forward(self, image, guide, context):
        seen = srgb_to_linear(image.permute(0, 2, 3, 1))
        at = [int((self.image - x).abs().mean(dim=(1, 2, 3)).argmin()) for x in seen]
        truth = self.truth.each(lambda value: value[at])
        return self.change(truth, torch.tensor([index % 2 for index in at]))


@pytest.fixture
def indices(cache):
    return np.flatnonzero(held_out(cache, 0.3))


def test_held_out_people_are_whole_and_the_same_in_every_set(cache):
    out = held_out(cache, 0.3)
    assert 0 < out.sum() < len(out)
    for person in np.unique(cache.identity):
        assert len(set(out[cache.identity == person])) == 1
    assert (held_out(cache, 0.6) >= out).all()
    assert not held_out(cache, 0.0).any()
    assert len(np.unique(cache.identity[held_out(cache, 1e-9)])) == 1


def test_the_truth_has_no_error(cache, indices):
    figures = Validation(cache, indices, 100)(Oracle(cache))
    assert figures.normal_deg < 0.1 and figures.head_normal_deg < 0.1 and figures.albedo_error < 1e-3
    assert figures.head_albedo_error < 1e-3 and figures.ita_error_deg < 0.1


def test_people_whose_eyes_are_hidden_have_no_figure_for_them(cache, indices, monkeypatch):
    monkeypatch.setattr(validate, "near_eyes", lambda batch: torch.zeros_like(batch.mask, dtype=torch.bool))
    figures = Validation(cache, indices, 100)(Oracle(cache))
    assert figures.eye_normal_deg is None and "eye_normal_deg" not in figures.found()
    assert np.isfinite(figures.score())


def test_each_figure_sees_its_own_error(cache, indices):
    measure = Validation(cache, indices, 100)
    scaled = measure(Oracle(cache, lambda e, light: replace(e, albedo=e.albedo * 0.5)))
    assert scaled.albedo_error < 1e-3  # the free scale does not count

    def lit(e: Estimate, light: torch.Tensor) -> Estimate:
        shade = torch.linspace(0.8, 1.2, 32)[:, None] ** light[:, None, None, None]
        return replace(e, albedo=e.albedo * shade)

    drifting = measure(Oracle(cache, lit))
    assert drifting.albedo_drift > 0.5 and drifting.albedo_error > 0.02 and drifting.normal_deg < 0.1
    turn = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    turned = measure(Oracle(cache, lambda e, light: replace(e, normal=e.normal @ turn.T)))
    assert turned.normal_deg > 40 and turned.albedo_error < 1e-3


def test_frames_of_videos_are_rebuilt_and_compared(cache, indices):
    batch = cache.batch(np.arange(0, 40, 4))
    frames = Frames(batch.image, batch.mask, batch.guide, batch.landmarks, batch.mask)
    figures = Validation(cache, indices, 8, (frames, frames))(Oracle(cache))
    assert figures.video_reconstruction < 1e-4 and figures.video_drift < 1e-3
    bare = Oracle(cache, lambda e, light: replace(e, residual=torch.zeros_like(e.residual)))
    figures = Validation(cache, indices, 8, (frames, frames))(bare)
    assert figures.video_reconstruction > 0.02 and figures.video_drift < 1e-3


def test_fading_albedo_does_not_win(cache, indices):
    """The collapse that consistency invites: less contrast, and less drift with it."""

    def fading(rest: float) -> Figures:
        def lit(e: Estimate, light: torch.Tensor) -> Estimate:
            across, down = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="xy")
            pattern = 0.5 * across + 0.3 * down * light[:, None, None]
            return replace(e, albedo=0.3 * (1 + rest * pattern)[..., None].expand_as(e.albedo))

        return Validation(cache, indices, 8)(Oracle(cache, lit))

    whole, faded = fading(1.0), fading(0.2)
    assert faded.albedo_drift > 0.9 * whole.albedo_drift
    assert faded.score() > 0.8 * whole.score()  # errors against an even truth are smaller, that is all


def test_views_are_taken_with_all_their_lights_up_to_a_count(cache, indices):
    for count in (1, 4):
        views = Validation(cache, indices, count)._views
        assert sum(map(len, views)) >= count > sum(map(len, views[:-1]))
        assert all(len(view) == 2 for view in views)
    assert len(Validation(cache, indices, 1).examples(6).image) == 1
