"""The guided filter against regressions of single windows, and laws of both forms."""

import numpy as np
import pytest

from illures.math.guided_filter import box_mean, colour_guided, grey_guided, moments


def test_moments_are_those_of_each_window(rng):
    guide, target = rng.random((2, 20, 24)).astype(np.float32)
    found = moments(guide, target, 3)
    window = slice(7, 14), slice(9, 16)  # the 7 x 7 pixels around (10, 12)
    covariance = np.cov(guide[window].ravel(), target[window].ravel(), bias=True)
    np.testing.assert_allclose(found.covariance[10, 12], covariance[0, 1], rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.variance[10, 12], covariance[0, 0], rtol=0, atol=1e-5)


def test_a_linear_function_of_the_guide_is_found(rng):
    guide = rng.random((32, 32)).astype(np.float32)
    slope, offset = grey_guided(guide, 0.4 * guide + 0.3, 4, 1e-7)
    np.testing.assert_allclose(slope, 0.4, rtol=0, atol=1e-3)
    np.testing.assert_allclose(offset, 0.3, rtol=0, atol=1e-3)


def test_a_linear_function_of_the_colours_is_found(rng):
    guide, weights = rng.random((32, 32, 3)).astype(np.float32), np.float32([0.5, -0.2, 0.1])
    slope, offset = colour_guided(guide, guide @ weights + np.float32(0.3), 5, 1e-7)
    np.testing.assert_allclose(slope, np.broadcast_to(weights, slope.shape), rtol=0, atol=2e-3)
    np.testing.assert_allclose(offset, 0.3, rtol=0, atol=2e-3)


@pytest.mark.parametrize("radius", [1, 4])
def test_a_guide_without_contrast_gives_the_mean(rng, radius):
    target = rng.random((24, 24)).astype(np.float32)
    slope, offset = grey_guided(np.full_like(target, 0.5), target, radius, 1e-4)
    np.testing.assert_allclose(slope, 0, rtol=0, atol=1e-2)
    mean = box_mean(box_mean(target, radius), radius)
    np.testing.assert_allclose(0.5 * slope + offset, mean, rtol=0, atol=1e-4)
