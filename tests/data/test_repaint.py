"""Laws of the other colours of rendered people."""

import numpy as np
import pytest
import torch

from illures.data.repaint import other_backgrounds, repaint, walls
from illures.render import shade
from illures.types import Region


def _person(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images below the burnt range, albedo, and regions in stripes of 16 pixels."""
    albedo = torch.from_numpy(rng.uniform(0.1, 0.5, (4, 64, 64, 3))).float()
    image = albedo * torch.from_numpy(rng.uniform(0.2, 0.9, (4, 64, 64, 1))).float()
    region = torch.full((4, 64, 64, 1), int(Region.BACKGROUND), dtype=torch.uint8)
    region[:, 16:32], region[:, 32:48], region[:, 48:] = int(Region.SKIN), int(Region.EYES), int(Region.CLOTHES)
    return image, albedo, region


def test_light_stays_and_what_is_no_skin_hair_or_cloth_stays():
    image, albedo, region = _person(np.random.default_rng(0))
    others, colours = repaint(image, albedo, region, np.random.default_rng(1), 1.0)
    clear = (others < 0.9).all(dim=-1)
    torch.testing.assert_close((others / colours)[clear], (image / albedo)[clear], rtol=1e-4, atol=0)
    for rows in (slice(0, 15), slice(33, 47)):  # background and eyes, off the edges
        torch.testing.assert_close(colours[:, rows], albedo[:, rows], rtol=1e-5, atol=0)
    for rows in (slice(17, 31), slice(49, 64)):  # one tone a person, another one for each
        change = (colours / albedo)[:, rows].log().mean(dim=(1, 2))
        assert change.abs().amax(dim=-1).min() > 0.02
        assert len({round(float(c[1]), 3) for c in change}) == 4


def test_tones_are_those_of_skin_and_stay_within_bounds():
    from illures.synth.skin.tone import tone_of

    image, albedo, region = _person(np.random.default_rng(0))
    slopes = []
    for seed in range(60):
        _, colours = repaint(image, albedo, region, np.random.default_rng(seed), 1.0)
        assert colours[:, 17:].min() >= 0.01 * (1 - 1e-4) and colours.max() <= 0.9 * (1 + 1e-4)
        slopes.append((colours / albedo)[:, 17:31].log().mean(dim=(1, 2)))
    found = torch.cat(slopes).numpy()
    green = found[:, 1] - found[:, 1].mean()
    curve = tone_of(55.0) - tone_of(-50.0)  # the witness: the skins that the renderer paints
    for channel in (0, 2):
        slope = (green * found[:, channel]).sum() / (green**2).sum()
        assert slope == pytest.approx(curve[channel] / curve[1], abs=0.06)


def test_burnt_skin_is_never_darkened_and_chance_zero_changes_nothing():
    image, albedo, region = _person(np.random.default_rng(0))
    image[:, 16:24] = 1.0
    for seed in range(20):
        others, colours = repaint(image, albedo, region, np.random.default_rng(seed), 1.0)
        assert (colours >= albedo * (1 - 1e-5)).all() and (others >= image - 1e-6).all()
    others, colours = repaint(image, albedo, region, np.random.default_rng(0), 0.0)
    torch.testing.assert_close(others, image, rtol=0, atol=1e-6)
    torch.testing.assert_close(colours, albedo, rtol=0, atol=1e-6)


def test_other_backgrounds_change_what_is_behind_alone_and_keep_its_brightness():
    rng = np.random.default_rng(0)
    image, _, region = _person(rng)
    found = other_backgrounds(image, region, np.random.default_rng(1), 1.0)
    torch.testing.assert_close(found[:, 18:], image[:, 18:], rtol=0, atol=0)  # a pixel of edge may show both
    behind, before = found[:, :15], image[:, :15]
    assert (behind - before).abs().mean(dim=(1, 2, 3)).min() > 0.02
    torch.testing.assert_close(behind.mean(dim=(1, 2)), before.mean(dim=(1, 2)), rtol=0.25, atol=0)
    torch.testing.assert_close(other_backgrounds(image, region, rng, 0.0), image, rtol=0, atol=0)


def test_walls_send_back_a_part_of_the_light_that_falls_there_and_people_stay():
    image, _, region = _person(np.random.default_rng(0))
    light = torch.zeros(4, 9, 3)
    light[:, 0] = torch.tensor([0.5, 1.0, 2.0])  # the same from everywhere
    falling = shade(torch.tensor([0.0, 0.0, 1.0]), light[0])
    around = torch.zeros(4, 56, 56, 3)
    shares = []
    for seed in range(100):
        walled, wide = walls(image, around, light, region, np.random.default_rng(seed), 1.0)
        torch.testing.assert_close(walled[:, 17:], image[:, 17:], rtol=0, atol=0)
        middle = wide[:, 28, 28]
        assert ((walled[:, 14] - middle[:, None].clamp(max=1)).abs() < 0.35 * middle[:, None] + 0.01).all()
        shares.append(middle / falling)
    found = torch.cat(shares)
    tints = found / found.mean(dim=1, keepdim=True)  # the wall takes the light's colour, and has little of its own
    assert tints.std(dim=0).max() < 0.12 and (tints.mean(dim=0) - 1).abs().max() < 0.02
    assert 0.4 < float(found.median()) < 0.8 and found.min() > 0.005 and found.max() < 3


def test_walls_of_no_chance_change_nothing():
    image, _, region = _person(np.random.default_rng(0))
    around = torch.rand(4, 56, 56, 3)
    same, wide = walls(image, around, torch.ones(4, 9, 3), region, np.random.default_rng(0), 0.0)
    assert torch.equal(same, image) and torch.equal(wide, around)
