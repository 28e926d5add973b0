"""Photometric stereo on an analytic face: a bump with paint, rendered here by the definition of a flash."""

import numpy as np
import pytest

from illures.errors import InputError
from illures.evaluate.benchmarks.photometric_stereo import Flashes, lambert_stereo, photometric_stereo
from illures.math.normals import angular_error_deg

SIZE = 40


@pytest.fixture(scope="module")
def surface():
    """Depth [px], normals and paint of half an ellipsoid on a plane of the camera frame."""
    y, x = np.mgrid[: SIZE / 2 : SIZE * 1j, : SIZE / 2 : SIZE * 1j] * 2 - SIZE / 2
    y = -y
    depth = 14 * np.sqrt(np.clip(1.4 - (x / 20) ** 2 - (y / 20) ** 2, 0.05, None))
    slope = -(14**2) / 20**2 / depth
    normal = np.stack([-slope * x, -slope * y, np.ones_like(x)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    albedo = 0.3 + 0.25 * ((x // 5 + y // 5) % 2)
    mask = x**2 + y**2 < 18**2
    return np.stack([x, y, depth], axis=-1), normal, albedo, mask


@pytest.fixture(scope="module")
def flashes():
    azimuth, elevation = np.meshgrid(np.linspace(-70, 70, 6), np.linspace(-40, 40, 5))
    return Flashes.from_angles(azimuth.ravel(), elevation.ravel())


def photos(surface, flashes, strength, distance=None, offset=(0, 0, 0)):
    """Inverse-square flashes at `distance` from the middle of the rig, where the face's middle is at `offset`."""
    position, normal, albedo, mask = surface
    far = 1e6 if distance is None else distance
    middle = np.array([0, 0, position[mask][:, 2].mean()])
    place = position - middle + far * np.asarray(offset)
    toward = far * flashes.direction[:, None, None] - place
    length = np.linalg.norm(toward, axis=-1)
    cosine = np.einsum("khwc,hwc->khw", toward, normal) / length
    return strength[:, None, None] * albedo * np.clip(cosine, 0, None) * (far / length) ** 2


def error(found, surface):
    _, normal, _, mask = surface
    return angular_error_deg(found.normal[mask].astype(float), normal[mask])


def test_angles_count_from_the_viewer_to_image_right_and_up():
    directions = Flashes.from_angles(np.array([0, 90, 0]), np.array([0, 0, 90])).direction
    np.testing.assert_allclose(directions, [[0, 0, 1], [1, 0, 0], [0, 1, 0]], atol=1e-12)


def test_clean_photos_give_the_surface_back(surface, flashes):
    images = photos(surface, flashes, np.ones(30))
    found = photometric_stereo(images, flashes, surface[3], refine_strength=False)
    assert error(found, surface).max() < 0.05
    np.testing.assert_allclose(found.albedo[surface[3]], surface[2][surface[3]], rtol=1e-3)
    assert np.nanmax(found.split_deg[surface[3]]) < 0.1 and np.isnan(found.split_deg[~surface[3]]).all()
    assert not found.normal[~surface[3]].any()


def test_shadows_highlights_clipping_and_noise_are_left_out(surface, flashes, rng):
    """A cast shadow over a tenth of the pixels of each photo, a mirror lobe, and saturation."""
    images = photos(surface, flashes, np.ones(30))
    half = flashes.direction + [0, 0, 1]
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    shine = 0.5 * np.clip(np.einsum("hwc,kc->khw", surface[1], half), 0, 1) ** 80
    shadow = rng.random(images.shape) < 0.1
    spoilt = np.where(shadow, 0.3 * images, images + shine) + rng.normal(0, 0.003, images.shape)
    spoilt = np.clip(spoilt, 0, 0.6) / 0.6
    robust = photometric_stereo(spoilt, flashes, surface[3], refine_strength=False)
    normal, _ = lambert_stereo(spoilt, flashes)
    plain = angular_error_deg(normal[surface[3]].astype(float), surface[1][surface[3]])
    assert error(robust, surface).mean() < 1 < 3 * error(robust, surface).mean() < plain.mean()
    assert robust.support[surface[3]].min() < 30


def test_strengths_of_the_flashes_are_found(surface, flashes, rng):
    strength = np.exp(rng.normal(0, 0.2, 30))
    trend = np.concatenate([np.ones((30, 1)), flashes.direction[:, :2]], axis=1)
    strength /= np.exp(trend @ np.linalg.lstsq(trend, np.log(strength), rcond=None)[0])  # without the free tilt
    images = photos(surface, flashes, strength) * 0.8
    blind = photometric_stereo(images, flashes, surface[3], refine_strength=False)
    found = photometric_stereo(images, flashes, surface[3])
    np.testing.assert_allclose(found.flashes.strength, strength / strength.mean(), rtol=0.05)
    assert error(found, surface).mean() < 0.8 < error(blind, surface).mean()


def test_a_flash_that_misfired_does_not_turn_the_face(surface, flashes):
    strength = np.ones(30)
    strength[4] = 0.4
    found = photometric_stereo(photos(surface, flashes, strength) * 0.8, flashes, surface[3])
    assert error(found, surface).mean() < 0.5
    assert found.flashes.strength[4] / found.flashes.strength[3] == pytest.approx(0.4, abs=0.03)


def test_near_flashes_are_modelled(surface, flashes):
    """Flashes at six half widths of the face, which stands off the middle of the rig."""
    offset = (0.03, -0.05, 0.0)
    images = photos(surface, flashes, np.ones(30), 120.0, offset)
    images /= images.max() * 1.1
    position, _, _, mask = surface
    depth = position[..., 2] - position[mask][:, 2].mean()
    near = Flashes(flashes.direction, flashes.strength, 120.0, offset)
    known = photometric_stereo(images, near, mask, refine_strength=False, depth=depth)
    far = photometric_stereo(images, flashes, mask, refine_strength=False)
    assert error(known, surface).mean() < 0.3 and error(far, surface).mean() > 3


def test_the_distance_is_found(surface, flashes):
    images = photos(surface, flashes, np.ones(30), 120.0)
    images /= images.max() * 1.1
    position, _, _, mask = surface
    depth = position[..., 2] - position[mask][:, 2].mean()
    found = photometric_stereo(images, flashes, mask, refine_strength=False, near=True, depth=depth)
    assert found.flashes.distance == pytest.approx(120, rel=0.1)


def test_halves_disagree_where_photos_do(surface, flashes, rng):
    noisy = photos(surface, flashes, np.ones(30)) + rng.normal(0, 0.02, (30, SIZE, SIZE))
    found = photometric_stereo(noisy, flashes, surface[3], refine_strength=False)
    assert 0.5 < np.nanmean(found.split_deg[surface[3]]) < 10
    # Each half has half of the flashes, and the two errors add: twice the error of the whole.
    assert np.nanmean(found.split_deg[surface[3]]) > error(found, surface).mean()


def test_four_photos_are_enough_for_least_squares(surface):
    four = Flashes.from_angles(np.array([-20, 20, -20, 20]), np.array([-20, -20, 20, 20]))
    images = photos(surface, four, np.ones(4))
    normal, albedo = lambert_stereo(images, four)
    lit = (images > 0).all(axis=0) & surface[3]
    assert lit.sum() > 300
    assert angular_error_deg(normal[lit].astype(float), surface[1][lit]).max() < 0.01
    np.testing.assert_allclose(albedo[lit], surface[2][lit], rtol=1e-4)


def test_what_cannot_be_solved_is_refused(flashes):
    with pytest.raises(InputError, match="3 photos under 30 flashes"):
        photometric_stereo(np.ones((3, 4, 4)), flashes)
    with pytest.raises(InputError, match="mask is empty"):
        photometric_stereo(np.ones((30, 4, 4)), flashes, np.zeros((4, 4), bool))
