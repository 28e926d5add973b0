"""Samples at half their size are what a camera of half the pixels sees."""

from __future__ import annotations

import numpy as np
import pytest

from ellipsoids import ellipsoids
from illures.data.shrink import most_common, shrunk
from illures.errors import InputError
from illures.math.normals import angular_error_deg
from illures.render import render


@pytest.fixture
def pair():
    """One ellipsoid drawn at 128 px and shrunk to 64 px, and drawn at 64 px."""
    return shrunk(next(iter(ellipsoids(1, 128))), 64), next(iter(ellipsoids(1, 64)))


def test_shrunk_samples_are_those_drawn_small(pair):
    ours, drawn = pair
    inside = ours.mask & drawn.mask
    inside[[0, -1]] = inside[:, [0, -1]] = False
    assert (ours.mask == drawn.mask).mean() > 0.97
    assert np.median(angular_error_deg(ours.normal, drawn.normal)[inside]) < 1.5
    np.testing.assert_allclose(ours.albedo[inside], drawn.albedo[inside], rtol=0, atol=1e-5)
    assert np.median(np.abs(ours.image - drawn.image)[inside]) < 0.01
    assert np.abs(ours.landmarks - drawn.landmarks).max() < 0.6
    assert (ours.region == drawn.region).mean() > 0.97


def test_the_equation_holds(pair):
    ours, _ = pair
    again = render(ours.albedo, ours.normal, ours.light, ours.residual)
    np.testing.assert_allclose(again, ours.image, rtol=0, atol=1e-5)


def test_the_most_common_region_wins():
    region = np.array([[1, 1, 2, 3], [1, 5, 3, 3], [0, 0, 6, 6], [0, 7, 6, 6]], np.uint8)
    np.testing.assert_array_equal(most_common(region, 2), [[1, 3], [0, 6]])


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(InputError, match="128 px can't be shrunk to 48 px"):
        shrunk(next(iter(ellipsoids(1, 128))), 48)
