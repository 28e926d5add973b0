"""Around the face: which pixels are its skin, and what encoding and shoulders do to a photo."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from face_scene import scene
from illures.faces import extract, scale_of
from illures.io.photos import as_linear
from illures.math.color import linear_to_srgb
from illures.relighting.composite import PhotoRelighter, shouldered
from illures.relighting.light import Light
from illures.relighting.photo_grid import encoded
from illures.relighting.weight import photo_weight

SKIN, WALL = (0.75, 0.6, 0.5), (0.35, 0.45, 0.7)


def neck_scene():
    """A face on a blue wall, with a neck of its skin below, and a ball of the same colour that it does not touch."""
    s = scene(height=600, width=600, centre=(300.0, 220.0), radius=70, roll_deg=0, dtype=np.float32)
    photo = np.empty_like(s.photo)
    photo[:] = WALL
    photo[s.mask] = SKIN
    photo[280:420, 265:335] = SKIN
    photo[130:170, 405:440] = SKIN
    face = replace(s.face, image=as_linear(extract(photo, s.face.crop)))
    return photo, face


def test_the_neck_belongs_to_the_face_and_the_wall_does_not():
    photo, face = neck_scene()
    (x0, y0, _, _), weight = photo_weight(photo, face, [], "skin")
    assert weight[220 - y0, 300 - x0] == 255
    assert weight[310 - y0, 300 - x0] > 150
    assert weight[-1, 300 - x0] < weight[310 - y0, 300 - x0]
    assert weight[310 - y0, 235 - x0] < 12
    assert weight[150 - y0, 420 - x0] < 12


def test_a_highlight_on_the_neck_is_skin_and_a_white_wall_is_not():
    photo, face = neck_scene()
    y, x = np.mgrid[:600, :600].astype(np.float32)
    spot = np.exp(-((x - 300) ** 2 + (y - 320) ** 2) / (2 * 4**2))[..., None]
    photo += spot * (np.float32([0.97, 0.97, 0.97]) - photo)
    cv2.rectangle(photo, (170, 0), (230, 600), (0.97, 0.97, 0.97), cv2.FILLED)
    (x0, y0, _, _), weight = photo_weight(photo, face, [], "skin")
    assert weight[320 - y0, 300 - x0] > 60  # 0 if it is taken for the wall
    assert weight[320 - y0, 224 - x0] < 40


def test_another_face_is_left_alone():
    photo, face = neck_scene()
    below = face.crop.matrix.copy()
    below[1, 2] -= 0.9 * face.crop.size
    other = replace(face.crop, matrix=below)
    (x0, y0, _, _), alone = photo_weight(photo, face, [])
    _, beside = photo_weight(photo, face, [other])
    middle = 220 + 0.9 * face.crop.size / scale_of(face.crop)
    assert alone[round(220 - y0), 300 - x0] == beside[round(220 - y0), 300 - x0] == 255
    assert (beside[round(middle - y0) - 20 :] == 0).all() and alone[round(middle - y0) - 60 :].any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_code_comes_back(dtype):
    codes = np.arange(np.iinfo(dtype).max + 1).astype(dtype).reshape(1, -1, 1).repeat(3, axis=2)
    np.testing.assert_array_equal(encoded(as_linear(codes), np.dtype(dtype)), codes)


def test_the_table_of_eight_bits_rounds_as_the_curve():
    linear = np.linspace(0, 1.2, 9999, dtype=np.float32).reshape(1, -1, 1).repeat(3, axis=2)
    exact = linear_to_srgb(np.clip(linear, 0, 1)) * 255
    assert np.abs(encoded(linear, np.dtype(np.uint8)) - exact).max() < 0.56


def test_bright_light_does_not_burn_out_and_dim_light_is_exact():
    s = scene(dtype=np.float32)
    own = Light.like(s.face)
    relighter = PhotoRelighter(s.photo, [s.face], residual="keep")
    inner = slice(140, 200), slice(190, 240)
    bright = relighter(own.scaled(8.0))[inner]
    assert bright.max() < 1 and np.ptp(bright) > 0.02
    dim = as_linear(relighter(own.scaled(0.5))[inner])
    np.testing.assert_allclose(dim, 0.5 * as_linear(s.photo[inner]), rtol=0.03)


def test_bright_skin_keeps_its_colour(rng):
    old = rng.uniform(0, 1, (40, 40, 3)).astype(np.float32)
    new = (old * rng.uniform(0.2, 6, (40, 40, 1))).astype(np.float32)
    made = shouldered(new, old)
    np.testing.assert_allclose(made / new, np.broadcast_to((made / new)[..., :1], made.shape), rtol=1e-5)
    assert made.max() < 1.001 and (made <= new * (1 + 1e-6)).all()
    dim = new.max(axis=-1) <= np.maximum(old.max(axis=-1), 0.75)
    assert 0 < dim.mean() < 1
    np.testing.assert_allclose(made[dim], new[dim], rtol=1e-6)
    np.testing.assert_array_equal(shouldered(-new, old), -new)  # spherical harmonics ring below zero
    brighter = shouldered(1.1 * new, old)
    assert (brighter >= made * (1 - 1e-6)).all()
