"""The light fitted to a photo: it comes nearer to the true one, whatever the scale and in spite of shadows."""

from dataclasses import replace

import numpy as np
import pytest

from face_scene import scene
from illures.decompose.decomposition import Decomposition
from illures.decompose.light_fit import with_fitted_light
from illures.math import sh
from illures.render import render, shade


def lit(light: np.ndarray, told: np.ndarray) -> Decomposition:
    """A face seen under `light` of which the network says `told`, with no residual."""
    face = scene().face
    face = replace(face, light=told.astype(np.float32), residual=np.zeros_like(face.image))
    return replace(face, image=render(face.albedo, face.normal, light.astype(np.float32)))


@pytest.fixture
def light(rng) -> np.ndarray:
    found = rng.normal(0, 0.25, (9, 3))
    found[0] = 2.5
    return found


def shading_error(face: Decomposition, light: np.ndarray) -> float:
    """Relative RMS on the face."""
    inside = face.mask > 0.5
    true = shade(face.normal[inside], light.astype(np.float32))
    return float(np.sqrt(np.mean((face.shading[inside] - true) ** 2) / np.mean(true**2)))


def shape_error(face: Decomposition, light: np.ndarray) -> float:
    """Of the mean shading at the best scale."""
    inside = face.mask > 0.5
    true, found = (shade(face.normal[inside], v.astype(np.float32)).mean(axis=-1) for v in (light, face.light))
    found = found * (found @ true) / (found @ found)
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))


def test_a_light_that_explains_the_photo_stays(light):
    face = lit(light, light)
    np.testing.assert_allclose(with_fitted_light(face).light, face.light, rtol=0, atol=1e-3)


def test_a_wrong_light_comes_near_the_true_one(rng, light):
    told = light + rng.normal(0, 0.3, (9, 3))
    face = lit(light, told)
    fitted = with_fitted_light(face)
    assert shading_error(fitted, light) < 0.1 * shading_error(face, light)


def test_the_scale_is_that_of_the_photo(light):
    fitted = with_fitted_light(lit(light, 0.4 * light))
    np.testing.assert_allclose(fitted.light, light, rtol=0, atol=5e-3)


def test_it_turns_with_the_face(rng, light):
    """The frame means nothing to it: where degree 2 has equal trust, a turned face gets the turned light."""
    turn = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], float)
    face = lit(light, light + rng.normal(0, 0.2, (9, 3)))
    turned = replace(
        face,
        normal=(face.normal @ turn.T).astype(np.float32),
        light=sh.rotate(face.light.astype(np.float64), turn).astype(np.float32),
    )
    expected = sh.rotate(with_fitted_light(face).light.astype(np.float64), turn)
    np.testing.assert_allclose(with_fitted_light(turned).light, expected, rtol=0, atol=2e-3)


def test_shadows_and_highlights_weigh_little(rng, light):
    told = light + rng.normal(0, 0.2, (9, 3))
    face = lit(light, told)
    size = len(face.image)
    image = face.image.copy()
    image[: size // 2, size // 2 : size // 2 + size // 8] *= 0.05
    spoilt = with_fitted_light(replace(face, image=image))
    assert shape_error(spoilt, light) < 0.5 * shape_error(face, light)


def test_a_pixel_more_of_the_mask_moves_nothing(rng, light):
    """CPUs differ by more. The photo is not explained by any light: each sample of it has a fit of its own."""
    face = lit(light, light + rng.normal(0, 0.3, (9, 3)))
    face = replace(face, image=face.image * np.exp(rng.normal(0, 0.2, face.image.shape)).astype(np.float32))
    before = with_fitted_light(face).shading
    for at in rng.choice(np.flatnonzero(face.mask.ravel() > 0.5), 8, replace=False):
        mask = face.mask.copy()
        mask.flat[at] = 0
        assert np.abs(with_fitted_light(replace(face, mask=mask)).shading - before).max() < 1 / 255


def test_what_cannot_be_fitted_stays_finite(light):
    face = lit(light, light)
    black = replace(face, image=np.zeros_like(face.image))
    nowhere = replace(face, mask=np.zeros_like(face.mask))
    night = replace(face, light=np.zeros_like(face.light))
    for odd in (black, nowhere, night):
        assert np.isfinite(with_fitted_light(odd).light).all()
