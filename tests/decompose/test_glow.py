"""Glows and tinges: the excess of albedo over its class goes, everything else keeps its bits."""

import numpy as np
import pytest

from illures.decompose.glow import without_glow, without_tinge
from illures.math.color import luminance
from illures.types import Region

SKIN = np.array([0.4, 0.25, 0.18], np.float32)


def scene(rng, region=Region.SKIN) -> tuple[np.ndarray, np.ndarray]:
    """Skin whose tone varies a little, hair above it, and the probabilities of the classes."""
    albedo = SKIN * np.exp(rng.uniform(-0.06, 0.06, (64, 64, 1))).astype(np.float32)
    albedo[:16] *= np.float32(0.2)
    label = np.full((64, 64), region)
    label[:16] = Region.HAIR
    return albedo, np.eye(len(Region), dtype=np.float32)[label]


def test_even_skin_and_hair_keep_their_bits(rng):
    albedo, regions = scene(rng)
    np.testing.assert_array_equal(without_glow(albedo, regions), albedo)


def test_a_glow_is_dimmed_and_keeps_its_colour_and_detail(rng):
    albedo, regions = scene(rng)
    glow = albedo.copy()
    glow[40:46, 20:26] *= np.float32(2)
    found = without_glow(glow, regions)
    spot = np.zeros((64, 64), bool)
    spot[40:46, 20:26] = True
    before, after = (np.log(luminance(v)[spot] / luminance(SKIN)) for v in (glow, found))
    assert before.min() > 0.5 and after.max() < 0.35
    assert (np.argsort(before) == np.argsort(after)).all()  # what was lighter is lighter still
    colour = [v[spot] / luminance(v[spot])[:, None] for v in (found, glow)]
    np.testing.assert_allclose(*colour, rtol=1e-5)
    np.testing.assert_array_equal(found[~spot], glow[~spot])


def test_teeth_and_clothes_may_be_bright(rng):
    for region in (Region.MOUTH, Region.EYES, Region.CLOTHES, Region.OBJECT):
        albedo, regions = scene(rng)
        albedo[40:46, 20:26] = 0.9
        regions[40:46, 20:26] = np.eye(len(Region), dtype=np.float32)[region]
        np.testing.assert_array_equal(without_glow(albedo, regions), albedo)


def test_a_few_pixels_of_a_class_say_nothing(rng):
    albedo, regions = scene(rng, Region.CLOTHES)
    regions[:16] = np.eye(len(Region), dtype=np.float32)[Region.BACKGROUND]
    regions[30:34, 30:34] = np.eye(len(Region), dtype=np.float32)[Region.SKIN]
    albedo[30, 30] = 0.9
    np.testing.assert_array_equal(without_glow(albedo, regions), albedo)


@pytest.mark.parametrize(("rows", "tinge"), [(slice(4, 10), (1.6, 0.6)), (slice(40, 46), (0.6, 1.6))])
def test_streaks_of_another_colour_go_and_keep_their_luminance(rng, rows, tinge):
    albedo, regions = scene(rng)
    image = np.float32(0.5) * albedo
    np.testing.assert_array_equal(without_tinge(image, albedo, regions), albedo)
    tinged = albedo.copy()
    tinged[rows, 20:26, ::2] *= np.float32(tinge)
    found = without_tinge(image, tinged, regions)
    np.testing.assert_array_equal(without_tinge(tinged, tinged, regions), tinged)  # dyed
    spot = np.zeros((64, 64), bool)
    spot[rows, 20:26] = True
    colour = [np.log(v[spot][:, ::2] / v[spot][:, 1:2]) - np.log(SKIN[::2] / SKIN[1]) for v in (tinged, found)]
    before, after = (np.linalg.norm(c, axis=1) for c in colour)
    assert before.min() > 0.6 and after.max() < 0.36
    np.testing.assert_allclose(luminance(found)[spot], luminance(tinged)[spot], rtol=1e-5)
    np.testing.assert_array_equal(found[~spot], tinged[~spot])


def test_lips_and_eyes_keep_their_colour(rng):
    for region in (Region.LIPS, Region.EYES, Region.CLOTHES):
        albedo, regions = scene(rng)
        albedo[40:46, 20:26] = 0.6, 0.1, 0.1
        regions[40:46, 20:26] = np.eye(len(Region), dtype=np.float32)[region]
        np.testing.assert_array_equal(without_tinge(np.full_like(albedo, 0.2), albedo, regions), albedo)
