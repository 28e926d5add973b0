"""Broad shade on skin goes to the light, eyes keep the contrast that the photo shows; all else keeps its bits."""

import numpy as np

from illures.decompose.smooth_light import with_smooth_light_on_eyes, without_broad_shade
from illures.types import Region

SIZE = 128
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
    found = with_smooth_light_on_eyes(image, albedo, regions)
    row, white, iris = 58, 33, 42
    before, after, photo = (np.log(v[row, white, 1] / v[row, iris, 1]) for v in (albedo, found, image))
    assert photo < 0.5 * (before + photo) - 0.2 < after < 0.75 * before + 0.25 * photo
    np.testing.assert_array_equal(found[:30], albedo[:30])
    np.testing.assert_array_equal(found[:, 80:], albedo[:, 80:])


def test_catch_lights_stay_in_the_light():
    image, albedo, regions = eye()
    found = with_smooth_light_on_eyes(image, albedo, regions)
    assert found[CATCH].max() < 2 * albedo[CATCH].max()
    assert found[58, 42, 1] > 1.5 * albedo[58, 42, 1]


def test_without_eyes_nothing_changes():
    image, albedo, regions = eye()
    np.testing.assert_array_equal(with_smooth_light_on_eyes(image, albedo, skin()[1]), albedo)
