"""Laws of the crop's geometry that hold for any place, turn and size, found by hypothesis."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from illures.faces import at_size, extract, padded, scale_of, to_crop, to_photo
from illures.types import Face, FaceCrop

FACE = Face(np.zeros((478, 3), np.float32), 1.0)
POINTS = np.random.default_rng(0).uniform(0, 1000, (40, 3))


@st.composite
def crops(draw: st.DrawFn) -> FaceCrop:
    angle, scale = draw(st.floats(-3.1, 3.1)), draw(st.floats(0.1, 8))
    x, y, size = draw(st.floats(-2000, 2000)), draw(st.floats(-2000, 2000)), draw(st.integers(8, 512))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return FaceCrop(np.array([[cos, -sin, x], [sin, cos, y]], np.float32), size, (900, 1200), FACE)


@given(crops(), st.integers(1, 1024))
def test_another_size_is_the_same_square(crop, size):
    """The square spans [-0.5, size - 0.5]: where a point lies in it, as a share of its side, stays."""
    other = at_size(crop, size)
    place, same = ((to_crop(POINTS, c)[:, :2] + 0.5) / c.size for c in (crop, other))
    np.testing.assert_allclose(same, place, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(scale_of(other) / scale_of(crop), size / crop.size, rtol=1e-5)


@given(crops(), st.integers(0, 300))
def test_a_margin_moves_pixels_and_keeps_the_scale(crop, margin):
    wide = padded(crop, margin)
    assert wide.size == crop.size + 2 * margin and scale_of(wide) == scale_of(crop)
    moved = to_crop(POINTS, wide) - to_crop(POINTS, crop)
    np.testing.assert_allclose(moved, np.array([margin, margin, 0]) * np.ones((40, 1)), rtol=0, atol=1e-2)


@given(crops())
def test_distances_keep_their_ratio_and_depth_takes_the_scale(crop):
    there = to_crop(POINTS, crop)
    np.testing.assert_allclose(to_photo(there, crop), POINTS, rtol=0, atol=1e-6)
    gaps = [np.linalg.norm(np.diff(points, axis=0), axis=1) for points in (POINTS, there)]
    np.testing.assert_allclose(gaps[1], gaps[0] * scale_of(crop), rtol=1e-5)


@given(st.integers(0, 30), st.integers(0, 20), st.sampled_from([np.uint8, np.uint16, np.float32]))
def test_an_upright_crop_of_whole_pixels_is_a_cut(x, y, dtype):
    photo = (np.random.default_rng(0).random((60, 70, 3)) * 255).astype(dtype)
    crop = FaceCrop(np.array([[1, 0, -x], [0, 1, -y]], np.float32), 32, (60, 70), FACE)
    np.testing.assert_array_equal(extract(photo, crop), photo[y : y + 32, x : x + 32])
