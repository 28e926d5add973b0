"""Environment maps from files, and turning them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from illures.errors import InputError
from illures.io import environment_maps
from illures.math import sh
from illures.synth import lighting


@pytest.mark.parametrize("axis", [(0, 1, 0), (1, 0, 0), (0.3, -0.5, 0.8)])
def test_turning_the_map_turns_its_coefficients(axis) -> None:
    radiance = lighting.studio(np.random.default_rng(2))
    matrix = cv2.Rodrigues(np.array(axis, np.float64) * 1.1)[0]
    expected = sh.rotate(sh.project_environment(radiance), matrix)
    found = sh.project_environment(environment_maps.rotated(radiance, matrix).astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.02 * np.abs(expected).max())


def test_load_hdris_reads_npy_and_hdr(tmp_path) -> None:
    pixels = np.random.default_rng(0).random((16, 32, 3)).astype(np.float32) + 0.5
    np.save(tmp_path / "a.npy", pixels.astype(np.float16))
    cv2.imwrite(str(tmp_path / "b.hdr"), np.ascontiguousarray(pixels[..., ::-1]))
    maps = environment_maps.load_hdris(tmp_path)
    assert set(maps) == {"a", "b"}
    assert environment_maps.mean_luminance(maps["a"]) == pytest.approx(1, rel=1e-4)
    np.testing.assert_allclose(maps["a"], maps["b"], rtol=0, atol=0.02)


@pytest.mark.parametrize("spoil", [np.nan, -1.0])
def test_bad_hdri_is_named(tmp_path, spoil: float) -> None:
    pixels = np.ones((8, 16, 3), np.float32)
    pixels[3, 4, 1] = spoil
    np.save(tmp_path / "broken.npy", pixels)
    with pytest.raises(InputError, match="broken.npy"):
        environment_maps.load_hdris(tmp_path)


def test_unreadable_and_missing_hdris_are_named(tmp_path) -> None:
    with pytest.raises(InputError, match="no environment maps"):
        environment_maps.load_hdris(tmp_path)
    for name in ("text.npy", "text.hdr", "text.exr"):
        (tmp_path / name).write_text("not a map")
        with pytest.raises(InputError, match=name):
            environment_maps.load_hdri(tmp_path / name)


def test_a_map_that_is_no_sphere_is_named(tmp_path) -> None:
    np.save(tmp_path / "square.npy", np.ones((16, 16, 3), np.float32))
    with pytest.raises(InputError, match=r"square.npy: 16 x 16 pixels; .* twice as wide as high"):
        environment_maps.load_hdri(tmp_path / "square.npy")
    with pytest.raises(InputError, match="no such file"):
        environment_maps.load_hdri(tmp_path / "nothing.exr")
