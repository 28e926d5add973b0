"""Figures that a flat albedo cannot win: laws of each, on NumPy and PyTorch alike."""

import cv2
import numpy as np
import pytest

from illures.evaluate import metrics
from illures.math.color import luminance

SKIN = np.array([0.45, 0.25, 0.18])


@pytest.fixture(params=["numpy", "torch"])
def given(request):
    """An array of one library or the other."""
    return np.asarray if request.param == "numpy" else pytest.importorskip("torch").tensor


@pytest.fixture
def chart(rng) -> np.ndarray:
    """Patches of many colours, 48 x 40, each of 4 x 4 pixels."""
    patches = rng.uniform(0.1, 0.7, (12, 10, 3))
    return np.repeat(np.repeat(patches, 4, axis=0), 4, axis=1)


@pytest.fixture
def mask() -> np.ndarray:
    y, x = np.mgrid[:48, :40]
    return ((y - 23.5) / 20) ** 2 + ((x - 19.5) / 16) ** 2 < 1


def smooth_light(strength: float = 0.4, colour: float = 0.0) -> np.ndarray:
    """Light that falls off over the picture, and turns from warm to cold by `colour`."""
    slope = np.linspace(-1, 1, 40)[None, :, None] * np.ones((48, 1, 1))
    return np.exp(strength * slope + colour * slope * [1, 0, -1])


def test_correlation_is_that_of_numpy_on_logarithms(rng, given):
    truth, noise = rng.uniform(0.2, 0.8, (400, 3)), rng.uniform(0.7, 1.4, (400, 1))
    found = truth * noise
    expected = np.corrcoef(np.log(luminance(found)), np.log(luminance(truth)))[0, 1]
    assert metrics.log_correlation(given(found), given(truth)) == pytest.approx(expected, abs=1e-9)
    grey = luminance(truth)
    assert metrics.log_correlation(given(grey * noise[:, 0]), given(grey)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_correlations_of_scaled_inverted_and_constant_albedo(chart, mask, given, dtype):
    truth = chart.astype(dtype)

    def both(found: np.ndarray) -> tuple[float, float]:
        found = given(found.astype(dtype))
        points = metrics.log_correlation(found[given(mask)], given(truth[mask]))
        return points, metrics.gradient_correlation(found, given(truth), given(mask))

    assert both(3 * truth) == pytest.approx((1, 1), abs=1e-5)
    assert both(1 / luminance(truth)[..., None] * SKIN) == pytest.approx((-1, -1), abs=1e-5)
    assert both(np.broadcast_to(SKIN, truth.shape)) == (0, 0)
    assert both(np.zeros_like(truth)) == (0, 0)


def test_a_constant_truth_and_an_empty_mask_agree_with_nothing(chart, given):
    flat, empty = np.full_like(chart, 0.3), np.zeros((48, 40), bool)
    assert metrics.log_correlation(given(chart[0]), given(flat[0])) == 0
    assert metrics.gradient_correlation(given(chart), given(chart), given(empty)) == 0


def test_the_photo_correlates_less_than_the_truth_and_more_than_a_blur(chart, mask, given):
    light = smooth_light(0.8)
    photo, blurred = chart * light, cv2.GaussianBlur(chart, (0, 0), 3)
    of_photo = metrics.log_correlation(given(photo[mask]), given(chart[mask]))
    assert 0.2 < of_photo < 0.95
    gradients = [metrics.gradient_correlation(given(x), given(chart), given(mask)) for x in (photo, blurred)]
    assert 0.95 < gradients[0] < 1  # a smooth light has next to no gradient
    assert 0.2 < gradients[1] < 0.9


def test_gradients_are_those_of_numpy_where_all_neighbours_count(rng, chart, mask, given):
    found = chart * rng.uniform(0.8, 1.2, (48, 40, 1))
    gradients = [np.gradient(np.log(luminance(values))) for values in (found, chart)]
    inside = cv2.erode(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))) > 0
    ours, true = (np.concatenate([part[inside] for part in parts]) for parts in gradients)
    expected = ours @ true / np.linalg.norm(ours) / np.linalg.norm(true)
    measured = metrics.gradient_correlation(given(found), given(chart), given(mask))
    assert measured == pytest.approx(expected, abs=1e-9)
    outside = np.where(mask[..., None], found, np.nan)
    assert metrics.gradient_correlation(given(outside), given(chart), given(mask)) == pytest.approx(expected, abs=1e-9)


