"""Broad shade on skin goes to the light, eyes and cavities keep what the photo shows; all else keeps its bits."""

import numpy as np
import pytest

from illures.decompose.smooth_light import with_fine_light, without_broad_shade
from illures.faces.regions import NOSTRILS
from illures.types import Region

SIZE = 128
LANDMARKS = np.full((478, 3), -500, np.float32)  # far outside: no nostrils
LANDMARKS[263, 0] += 50  # the other eye
SKIN = np.array([0.4, 0.25, 0.18], np.float32)
EYE, IRIS, CATCH = (slice(50, 62), slice(30, 54)), (slice(51, 61), slice(37, 47)), (slice(53, 55), slice(40, 42))


def classes(label: np.ndarray) -> np.ndarray:
    return np.eye(len(Region), dtype=np.float32)[label]


def skin() -> tuple[np.ndarray, np.ndarray]:
    """Even skin with clothes below it."""
    label = np.full((SIZE, SIZE), int(Region.SKIN))
    label[100:] = int(Region.CLOTHES)
    return np.broadcast_to(SKIN, (SIZE, SIZE, 3)).copy(), classes(label)


def test_even_skin_and_all_other_things_keep_their_bits(rng):
    albedo, regions = skin()
    np.testing.assert_array_equal(without_broad_shade(albedo, regions), albedo)
    albedo[:90] *= np.linspace(0.8, 1.2, SIZE, dtype=np.float32)[:, None]
    albedo[108:] = rng.uniform(0, 1, (SIZE - 108, SIZE, 3))
    np.testing.assert_array_equal(without_broad_shade(albedo, regions)[110:], albedo[110:])
    nobody = classes(np.full((SIZE, SIZE), int(Region.OBJECT)))
    np.testing.assert_array_equal(without_broad_shade(albedo, nobody), albedo)


def test_a_broad_shade_is_halved_and_a_spot_in_it_stays():
    albedo, regions = skin()
    x = np.linspace(-1, 1, SIZE, dtype=np.float32)[:, None]
    shaded = albedo * np.exp(0.3 * x)
    shaded[40:44, 40:44] *= np.float32(0.5)
    found = without_broad_shade(shaded, regions)
    tilt = [np.log(v[20:90, 110, 1] / v[20:90, 18, 1]).mean() for v in (shaded, found)]
    assert 0.3 * tilt[0] < tilt[1] < 0.75 * tilt[0]
    spot = [np.log(v[41, 41, 1] / v[41, 52, 1]) for v in (shaded, found)]
    assert abs(spot[1] - spot[0]) < 0.05
    np.testing.assert_allclose(found / found[..., :1], albedo / albedo[..., :1], rtol=1e-5)  # its colour stays


def eye() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The photo of an eye under even light of 0.5, and an albedo with a black iris under light of its own."""
    true, regions = skin()
    true[EYE], true[IRIS] = 0.5, 0.1
    image = 0.5 * true
    image[CATCH] = 0.9
    told = true.copy()
    told[EYE], told[IRIS] = 0.8, 0.02
    label = regions.argmax(-1)
    label[EYE] = int(Region.EYES)
    return image.astype(np.float32), told.astype(np.float32), classes(label)


def test_eyes_come_halfway_to_the_contrast_of_the_photo():
    image, albedo, regions = eye()
    found = with_fine_light(image, albedo, regions, LANDMARKS)
    row, white, iris = 58, 33, 42
    before, after, photo = (np.log(v[row, white, 1] / v[row, iris, 1]) for v in (albedo, found, image))
    assert photo < 0.5 * (before + photo) - 0.2 < after < 0.75 * before + 0.25 * photo
    np.testing.assert_array_equal(found[:30], albedo[:30])
    np.testing.assert_array_equal(found[:, 80:], albedo[:, 80:])


def test_catch_lights_stay_in_the_light():
    image, albedo, regions = eye()
    found = with_fine_light(image, albedo, regions, LANDMARKS)
    assert found[CATCH].max() < 2 * albedo[CATCH].max()
    assert found[58, 42, 1] > 1.5 * albedo[58, 42, 1]


@pytest.mark.parametrize("region", [Region.LIPS, Region.MOUTH])
def test_the_dark_between_lips_is_halved_and_their_sheen_stays(region):
    albedo, regions = skin()
    label = regions.argmax(-1)
    label[80:92, 40:90] = int(region)
    light = np.full((SIZE, SIZE, 1), 0.5, np.float32)
    light[86, 40:90], light[82, 40:90] = 0.1, 0.9
    found = with_fine_light(albedo * light, albedo, classes(label), LANDMARKS)
    assert 0.4 < np.log(found[82, 65, 1] / found[86, 65, 1]) / np.log(5) < 0.6
    np.testing.assert_allclose(found[82, 50:80], albedo[82, 50:80], rtol=0, atol=0.02)


def test_nostrils_that_are_skin_get_darker():
    albedo, regions = skin()
    points = LANDMARKS.copy()
    for ring, x in zip(NOSTRILS, (55, 73), strict=True):
        angle = np.linspace(0, 2 * np.pi, len(ring), endpoint=False)
        points[list(ring), :2] = np.stack([x + 4 * np.cos(angle), 65 + 3 * np.sin(angle)], axis=-1)
    light = np.full((SIZE, SIZE, 1), 0.5, np.float32)
    light[63:68, 53:58] = light[63:68, 71:76] = 0.1
    found = with_fine_light(albedo * light, albedo, regions, points)
    for x in (55, 73):
        assert found[65, x, 1] < 0.7 * albedo[65, x, 1]
    np.testing.assert_array_equal(found[:45], albedo[:45])
    beard = classes(np.full((SIZE, SIZE), int(Region.FACIAL_HAIR)))
    np.testing.assert_array_equal(with_fine_light(albedo * light, albedo, beard, points), albedo)


def test_without_eyes_lips_and_nostrils_nothing_changes():
    image, albedo, _ = eye()
    np.testing.assert_array_equal(with_fine_light(image, albedo, skin()[1], LANDMARKS), albedo)
