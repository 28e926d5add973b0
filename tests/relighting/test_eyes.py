"""Lamps in the eyes: where a sphere mirrors them, as much light as they have, and only in eyes that can show them."""

import numpy as np
import pytest

from illures.math.color import luminance
from illures.relighting.eyes import Eye, catch_light, eyes_of, without_old
from illures.relighting.lamps import Lamp
from illures.relighting.light import direction_of
from illures.types import Face

RECT = (100, 50, 180, 130)
LIDS = np.array([[105, 90], [125, 70], [155, 70], [175, 90], [155, 110], [125, 110]], np.float64)
EYE = Eye(np.array([140.0, 90.0]), 18.0, LIDS)


def lamp(azimuth: float, elevation: float, radius_deg: float = 6.0) -> Lamp:
    return Lamp(direction_of(azimuth, elevation), np.ones(3), radius_deg)


def seen(found) -> tuple[np.ndarray, float]:
    """Middle (x, y) of what is mirrored, in the photo, and how much it is."""
    (rows, columns), added = found
    bright = luminance(added)
    y, x = np.mgrid[rows, columns]
    middle = np.array([(x * bright).sum(), (y * bright).sum()]) / bright.sum() + RECT[:2]
    return middle, float(bright.sum())


@pytest.mark.parametrize(("azimuth", "elevation"), [(0, 0), (40, 0), (-40, 20), (10, 50)])
def test_the_image_is_where_a_ray_from_the_viewer_meets_the_lamp(azimuth, elevation):
    """Another way than the half vector: trace rays along -z to a sphere, and take the one that leaves to the lamp."""
    middle, _ = seen(catch_light(EYE, lamp(azimuth, elevation, 3.0), RECT))
    cornea = 7.8 / 5.85 * EYE.radius
    y, x = np.mgrid[-24:25, -24:25] / cornea
    z = np.sqrt(np.clip(1 - x * x - y * y, 0, None))
    mirrored = np.stack([2 * z * x, 2 * z * y, 2 * z * z - 1], axis=-1)  # of (0, 0, 1) about (x, y, z)
    at = np.unravel_index(np.argmax(mirrored @ direction_of(azimuth, elevation)), x.shape)
    expected = EYE.centre + np.array([at[1] - 24, -(at[0] - 24)])
    np.testing.assert_allclose(middle, expected, rtol=0, atol=1.0)


def test_a_lamp_of_any_size_sends_as_much_light():
    small, large = (seen(catch_light(EYE, lamp(20, 20, radius), RECT))[1] for radius in (2.0, 8.0))
    assert large == pytest.approx(small, rel=0.15)


def test_lamps_behind_and_far_aside_are_not_mirrored():
    assert catch_light(EYE, lamp(180, 0), RECT) is None
    assert catch_light(EYE, lamp(100, 0), RECT) is None


def test_the_old_lamp_is_taken_out_and_the_iris_stays():
    rng = np.random.default_rng(0)
    clean = (0.1 + 0.02 * rng.random((80, 80, 1)) * np.ones(3)).astype(np.float32)
    stained = clean.copy()
    stained[34:38, 42:46] = 1.5
    stained[0:4, 0:4] = 1.5  # skin
    base = stained.astype(np.float16)
    without_old(base, EYE, RECT)
    assert base[34:38, 42:46].max() < 0.13 and base[0:4, 0:4].min() > 1.4
    iris = np.hypot(*(np.mgrid[:80, :80] - 40)) < 10
    iris[32:40, 40:48] = False
    np.testing.assert_allclose(base[iris], stained.astype(np.float16)[iris], rtol=0, atol=1e-3)


@pytest.mark.parametrize(("scale", "opened", "count"), [(1.0, 1.0, 2), (0.1, 1.0, 0), (1.0, 0.1, 0)])
def test_small_and_closed_eyes_show_nothing(scale, opened, count):
    points = np.zeros((478, 3), np.float32)
    for lids, iris, x in (((33, 160, 158, 133, 153, 144), 468, 100), ((362, 385, 387, 263, 373, 380), 473, 200)):
        outline = [(-24, 0), (-10, -14), (10, -14), (24, 0), (10, 14), (-10, 14)]
        points[list(lids), :2] = [(scale * (x + a), scale * (100 + opened * b)) for a, b in outline]
        rim = [(0, 0), (12, 0), (0, -12), (-12, 0), (0, 12)]
        points[iris : iris + 5, :2] = [(scale * (x + a), scale * (100 + b)) for a, b in rim]
    assert len(eyes_of(Face(points, 1.0))) == count