def test_drift_over_contrast_of_two_images_is_its_definition(rng, given):
    a, b = rng.uniform(0.2, 0.8, (2, 500, 3))
    a, b = a / a.mean(), b / b.mean()
    spread = [np.sqrt(x.var(axis=0).mean()) for x in (a, b)]
    expected = np.sqrt(np.mean((a - b) ** 2)) / np.mean(spread)
    measured = metrics.drift_over_contrast(given(np.stack([a, 0.3 * b])))
    assert measured == pytest.approx(expected, rel=1e-3) == pytest.approx(np.sqrt(2), abs=0.1)


def test_drift_over_contrast_is_the_mean_over_pairs(rng):
    albedos = rng.uniform(0.2, 0.8, (4, 300))
    pairs = [metrics.drift_over_contrast(albedos[[i, j]]) for i in range(4) for j in range(i)]
    assert metrics.drift_over_contrast(albedos) == pytest.approx(np.mean(pairs))


def test_flatness_does_not_pay_in_drift(rng, given):
    """Fading towards a constant keeps the figure until nothing is left, and then it is the worst."""
    albedo = SKIN * rng.uniform(0.5, 1.5, (600, 1))
    lights = rng.uniform(0.9, 1.1, (5, 600, 1))

    def figure(fade: float) -> float:
        return metrics.drift_over_contrast(given(SKIN * (albedo * lights / SKIN) ** fade))

    assert figure(1) == pytest.approx(figure(0.3), rel=0.1)
    assert figure(0.003) > 3 * figure(1)
    assert figure(0) == pytest.approx(1)
    steady = np.stack([albedo, 2 * albedo, 0.1 * albedo])
    assert metrics.drift_over_contrast(given(steady)) < 0.03 < metrics.albedo_drift(albedo * lights)
    tints = np.stack([np.broadcast_to(tint, (600, 3)) for tint in (SKIN, SKIN[::-1])])
    assert metrics.drift_over_contrast(given(tints)) > 10


def test_colour_kept_of_a_copy_a_tint_and_a_constant(chart, mask, given):
    image = chart * smooth_light()
    image = 0.8 * image / image.max()

    def figure(albedo: np.ndarray) -> float:
        return metrics.colour_kept(given(albedo), given(image), given(mask))

    assert figure(image) == pytest.approx(0, abs=1e-9)
    assert figure(2 * image * [0.5, 1, 0.7]) == pytest.approx(0, abs=1e-9)
    assert figure(chart) == pytest.approx(0, abs=1e-9)  # white light, however uneven, has no colour
    constant = figure(np.broadcast_to(SKIN, image.shape))
    assert constant > 0.3
    assert figure(np.repeat(luminance(image)[..., None], 3, axis=2)) == pytest.approx(constant)
    blurred = cv2.GaussianBlur(chart, (0, 0), 2)
    assert 0.1 * constant < figure(blurred) < constant


def test_light_of_a_colour_that_changes_slowly_costs_the_truth_little(chart, mask, given):
    image = chart * smooth_light(0.4, colour=0.1)
    image = 0.8 * image / image.max()
    truth, constant = (
        metrics.colour_kept(given(albedo), given(image), given(mask))
        for albedo in (chart, np.broadcast_to(SKIN, image.shape))
    )
    assert 0 < truth < 0.15 * constant


def test_highlights_and_black_do_not_count_as_colour(mask, given):
    """A white highlight on skin of one colour, a burnt and a black patch: the flat albedo is right."""
    shading = smooth_light() / 3
    image = SKIN * shading
    image[20:22, 18:21] += 0.4
    image[30:32, 18:20] = 1
    image[14:16, 22:24] = [0.001, 0.002, 0.004]
    flat = np.broadcast_to(SKIN, image.shape)
    assert metrics.colour_kept(given(flat), given(image), given(mask)) == pytest.approx(0, abs=1e-9)


def test_colour_kept_needs_a_pixel_that_tells(chart):
    nothing, everything = np.zeros((48, 40), bool), np.ones((48, 40), bool)
    assert np.isnan(metrics.colour_kept(chart, chart, nothing))
    assert np.isnan(metrics.colour_kept(chart, np.ones_like(chart), everything))
