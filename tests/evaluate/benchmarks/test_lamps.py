"""Relighting against renders: the map of a lamp shades as the lamp does, and each figure says what it claims."""

import numpy as np
import pytest

from illures.evaluate.benchmarks import lamps
from illures.evaluate.benchmarks.lamps import FARTHEST, LampView, colour_change, edge_distances, environment_of, score
from illures.math import sh
from illures.relighting.light import Light
from illures.render import shade
from illures.types import Region

SIZE = 64


def view() -> tuple[LampView, list[Light]]:
    """A matte ball of skin under the soft light and two lamps, lit exactly; a disc in its middle is in shadow."""
    y, x = np.mgrid[1 : -1 : SIZE * 1j, -1 : 1 : SIZE * 1j].astype(np.float32) * 1.1
    inside = x * x + y * y < 1
    z = np.sqrt(np.clip(1 - x * x - y * y, 0, None))
    normal = np.where(inside[..., None], np.stack([x, y, z], axis=-1), 0).astype(np.float32)
    albedo = np.broadcast_to(np.float32([0.6, 0.45, 0.35]), normal.shape)
    lights = lamps.lamps(2)

    def lit(light: Light) -> np.ndarray:
        lamp = light.lamps[0]
        shadow = np.hypot(x, y) < 0.4
        facing = np.clip(normal @ lamp.direction, 0, None) * np.where(shadow, 0.1, 1)
        return (albedo * (lamps.DIM + facing[..., None] * lamp.irradiance) * inside[..., None]).astype(np.float32)

    photo = (albedo * shade(normal, lamps.soft_light().sh.astype(np.float32)) * inside[..., None]).astype(np.float32)
    region = np.where(inside, Region.SKIN, Region.BACKGROUND).astype(np.uint8)
    images = np.stack([lit(light) for light in lights])
    height = np.where(inside, z * SIZE / 2.2, np.nan).astype(np.float32)
    visible = np.broadcast_to(inside & (np.hypot(x, y) >= 0.4), (len(lights), SIZE, SIZE))
    points = np.zeros((478, 3), np.float32)
    return LampView(albedo, normal, region, inside, points, height, height * np.nan, visible, photo, images), lights


@pytest.mark.parametrize("index", range(6))
def test_the_map_of_a_light_shades_as_the_light(index):
    light = lamps.lamps(6)[index]
    coefficients = sh.project_environment(environment_of(light).astype(np.float64))
    np.testing.assert_allclose(coefficients, light.sh, rtol=0, atol=0.03 * np.abs(light.sh).max())


def test_the_truth_scores_best_and_its_scale_is_free():
    truth, lights = view()
    for index, light in enumerate(lights):
        perfect = score(truth, index, light, 0.3 * truth.images[index])
        assert perfect.psnr_db > 60 and len(perfect.edges_px) and perfect.edges_px.max() == 0
        bare = score(truth, index, light, truth.photo)
        assert bare.psnr_db < 30 and np.median(bare.edges_px) > 3


def test_edges_are_as_far_apart_as_the_shadows():
    seen = np.ones((SIZE, SIZE), bool)
    a, b = seen.copy(), seen.copy()
    a[:, 30:], b[:, 33:] = False, False
    np.testing.assert_allclose(edge_distances((a, seen), (b, seen)), 3 * 256 / SIZE)
    assert (edge_distances((a, seen), (np.zeros_like(a), seen)) == FARTHEST).all()
    assert len(edge_distances((~seen, seen), (~seen, seen))) == 0


def test_brightness_is_no_change_of_colour_and_a_tint_is():
    truth, _ = view()
    assert colour_change(truth, 0.4 * truth.photo) < 1e-3
    tinted = 0.8 * truth.photo * np.float32([1.1, 1.0, 0.9])
    assert colour_change(truth, tinted) > 3 * colour_change(truth, 0.8 * truth.photo * np.float32([1.02, 1.0, 0.98]))


def test_known_visibility_is_the_shadow_of_its_lamp_and_the_ball_of_true_depth_casts_none():
    truth, lights = view()
    seen = lamps.true_visibility(truth, truth.normal, lights)
    middle, rim = (SIZE // 2, SIZE // 2), (SIZE // 2, SIZE // 2 + round(0.6 * SIZE / 2.2))
    for light in lights:
        shadow = seen.shadow(light.lamps[0].direction, 3.0)
        assert shadow[middle] > 0.95 and shadow[rim] < 0.05
    alone = lamps.true_depth(truth, truth.normal)
    lit = truth.mask & (truth.normal @ lights[0].lamps[0].direction > 0.3)
    assert alone.shadow(lights[0].lamps[0].direction, 3.0)[lit].mean() < 0.05
