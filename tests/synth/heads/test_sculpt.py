"""Relief of heads: where it is, how steep, and that it belongs to the person, not to the expression."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from illures.synth.heads.makehuman import MakeHumanModel
from illures.synth.heads.models import people
from illures.synth.heads.person import Vertices
from illures.synth.heads.sculpt import TRAITS, relief, sculpted, trait_height
from illures.synth.sets import Recipe
from illures.synth.skin.uv_painting import PX_PER_CM, around, from_uv, texture_uv, unroll

PERSON = 3
SMILE = {"mouthSmile_L": 0.8, "mouthSmile_R": 0.8, "jawOpen": 0.3}


@cache
def model() -> MakeHumanModel:
    return MakeHumanModel()


def shift(person: int, expression: dict[str, float] | None = None, spread: float = 1.0) -> Vertices:
    """What relief adds to the vertices of one shape [m]."""
    plain = model().shape(np.random.default_rng(0))
    carved = sculpted(model().anatomy, plain, np.random.default_rng(person), spread)
    return carved(expression or {}) - plain(expression or {})


def test_relief_is_the_same_with_every_expression() -> None:
    rest, smiling = shift(PERSON), shift(PERSON, SMILE)
    assert np.abs(rest).max() > 1e-3
    np.testing.assert_allclose(smiling, rest, rtol=0, atol=1e-8)


def test_relief_moves_only_skin() -> None:
    moved = np.abs(shift(PERSON)).max(axis=1) > 0
    skin = next(piece.vertices for piece in model().anatomy.cuts if piece.material == "skin")
    assert moved[skin].any()
    assert not np.delete(moved, skin).any()


def test_lids_stay_on_the_eyes_and_the_neck_stays() -> None:
    canvas, deepest, low = model().anatomy.canvas, [], []
    for person in range(20):
        height = np.abs(relief(canvas, np.random.default_rng(person)))
        columns, rows = np.round(canvas.landmarks[36:48]).astype(int).T
        deepest.append(height[rows, columns].max())
        low.append(height[(canvas.y < -13.1) | (canvas.y > 7.6) | (np.abs(canvas.s) > 9.6)].max())
    assert np.median(deepest) < 0.6e-3  # a lid is 2 mm thick
    assert max(low) == 0


def test_slopes_are_those_of_faces() -> None:
    """Enough to be seen in shading, and less than the 12 degrees by which the normals of two people differ."""
    canvas, slopes = model().anatomy.canvas, []
    face = (np.abs(canvas.s) < 5) & (canvas.y < 4) & (canvas.y > -9)
    for person in range(20):
        down, across = np.gradient(relief(canvas, np.random.default_rng(person)), 0.01 / PX_PER_CM)
        slopes.append(np.rad2deg(np.arctan(np.hypot(down, across)))[face].mean())
    assert 4 < np.mean(slopes) < 12, slopes


def test_people_differ_and_zero_leaves_the_model_as_it_is() -> None:
    assert np.abs(shift(1) - shift(2)).max() > 1e-3
    assert not shift(PERSON, spread=0.0).any()
    np.testing.assert_allclose(shift(PERSON, spread=0.5), 0.5 * shift(PERSON), rtol=0, atol=1e-8)


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_a_set_applies_it_and_draws_the_same_person_otherwise(strength: float) -> None:
    person = people(Recipe(identities=4, seed=5, relief=strength))(2)
    plain = people(Recipe(identities=4, seed=5, relief=0.0))(2)
    change = np.abs(person.shape({}) - plain.shape({})).max()
    assert (change > 1e-3) == (strength > 0)
    assert person.tone == plain.tone
    np.testing.assert_array_equal(person.paints[0].albedo, plain.paints[0].albedo)


def test_from_uv_is_the_inverse_of_texture_uv() -> None:
    points = np.random.default_rng(0).normal(0, 0.04, (50, 3)) + [0, 0, 0.02]
    np.testing.assert_allclose(from_uv(texture_uv(points).astype(np.float64)), unroll(points), rtol=0, atol=1e-4)


def test_outward_is_away_from_the_layouts_axis() -> None:
    """A step outward changes neither the arc nor the height."""
    points = np.random.default_rng(1).normal(0, 0.04, (50, 3))
    moved = points + 0.01 * around(unroll(points)[:, 0])
    np.testing.assert_allclose(unroll(moved), unroll(points), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", TRAITS)
def test_a_millimetre_of_each_trait_is_about_that_on_the_face(name: str) -> None:
    canvas = model().anatomy.canvas
    height = trait_height(canvas, name)
    assert 0.2e-3 < np.abs(height).max() < 1.6e-3
    np.testing.assert_allclose(np.abs(height), np.abs(height[:, ::-1]), rtol=0, atol=0.15e-3)  # both sides


def test_the_mean_over_people_is_that_of_the_traits() -> None:
    canvas = model().anatomy.canvas
    wanted = sum(mean * trait_height(canvas, name) for name, (mean, _) in TRAITS.items())
    found = np.mean([relief(canvas, np.random.default_rng(person)) for person in range(300)], axis=0)
    error = np.abs(found - wanted).mean() / np.abs(wanted).mean()
    assert error < 0.5  # people differ by more than the mean
