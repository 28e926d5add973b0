"""Laws of mixed lights: light is additive."""

import numpy as np
import torch

from illures.data.mixing import Lit, mixed
from illures.math.normals import normalize
from illures.render import render


def _lit(rng: np.random.Generator, albedo: torch.Tensor, normal: torch.Tensor) -> Lit:
    light = torch.zeros(4, 9, 3)
    light[:, 0], light[:, 2] = 1.2, 0.4
    light += torch.from_numpy(rng.normal(0, 0.1, light.shape)).float()
    shadow = torch.from_numpy(rng.uniform(-0.02, 0.02, albedo.shape)).float()
    around = torch.from_numpy(rng.uniform(0, 2, (4, 8, 8, 3))).float()
    return Lit(render(albedo, normal, light[:, None]) + shadow, light, around)


def test_what_is_mixed_is_one_scene_under_the_sum_of_two_lights():
    rng = np.random.default_rng(0)
    albedo = torch.from_numpy(rng.uniform(0.3, 0.6, (4, 16, 16, 3))).float()
    normal = normalize(torch.from_numpy(rng.normal(0, 1, (4, 16, 16, 3))).float() + torch.tensor([0.0, 0, 3]))
    first, second = _lit(rng, albedo, normal), _lit(rng, albedo, normal)
    found = mixed(first, second, torch.ones(4, 16, 16, 1), np.random.default_rng(1), 1.0)
    for k in range(4):
        for channel in range(3):  # the gains, told by the lights alone
            lights = torch.stack([first.light[k, :, channel], second.light[k, :, channel]], 1)
            gains = torch.linalg.lstsq(lights, found.light[k, :, channel, None]).solution[:, 0]
            assert gains.min() > 0 and gains.sum() < 1.01 * 2
            for name in ("image", "around"):
                one, other = (getattr(lit, name)[k, ..., channel] for lit in (first, second))
                wanted = one * gains[0] + other * gains[1]
                torch.testing.assert_close(getattr(found, name)[k, ..., channel], wanted, rtol=0, atol=1e-4)
    colours = found.light[:, 0] / found.light[:, 0].mean(dim=-1, keepdim=True)
    assert (colours.amax(dim=-1) - colours.amin(dim=-1)).min() > 0.01


def test_burnt_views_and_a_chance_of_zero_change_nothing():
    rng = np.random.default_rng(0)
    albedo, normal = torch.full((4, 16, 16, 3), 0.5), torch.tensor([0.0, 0, 1]).expand(4, 16, 16, 3)
    first, second = _lit(rng, albedo, normal), _lit(rng, albedo, normal)
    surface = torch.ones(4, 16, 16, 1)
    same = mixed(first, second, surface, rng, 0.0)
    second.image[:2, :8] = 1.0
    burnt = mixed(first, second, surface, rng, 1.0)
    for name in ("image", "light", "around"):
        torch.testing.assert_close(getattr(same, name), getattr(first, name), rtol=0, atol=0)
        torch.testing.assert_close(getattr(burnt, name)[:2], getattr(first, name)[:2], rtol=0, atol=0)
        assert not torch.equal(getattr(burnt, name)[2:], getattr(first, name)[2:])
