"""Fields continued beyond what is known, against brute force and what must stay."""

import cv2
import numpy as np
import pytest

from illures.math.fill import _wide_blur, continued, distance_from, filled, nearest

rng = np.random.default_rng(0)


def disc(size, radius):
    y, x = np.mgrid[:size, :size] - size / 2
    return np.hypot(x, y) < radius


def test_nearest_is_the_nearest():
    known = rng.random((24, 30)) < 0.05
    field = rng.random((24, 30, 2)).astype(np.float32)
    found = nearest(field, known)
    places = np.argwhere(known)
    for y, x in np.ndindex(known.shape):
        distances = np.hypot(*(places - (y, x)).T)
        chosen = np.flatnonzero((field[known] == found[y, x]).all(axis=1))
        # OpenCV's distances with a mask of 3 pixels are up to some 5 % off.
        assert distances[chosen].min() <= 1.06 * distances.min() + 1e-6


def test_what_is_known_stays_and_a_constant_goes_on():
    known = disc(64, 15)
    field = rng.random((64, 64, 3)).astype(np.float32)
    for fill in (lambda: continued(field, known.astype(np.float32)), lambda: filled(field, known.astype(np.float32))):
        np.testing.assert_allclose(fill()[known], field[known], atol=1e-6)
    ones = np.where(known[..., None], np.float32(0.7), np.nan_to_num(field))
    for fill in (lambda: continued(ones, known.astype(np.float32)), lambda: filled(ones, known.astype(np.float32))):
        np.testing.assert_allclose(fill(), 0.7, atol=1e-5)


def test_light_and_dark_sides_stay_apart_where_the_mean_would_mix_them():
    """Above a disc that is dark on its left and light on its right: dark and light, still."""
    known = disc(96, 20)
    field = np.repeat((np.arange(96) > 48).astype(np.float32)[None, :, None], 96, axis=0)
    above = continued(field, known.astype(np.float32))[96 // 2 - 34]
    assert above[48 - 12, 0] < 0.15 and above[48 + 12, 0] > 0.85
    assert np.abs(np.diff(continued(field, known.astype(np.float32))[8, :, 0])).max() < 0.2  # far away no edge is left


def test_filling_keeps_what_is_known_and_stays_between():
    field = rng.random((64, 48, 2)).astype(np.float32)
    known = (rng.random((64, 48)) < 0.3).astype(np.float32)
    found = filled(field, known)
    np.testing.assert_allclose(found[known > 0], field[known > 0], atol=1e-6)
    assert found.min() >= -1e-5 and found.max() <= 1 + 1e-5
    constant = filled(np.full((64, 48, 1), 0.7, np.float32), np.pad(np.ones((4, 4), np.float32), ((30, 30), (20, 24))))
    np.testing.assert_allclose(constant, 0.7, atol=1e-4)


def test_continuing_is_nearly_the_value_of_the_nearest_known_place():
    """Between two walls of 0 and 1, and among single places: against distances to all of them, by loops."""
    walls = np.zeros((96, 96), np.float32)
    walls[:, :8] = walls[:, 72:] = 1
    found = continued(np.repeat((np.arange(96) > 48).astype(np.float32)[None, :, None], 96, axis=0), walls)[48, :, 0]
    assert (np.diff(found) > -1e-6).all() and abs(found[39:41].mean() - 0.5) < 0.03
    assert found[29] < 0.08 and found[50] > 0.92  # twice as far from the other wall
    known = rng.random((40, 40)) < 0.02
    field = rng.random((40, 40, 2)).astype(np.float32)
    found, places = continued(field, known.astype(np.float32)), np.argwhere(known)
    for y, x in np.argwhere(~known):
        far = np.hypot(*(places - (y, x)).T)
        near = field[known][far < 4 * far.min() + 2]
        assert (near.min(0) - 0.05 < found[y, x]).all() and (found[y, x] < near.max(0) + 0.05).all()


@pytest.mark.parametrize("size", [64, 256, 1024])
def test_what_is_known_goes_on_to_the_farthest_corner(size):
    """And nothing of what is not known comes in, though weights fall to 1e-60."""
    weight = np.zeros((size, size), np.float32)
    weight[2, 3] = 1
    field = np.where(weight[..., None] > 0, np.float32(0.7), np.float32(9))
    np.testing.assert_allclose(continued(field, weight), 0.7, atol=1e-5)


def test_a_place_that_counts_a_hair_more_changes_as_little():
    """The values of the nearest known place jump here by up to 1."""
    field = rng.random((64, 64, 3)).astype(np.float32)
    weight = np.clip(disc(64, 15) * rng.uniform(0, 1.5, (64, 64)), 0, 1).astype(np.float32)
    for fill in (lambda w: continued(field, w), lambda w: distance_from(w) / 64):
        base = fill(weight)
        for size in (1e-4, 1e-2):
            other = fill(
                np.clip(weight + size * rng.uniform(0, 1, weight.shape).astype(np.float32), 0, 1) * (weight > 0)
            )
            assert np.abs(other - base).max() < 10 * size


def test_the_distance_is_about_the_distance():
    known = disc(200, 30)
    found, wanted = distance_from(known.astype(np.float32)), cv2.distanceTransform((~known).astype(np.uint8), 2, 5)
    np.testing.assert_allclose(found[known], 0, atol=0.02)
    assert (np.abs(found - wanted) < 0.3 * wanted + 1.5).all()


@pytest.mark.parametrize("sigma", [3.0, 7.5, 9.6, 12.8, 38.4])
@pytest.mark.parametrize("shape", [(320, 320, 3), (277, 401, 3)])
def test_a_blur_on_a_coarser_grid_is_a_gaussian(rng, shape, sigma):
    """Of steps and noise, against the same blur at full size."""
    field = np.where(np.arange(shape[1])[:, None] > 150, 1, 0) + rng.normal(0, 0.2, shape)
    field = field.astype(np.float32)
    np.testing.assert_allclose(_wide_blur(field, sigma), cv2.GaussianBlur(field, (0, 0), sigma), rtol=0, atol=0.01)
