"""Laws of the other details of rendered people."""

import numpy as np
import torch

from illures.data.retexture import retexture
from illures.types import Region

BROW, EYE = slice(40, 46), slice(70, 76)


def _people() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Skin in a light of 0.5, with a brow that shines (0.9) and an eye, before a background."""
    albedo, light = torch.full((3, 128, 128, 3), 0.4), torch.full((3, 128, 128, 1), 0.5)
    region = torch.full((3, 128, 128, 1), int(Region.SKIN), dtype=torch.uint8)
    region[:, :, :20] = int(Region.BACKGROUND)
    region[:, BROW, 40:90], region[:, EYE, 40:90] = int(Region.FACIAL_HAIR), int(Region.EYES)
    albedo[:, BROW, 40:90], light[:, BROW, 40:90], albedo[:, EYE, 40:90] = 0.1, 0.9, 0.8
    return albedo * light, albedo, region


def test_texture_of_skin_goes_to_albedo_alone_and_other_things_stay():
    image, albedo, region = _people()
    others, colours = retexture(image, albedo, region, np.random.default_rng(0), 1.0)
    skin = (region == int(Region.SKIN))[..., 0]
    torch.testing.assert_close(
        (others / colours)[:, :34][skin[:, :34]], torch.tensor(0.5).expand(skin[:, :34].sum(), 3)
    )
    torch.testing.assert_close(others[:, :, :19], image[:, :, :19])
    torch.testing.assert_close(colours[:, :, :19], albedo[:, :, :19])
    spread = (colours[:, 90:, 30:] / albedo[:, 90:, 30:]).log().flatten(1, 2).std(dim=1)
    assert spread.min() > 0.005 and spread.max() < 0.25


def test_brows_are_lit_as_the_skin_around_and_whites_of_eyes_turn_grey():
    image, albedo, region = _people()
    for seed in range(5):
        others, colours = retexture(image, albedo, region, np.random.default_rng(seed), 1.0)
        brow, eye = (slice(None), slice(42, 44), slice(50, 80)), (slice(None), slice(72, 74), slice(50, 80))
        light = (others / colours)[brow].mean(dim=(1, 2))
        assert (light < 0.9 * (0.5 / 0.9) ** 0.35).all() and (light > 0.5 * 0.98).all()
        assert (colours[eye] <= 0.8 * 0.8 + 1e-6).all() and (colours[eye] >= 0.8 * 0.35 - 1e-6).all()
        torch.testing.assert_close((others / colours)[eye], torch.full_like(others[eye], 0.5))


def test_irises_get_lighter_toward_the_mean_of_the_eye_in_the_same_light():
    image, albedo, region = _people()
    iris = (slice(None), EYE, slice(60, 70))
    albedo[iris], image[iris] = 0.05, 0.025
    found = []
    for seed in range(5):
        others, colours = retexture(image, albedo, region, np.random.default_rng(seed), 1.0)
        inner = colours[:, 72:74, 62:68].mean(dim=(1, 2, 3))
        outer = colours[:, 72:74, 76:86].mean(dim=(1, 2, 3))
        found += (outer.log() - inner.log()).tolist()
        torch.testing.assert_close((others / colours)[iris], torch.full_like(others[iris], 0.5))
    before = float(np.log(0.8 / 0.05))
    assert max(found) < before and min(found) > (1 - 0.6) * before + np.log(0.35) - 0.01
    assert np.std(found) > 0.2


def test_chance_zero_and_missing_albedo_change_nothing():
    image, albedo, region = _people()
    same = retexture(image, albedo, region, np.random.default_rng(0), 0.0)
    assert same[0] is image and same[1] is albedo
    albedo[:, :, 100:] = 0.0  # what has no truth gets none
    _, colours = retexture(image, albedo, region, np.random.default_rng(0), 1.0)
    assert (colours[:, :, 100:] == 0).all()
    assert torch.isfinite(colours).all()
