"""What the network is told of the whole photo: the crop is where it is, and renders are framed as photos are."""

from __future__ import annotations

import numpy as np
import pytest

from illures.data.context import WIDE_PX, rendered_context
from illures.faces import CONTEXT, crop_context, photo_context, thumbnail


def test_the_crop_is_marked_where_it_lies_in_the_photo(rng):
    photo = rng.random((400, 600, 3), np.float32)
    # A crop of 128 px over the square from (150, 100) to (300, 250), upright.
    scale = 128 / 150
    matrix = np.array([[scale, 0, -150 * scale], [0, scale, -100 * scale]], np.float32)
    found = photo_context(thumbnail(photo), photo.shape[:2], matrix, 128)
    assert found.shape == (CONTEXT, CONTEXT, 4)
    x, y = (np.arange(CONTEXT) + 0.5) * 600 / CONTEXT, (np.arange(CONTEXT) + 0.5) * 400 / CONTEXT
    cell = np.array([600, 400]) / CONTEXT
    inside = ((x > 150 + cell[0]) & (x < 300 - cell[0]))[None] & ((y > 100 + cell[1]) & (y < 250 - cell[1]))[:, None]
    outside = ((x < 150 - cell[0]) | (x > 300 + cell[0]))[None] | ((y < 100 - cell[1]) | (y > 250 + cell[1]))[:, None]
    assert (found[..., 3][inside] == 1).all() and (found[..., 3][outside] == 0).all()
    # Its share of the photo's area is kept.
    assert found[..., 3].mean() == pytest.approx(150 * 150 / (400 * 600), rel=0.03)
    np.testing.assert_allclose(found[..., :3].mean((0, 1)), photo.mean((0, 1)), rtol=0, atol=1e-3)


def test_a_photo_that_is_the_crop_is_crop_all_over(rng):
    image = rng.random((64, 64, 3), np.float32)
    found = crop_context(image)
    assert (found[..., 3] == 1).all()
    np.testing.assert_allclose(found[..., :3], image.reshape(32, 2, 32, 2, 3).mean((1, 3)), rtol=0, atol=1e-5)


def test_a_photo_framed_round_a_render_holds_the_person_and_the_surroundings():
    red, blue = np.float32([0.6, 0, 0]), np.float32([0, 0, 0.4])
    image, person = np.tile(red, (64, 64, 1)), np.ones((64, 64), np.float32)
    around = np.tile(blue, (WIDE_PX, WIDE_PX, 1))
    shares = []
    for seed in range(40):
        shown, inside = rendered_context(image, person, around, np.random.default_rng(seed))
        assert shown.shape == (CONTEXT, CONTEXT, 3) and inside.shape == (CONTEXT, CONTEXT)
        assert inside.min() >= 0 and inside.max() == 1
        assert np.abs(shown[inside == 1] - red).max() < 0.25  # softened at most
        assert shown.min() >= 0 and (shown.sum(-1) < 0.61).all()
        shares.append(inside.mean())
    assert min(shares) < 0.05 and max(shares) > 0.2  # from far away to filling the photo


def test_the_same_seed_frames_alike():
    image, around = np.full((64, 64, 3), 0.5, np.float32), np.full((WIDE_PX, WIDE_PX, 3), 0.1, np.float32)
    person = np.zeros((64, 64), np.float32)
    once, again = (rendered_context(image, person, around, np.random.default_rng(1))[0] for _ in range(2))
    np.testing.assert_array_equal(once, again)
    np.testing.assert_allclose(once, 0.1, rtol=0, atol=1e-6)  # nobody is there: only surroundings show
