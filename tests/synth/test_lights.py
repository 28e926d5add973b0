"""Environments."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from illures.errors import InputError
from illures.math import sh
from illures.synth import lights


@pytest.mark.parametrize("axis", [(0, 1, 0), (1, 0, 0), (0.3, -0.5, 0.8)])
def test_turning_the_map_turns_its_coefficients(axis) -> None:
    radiance = lights.studio(np.random.default_rng(2))
    matrix = cv2.Rodrigues(np.array(axis, np.float64) * 1.1)[0]
    expected = sh.rotate(sh.project_environment(radiance), matrix)
    found = sh.project_environment(lights.rotated(radiance, matrix).astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize("kind", [lights.studio, lights.lamp, lights.sky])
def test_procedural_maps_are_finite_and_not_negative(kind) -> None:
    for seed in range(8):
        radiance = kind(np.random.default_rng(seed))
        assert radiance.shape == (lights.HEIGHT, lights.WIDTH, 3) and radiance.dtype == np.float32
        assert np.isfinite(radiance).all() and radiance.min() >= 0


def test_lamp_samples_carry_the_lamps_coefficients() -> None:
    environment = lights.split(lights.lamp(np.random.default_rng(5)))
    lamps = environment.lamps
    assert lamps is not None
    np.testing.assert_allclose(np.linalg.norm(lamps.direction, axis=1), 1, rtol=0, atol=1e-5)
    sampled = np.einsum("si,sc->ic", sh.basis(lamps.direction), lamps.radiance) / len(lamps.direction)
    exact = sh.project_environment(environment.radiance - environment.smooth)
    np.testing.assert_allclose(sampled, exact, rtol=0, atol=0.01 * np.abs(exact).max())


def test_blurring_lamps_keeps_their_energy() -> None:
    environment = lights.split(lights.studio(np.random.default_rng(5)))
    exact, blurred = (sh.project_environment(m)[0] for m in (environment.radiance, environment.bounced))
    np.testing.assert_allclose(blurred, exact, rtol=0.02)


def test_a_white_room_has_no_lamps_and_scaling_scales() -> None:
    white = lights.split(np.ones((lights.HEIGHT, lights.WIDTH, 3), np.float32))
    assert white.lamps is None
    assert lights.mean_luminance(lights.scaled(white, 3.0).smooth) == pytest.approx(3, rel=1e-4)


def test_load_hdris_reads_npy_and_hdr(tmp_path) -> None:
    pixels = np.random.default_rng(0).random((16, 32, 3)).astype(np.float32) + 0.5
    np.save(tmp_path / "a.npy", pixels.astype(np.float16))
    cv2.imwrite(str(tmp_path / "b.hdr"), np.ascontiguousarray(pixels[..., ::-1]))
    maps = lights.load_hdris(tmp_path)
    assert set(maps) == {"a", "b"}
    assert lights.mean_luminance(maps["a"]) == pytest.approx(1, rel=1e-4)
    np.testing.assert_allclose(maps["a"], maps["b"], rtol=0, atol=0.02)


@pytest.mark.parametrize("spoil", [np.nan, -1.0])
def test_bad_hdri_is_named(tmp_path, spoil: float) -> None:
    pixels = np.ones((8, 16, 3), np.float32)
    pixels[3, 4, 1] = spoil
    np.save(tmp_path / "broken.npy", pixels)
    with pytest.raises(InputError, match="broken.npy"):
        lights.load_hdris(tmp_path)


def test_unreadable_and_missing_hdris_are_named(tmp_path) -> None:
    with pytest.raises(InputError, match="no environment maps"):
        lights.load_hdris(tmp_path)
    for name in ("text.npy", "text.hdr", "text.exr"):
        (tmp_path / name).write_text("not a map")
        with pytest.raises(InputError, match=name):
            lights.load_hdri(tmp_path / name)
