"""Metrics against other people's code, and against what must hold whatever the numbers."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from illures.evaluate import metrics
from illures.evaluate.angles import angle_histogram, histogram_quantile, histogram_std
from illures.evaluate.similarity import psnr_db, ssim


def test_score_of_a_known_tilt(unit_vectors):
    """Rotation about x by 22°: normals along x do not move, those across move by 22°, none by more."""
    turned = unit_vectors @ Rotation.from_euler("x", 22, degrees=True).as_matrix().T
    score = metrics.normal_score(turned, unit_vectors)
    distance_from_x = np.sqrt(1 - unit_vectors[:, 0] ** 2)
    expected = np.rad2deg(2 * np.arcsin(np.sin(np.deg2rad(11)) * distance_from_x))
    np.testing.assert_allclose(score.mean_deg, expected.mean(), rtol=0, atol=1e-6)
    assert score.below_25 == 100 and 0 < score.below_20 < 100


def test_tiny_angles_are_exact(unit_vectors):
    """Where the arc cosine of a dot product would say 0 or NaN."""
    turned = unit_vectors @ Rotation.from_rotvec([0, 0, 1e-9]).as_matrix().T
    expected = np.rad2deg(1e-9) * np.hypot(unit_vectors[:, 0], unit_vectors[:, 1])
    np.testing.assert_allclose(metrics.normal_errors_deg(turned, unit_vectors), expected, rtol=1e-6)


def test_a_global_tilt_is_fitted_out(unit_vectors):
    rotation = Rotation.from_rotvec([0.1, 0.2, -0.1]).as_matrix()
    found = metrics.without_tilt(unit_vectors @ rotation.T, unit_vectors)
    assert metrics.normal_score(found, unit_vectors).mean_deg < 1e-4


def test_fitting_the_tilt_never_mirrors(unit_vectors):
    """The best orthogonal map to a mirror image is a reflection; a rotation must be found instead."""
    found = metrics.without_tilt(unit_vectors * [-1, 1, 1], unit_vectors)
    assert metrics.normal_score(found, unit_vectors).mean_deg > 20


def test_flattening_and_tilt_are_fitted_out_together(unit_vectors):
    """A surface z(x, y) scaled to 0.6 z has normals (0.6 x, 0.6 y, z) before it is turned."""
    front = unit_vectors[unit_vectors[:, 2] > 0.2]
    flat = front * [0.6, 0.6, 1]
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    rotation = Rotation.from_rotvec([0.05, -0.1, 0.02]).as_matrix()
    true = flat @ rotation.T
    assert metrics.normal_errors_deg(metrics.without_relief(front, true), true).mean() < 0.05
    assert metrics.normal_errors_deg(metrics.without_tilt(front, true), true).mean() > 3


def test_a_missing_normal_counts_as_the_viewer(unit_vectors):
    found = unit_vectors.copy()
    found[:100], found[100:150] = np.nan, 0
    filled, missing = metrics.fill_normals(found)
    assert missing.sum() == 150 and missing[:150].all()
    np.testing.assert_array_equal(filled[:150], np.broadcast_to([0, 0, 1], (150, 3)))
    np.testing.assert_allclose(filled[150:], unit_vectors[150:])


def test_missing_values_count_as_the_mean_of_the_others(rng):
    values = rng.random((50, 3))
    found = values.copy()
    found[3] = np.nan
    np.testing.assert_allclose(metrics.fill_values(found)[3], np.delete(values, 3, axis=0).mean(axis=0))
    assert not metrics.fill_values(np.full((4, 3), np.nan)).any()


def test_histograms_add_up_and_give_quantiles_back(rng):
    parts = [rng.gamma(2, 6, size) for size in (300, 7000)]
    counts = sum(angle_histogram(part) for part in parts)
    errors = np.concatenate(parts)
    assert counts.sum() == len(errors)
    for share in (0.25, 0.5, 0.9):
        assert histogram_quantile(counts, share) == pytest.approx(np.quantile(errors, share), abs=0.15)
    assert histogram_std(counts) == pytest.approx(errors.std(), abs=0.1)
    assert np.isnan(histogram_quantile(np.zeros(180, np.int64)))


def test_albedo_error_ignores_scale_alone(rng):
    albedo = rng.uniform(0.2, 0.8, 300)
    assert metrics.albedo_error(albedo * 3, albedo) < 1e-6
    assert metrics.albedo_error(albedo[::-1], albedo) > 0.2
    tinted = np.stack([albedo, albedo, 2 * albedo], axis=1)
    assert metrics.albedo_error(tinted, np.stack([albedo] * 3, axis=1)) > 0.1


def test_relative_error_is_least_squares(rng):
    """Residual of numpy's own fit of one factor."""
    found, true = rng.random(200), rng.random(200)
    _, residual, *_ = np.linalg.lstsq(found[:, None], true, rcond=None)
    assert metrics.relative_rmse(found, true) == pytest.approx(np.sqrt(residual[0] / np.sum(true**2)))


