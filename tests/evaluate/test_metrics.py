import numpy as np
from scipy.spatial.transform import Rotation

from illures.evaluate import metrics


def test_score_of_a_known_tilt(unit_vectors):
    """Rotation about x by 22°: normals along x do not move, those across move by 22°, none by more."""
    turned = unit_vectors @ Rotation.from_euler("x", 22, degrees=True).as_matrix().T
    score = metrics.normal_score(turned, unit_vectors)
    distance_from_x = np.sqrt(1 - unit_vectors[:, 0] ** 2)
    expected = np.rad2deg(2 * np.arcsin(np.sin(np.deg2rad(11)) * distance_from_x))
    np.testing.assert_allclose(score.mean_deg, expected.mean(), rtol=0, atol=1e-6)
    assert score.below_25 == 100 and 0 < score.below_20 < 100


def test_a_global_tilt_is_fitted_out(unit_vectors):
    rotation = Rotation.from_rotvec([0.1, 0.2, -0.1]).as_matrix()
    found = metrics.without_tilt(unit_vectors @ rotation.T, unit_vectors)
    assert metrics.normal_score(found, unit_vectors).mean_deg < 1e-4


def test_fitting_the_tilt_never_mirrors(unit_vectors):
    """The best orthogonal map to a mirror image is a reflection; a rotation must be found instead."""
    found = metrics.without_tilt(unit_vectors * [-1, 1, 1], unit_vectors)
    assert metrics.normal_score(found, unit_vectors).mean_deg > 20


def test_albedo_error_ignores_scale_alone(rng):
    albedo = rng.uniform(0.2, 0.8, 300)
    assert metrics.albedo_error(albedo * 3, albedo) < 1e-6
    assert metrics.albedo_error(albedo[::-1], albedo) > 0.2


def test_drift_is_zero_for_scaled_copies_and_grows_with_shading_in_the_albedo(rng):
    albedo = rng.uniform(0.2, 0.8, 300)
    assert metrics.albedo_drift(np.stack([albedo, 2 * albedo, 0.1 * albedo])) < 1e-6
    small, large = (np.stack([albedo * (1 + k * rng.random(300)) for _ in range(5)]) for k in (0.2, 1.0))
    assert 0 < metrics.albedo_drift(small) < metrics.albedo_drift(large)
