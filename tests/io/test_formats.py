"""Codes of maps go there and back within half a step, whatever the values; found by hypothesis."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from illures.io.formats import Format
from illures.math.color import linear_to_srgb
from illures.math.normals import normalize

unit = st.floats(0, 1, width=32)
colours = arrays(np.float32, (4, 5, 3), elements=unit)
STEPS = {"png": 255, "png16": 65535}


@pytest.mark.parametrize("name", STEPS)
@given(values=colours)
def test_albedo_is_within_half_a_step_of_its_encoding(name, values):
    format = Format(name)
    back = format.decode("albedo", format.quantise("albedo", values))
    error = np.abs(linear_to_srgb(back.astype(np.float64)) - linear_to_srgb(values.astype(np.float64)))
    assert error.max() <= 0.5 / STEPS[name] + 1e-6


@pytest.mark.parametrize("name", STEPS)
@given(values=colours)
def test_residuals_keep_their_sign_and_zero(name, values):
    format, signed = Format(name), 2 * values - 1
    back = format.decode("residual", format.quantise("residual", signed))
    assert np.abs(back - signed).max() <= 0.51 / (STEPS[name] // 2)
    assert (back[signed == 0] == 0).all() and (back * signed >= 0).all()


@pytest.mark.parametrize("normals", ["opengl", "directx"])
@pytest.mark.parametrize("name", [*STEPS, "exr", "exr32"])
@given(values=colours)
def test_normals_come_back_in_our_frame_whatever_the_files(name, normals, values):
    format = Format(name, normals=normals)
    normal = normalize(2 * values - 1 + np.float32(1e-3))
    back = format.decode("normal", format.quantise("normal", normal))
    step = 1 / STEPS[name] if name in STEPS else 1e-3
    np.testing.assert_allclose(back, normal, rtol=0, atol=step + 1e-6)


@pytest.mark.parametrize("name", STEPS)
@given(values=arrays(np.float32, (4, 5, 3), elements=st.floats(width=32, allow_nan=False)))
def test_codes_of_any_finite_or_infinite_values_are_codes(name, values):
    """Clipped at the ends of the scale, never wrapped round."""
    format = Format(name)
    codes = format.quantise("albedo", values)
    assert (codes[values >= 1] == STEPS[name]).all() and (codes[values <= 0] == 0).all()