def test_drift_is_zero_for_scaled_copies_and_grows_with_shading_in_the_albedo(rng):
    albedo = rng.uniform(0.2, 0.8, 300)
    assert metrics.albedo_drift(np.stack([albedo, 2 * albedo, 0.1 * albedo])) < 1e-6
    small, large = (np.stack([albedo * (1 + k * rng.random(300)) for _ in range(5)]) for k in (0.2, 1.0))
    assert 0 < metrics.albedo_drift(small) < metrics.albedo_drift(large)


def test_normal_drift_of_two_maps_is_half_their_angle(unit_vectors):
    turned = unit_vectors @ Rotation.from_rotvec([0, 0, 0.2]).as_matrix().T
    angle = metrics.normal_errors_deg(turned, unit_vectors).mean()
    assert metrics.normal_drift_deg(np.stack([unit_vectors, turned])) == pytest.approx(angle / 2)


def test_flicker_is_the_deviation_of_independent_noise_and_no_slow_change(rng):
    albedo = rng.uniform(0.3, 0.8, 4000)
    noisy = np.stack([albedo * (1 + rng.normal(0, 0.02, 4000)) for _ in range(40)])
    assert metrics.flicker(noisy) == pytest.approx(0.02 * np.sqrt(np.mean(albedo**2)) / albedo.mean(), rel=0.03)
    ramp = np.linspace(1, 2, 4000)
    slow = np.stack([albedo * ramp**t for t in np.linspace(0, 1, 40)])
    assert metrics.flicker(slow) < 0.0005
    assert metrics.albedo_drift(slow) > 0.05
    assert metrics.flicker(np.stack([albedo, 3 * albedo, albedo])) < 1e-9


def test_light_angle_is_that_between_lamps():
    """First-order SH of a lamp in direction d is proportional to (y, z, x) of d; the scale and the ambient are free."""
    lights = []
    for degrees, strength in ((10, 1.0), (50, 7.0)):
        x, z = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
        light = np.zeros((9, 3))
        light[0], light[1:4] = 3 * strength, strength * np.array([0, z, x])[:, None]
        lights.append(light)
    assert metrics.light_angle_deg(lights[0], lights[1]) == pytest.approx(40)
    assert metrics.relative_rmse(5 * lights[0], lights[0]) < 1e-6


def test_skin_tone_error_has_a_sign_and_sees_the_scale():
    skin = np.tile([0.45, 0.25, 0.18], (100, 1))
    assert metrics.ita_error_deg(skin, skin) == 0
    assert metrics.ita_error_deg(skin * 0.6, skin) < -5 < 5 < metrics.ita_error_deg(np.minimum(skin * 1.5, 1), skin)
    with_brows = np.concatenate([skin, np.full((30, 3), 0.02)])
    assert metrics.ita_error_deg(with_brows, np.tile(skin[:1], (130, 1))) == 0


@pytest.mark.parametrize("channels", [(), (3,)])
def test_psnr_and_ssim_are_those_of_scikit_image(rng, channels):
    import cv2

    a = cv2.GaussianBlur(rng.random((60, 50, *channels)), (0, 0), 2).astype(np.float32)
    b = np.clip(a + rng.normal(0, 0.03, a.shape), 0, 1).astype(np.float32)
    everywhere = np.ones((60, 50), bool)
    assert psnr_db(a, b, everywhere) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=1), abs=1e-4)
    options = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, full=True)
    _, full = structural_similarity(a, b, channel_axis=-1 if channels else None, **options)
    mask = rng.random((60, 50)) < 0.4
    mask[:6] = mask[-6:] = mask[:, :6] = mask[:, -6:] = False  # borders are mirrored otherwise there
    assert ssim(a, b, mask) == pytest.approx(full[mask].mean(), abs=1e-4)
    assert ssim(a, a, mask) == pytest.approx(1)


def test_only_the_mask_counts(rng):
    a, b = rng.random((20, 20, 3)), rng.random((20, 20, 3))
    mask = np.zeros((20, 20), bool)
    mask[5:9, 5:9] = True
    b[5:9, 5:9] = a[5:9, 5:9]
    assert psnr_db(a, b, mask) == 100


def test_the_order_of_the_points_changes_nothing(rng, unit_vectors):
    order = rng.permutation(len(unit_vectors))
    other = np.roll(unit_vectors, 1, axis=0)
    for measure in (
        lambda a, b: metrics.normal_score(a, b).mean_deg,
        lambda a, b: metrics.normal_errors_deg(metrics.without_tilt(a, b), b).mean(),
        metrics.relative_rmse,
    ):
        assert measure(other, unit_vectors) == pytest.approx(measure(other[order], unit_vectors[order]), rel=1e-9)
