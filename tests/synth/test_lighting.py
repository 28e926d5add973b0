"""Environments."""

from __future__ import annotations

import numpy as np
import pytest

from illures.math import sh
from illures.synth import lighting


@pytest.mark.parametrize("kind", [lighting.studio, lighting.lamp, lighting.sky])
def test_procedural_maps_are_finite_and_not_negative(kind) -> None:
    for seed in range(8):
        radiance = kind(np.random.default_rng(seed))
        assert radiance.shape == (lighting.HEIGHT, lighting.WIDTH, 3) and radiance.dtype == np.float32
        assert np.isfinite(radiance).all() and radiance.min() >= 0


def test_lamp_samples_carry_the_lamps_coefficients() -> None:
    environment = lighting.split(lighting.lamp(np.random.default_rng(5)))
    lamps = environment.lamps
    assert lamps is not None
    np.testing.assert_allclose(np.linalg.norm(lamps.direction, axis=1), 1, rtol=0, atol=1e-5)
    sampled = np.einsum("si,sc->ic", sh.basis(lamps.direction), lamps.radiance) / len(lamps.direction)
    exact = sh.project_environment(environment.radiance - environment.smooth)
    np.testing.assert_allclose(sampled, exact, rtol=0, atol=0.01 * np.abs(exact).max())


def test_blurring_lamps_keeps_their_energy() -> None:
    environment = lighting.split(lighting.studio(np.random.default_rng(5)))
    exact, blurred = (sh.project_environment(m)[0] for m in (environment.radiance, environment.bounced))
    np.testing.assert_allclose(blurred, exact, rtol=0.02)


def test_a_white_room_has_no_lamps_and_scaling_scales() -> None:
    white = lighting.split(np.ones((lighting.HEIGHT, lighting.WIDTH, 3), np.float32))
    assert white.lamps is None
    assert lighting.mean_luminance(lighting.scaled(white, 3.0).smooth) == pytest.approx(3, rel=1e-4)
