import io

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.color import rgb2lab

from illures.math import color


@given(st.floats(0, 4))
def test_srgb_round_trip(value):
    linear = color.srgb_to_linear(np.array(value))
    np.testing.assert_allclose(color.linear_to_srgb(linear), value, rtol=0, atol=1e-7)


def test_srgb_of_mid_grey_and_continuity_at_the_knee():
    np.testing.assert_allclose(color.srgb_to_linear(np.array(0.5)), 0.21404, rtol=0, atol=1e-5)
    below, above = color.srgb_to_linear(np.array([0.04045 - 1e-9, 0.04045 + 1e-9]))
    assert abs(above - below) < 1e-6


def test_gradient_of_encoding_is_finite_from_black_on():
    linear = torch.linspace(-0.1, 1.1, 50, requires_grad=True)
    color.linear_to_srgb(linear).sum().backward()
    assert torch.isfinite(linear.grad).all()


def test_lab_is_scikit_images(rng):
    linear = rng.random((50, 3))
    expected = rgb2lab(np.clip(color.linear_to_srgb(linear), 0, 1))
    np.testing.assert_allclose(color.lab(linear), expected, rtol=0, atol=0.15)


def test_lighter_skin_has_the_larger_angle():
    tones = np.array([[0.55, 0.36, 0.27], [0.3, 0.17, 0.11], [0.06, 0.035, 0.025]])
    light, mid, dark = color.individual_typology_angle_deg(tones)
    assert light > mid > dark


def test_grey_survives_jpeg_and_faint_colour_does_not_count_as_grey(rng):
    codes = np.repeat(rng.integers(0, 256, (64, 64, 1), dtype=np.uint8), 3, axis=-1)
    buffer = io.BytesIO()
    Image.fromarray(codes).save(buffer, "jpeg", quality=30)
    assert color.is_grey(np.asarray(Image.open(buffer)) / 255)
    assert not color.is_grey(np.clip(codes / 255 * [1, 0.95, 0.9], 0, 1))  # sepia


def test_a_dark_photo_keeps_its_colours_until_rounding_hides_them(rng):
    skin = rng.uniform(0.5, 1, (64, 64, 1)) * [0.6, 0.35, 0.25]

    def codes(stops: float) -> np.ndarray:
        return np.round(color.linear_to_srgb(skin * 2.0**stops) * 255) / 255

    assert [color.is_grey(codes(stops)) for stops in (0, -4, -7, -11)] == [False, False, False, True]


def test_a_frame_after_one_with_colours_counts_as_grey_later(rng):
    grey = np.repeat(rng.uniform(0.1, 0.9, (32, 32, 1)), 3, axis=-1)
    faint = grey + np.array([3, 0, 0]) / 255
    assert color.is_grey(faint) and not color.is_grey(faint, before=False) and color.is_grey(grey, before=False)


def test_greyed_keeps_luminance(rng):
    linear = rng.random((20, 3))
    np.testing.assert_allclose(color.luminance(color.greyed(linear)), color.luminance(linear), rtol=1e-3)


def test_best_scale_undoes_a_scale(rng):
    albedo = rng.random((20, 3))
    np.testing.assert_allclose(color.best_scale(albedo * 0.37, albedo), 1 / 0.37, rtol=1e-9, atol=0)
