"""Around the crop: a neck in the light is as bright as the face, though the crop ends in the shadow of the chin."""

from dataclasses import replace

import numpy as np
import pytest

from face_scene import crop_at
from illures.decompose import extent, full_resolution
from illures.decompose.decomposition import Decomposition
from illures.decompose.extent import illumination_wide, limits, prepare_wide
from illures.decompose.fields import illumination_at, sample
from illures.decompose.full_resolution import prepare
from illures.faces.crop import extract
from illures.faces.matte import MARGIN, widened
from illures.io.photos import as_linear
from illures.math import sh
from illures.math.color import linear_to_srgb
from illures.math.quotient import albedo_of
from illures.types import Region

SKIN = np.array([0.5, 0.3, 0.2], np.float32)
SIZE, SIDE = 128, 400
CHIN = SIZE - 24  # rows of the crop from here on are in shadow
CONSTANT = np.zeros((9, 3), np.float32)
CONSTANT[0] = 1 / sh.basis(np.array([0.0, 0.0, 1.0]))[0]


@pytest.fixture
def crop():
    return crop_at((SIDE / 2, SIDE / 2 - 60), 60, 0.0, SIZE, (SIDE, SIDE))


def photo_of(crop, below) -> np.ndarray:
    """Skin in even light, in shadow under the chin; below the crop something else."""
    linear = np.broadcast_to(SKIN * np.float32(0.8), (SIDE, SIDE, 3)).copy()
    rows = (np.arange(SIDE) * crop.matrix[1, 1] + crop.matrix[1, 2])[:, None, None]
    linear = np.where((rows > CHIN) & (rows < SIZE), linear * np.float32(0.15), linear)
    return linear_to_srgb(np.where(rows >= SIZE, np.float32(0.8) * below, linear)).astype(np.float32)


def face_of(crop, photo) -> Decomposition:
    image = as_linear(extract(photo, crop))
    albedo = np.broadcast_to(SKIN, image.shape).copy()
    normal = np.broadcast_to(np.array([0, 0, 1], np.float32), image.shape).copy()
    ones = np.ones((SIZE, SIZE), np.float32)
    return Decomposition(image, albedo, normal, CONSTANT, image - albedo, ones, crop)


def albedo_below(fields, photo, crop) -> np.ndarray:
    """Over a strip under the crop's lower edge."""
    last = round((SIZE - crop.matrix[1, 2]) / crop.matrix[1, 1])
    rows, columns = slice(last + 3, last + 40), slice(SIDE // 2 - 20, SIDE // 2 + 20)
    seen = as_linear(photo[rows, columns])
    return albedo_of(seen, illumination_at(fields, (columns.start, rows.start), seen))


def test_a_neck_is_no_brighter_than_the_face(crop):
    photo = photo_of(crop, SKIN)
    face = face_of(crop, photo)
    before = albedo_below(prepare(face, round(MARGIN * SIZE)), photo, crop)
    after = albedo_below(prepare_wide(face, photo), photo, crop)
    assert before.max() > 1.6 * SKIN.max()
    np.testing.assert_allclose(after, np.broadcast_to(SKIN, after.shape), rtol=0.2)


def test_clothes_keep_what_was_continued(crop):
    photo = photo_of(crop, np.array([0.1, 0.3, 0.8], np.float32))
    face = face_of(crop, photo)
    before = albedo_below(prepare(face, round(MARGIN * SIZE)), photo, crop)
    after = albedo_below(prepare_wide(face, photo), photo, crop)
    np.testing.assert_allclose(after, before, rtol=0.02)


def test_what_the_network_missed_is_no_brighter_than_the_face_and_the_photo(crop):
    """Hair beside the face in even light, called background, next to a dark cheek: the cheek's E goes on over it."""
    hair, lit = np.array([0.3, 0.2, 0.1], np.float32), np.float32(0.8)
    photo = linear_to_srgb(np.broadcast_to(SKIN * lit, (SIDE, SIDE, 3))).astype(np.float32)
    x = (np.arange(SIDE) * crop.matrix[0, 0] + crop.matrix[0, 2])[None, :, None]
    shadow, missed = (x > 80) & (x <= 96), x > 96
    linear = np.where(missed, hair * lit, np.where(shadow, SKIN * lit * np.float32(0.1), SKIN * lit))
    photo = linear_to_srgb(np.broadcast_to(linear, photo.shape)).astype(np.float32)
    background = np.broadcast_to((np.arange(SIZE) > 96).astype(np.float32), (SIZE, SIZE))
    regions = np.zeros((SIZE, SIZE, len(Region)), np.float32)
    regions[..., Region.BACKGROUND], regions[..., Region.SKIN] = background, 1 - background
    face = replace(face_of(crop, photo), regions=regions, mask=1 - background)
    first, last = (round(float((x - crop.matrix[0, 2]) / crop.matrix[0, 0])) for x in (98, 110))
    columns = slice(first, last)
    rows = slice(SIDE // 2 - 90, SIDE // 2 - 30)
    seen = as_linear(photo[rows, columns])

    def found(fields):
        return albedo_of(seen, illumination_at(fields, (columns.start, rows.start), seen))

    bound = np.maximum(SKIN, hair * lit) * 1.25
    assert (found(prepare(face, round(MARGIN * SIZE))) > bound).any()
    assert (found(prepare_wide(face, photo)) <= bound).all()


def test_a_sure_matte_decides_what_is_background(crop):
    regions = np.zeros((SIZE, SIZE, len(Region)), np.float32)
    regions[..., Region.BACKGROUND] = 1
    face = replace(face_of(crop, photo_of(crop, SKIN)), regions=regions)
    centre = widened(crop).size // 2
    middle = (slice(centre - 20, centre + 20),) * 2
    for value, kept in ((0.4, 0), (0.95, 1)):
        matte = np.full((widened(crop).size,) * 2, value, np.float32)
        assert (limits(face, [], matte)[middle] == kept).all()
    assert (limits(face, [], None)[middle] == 0).all()


def test_the_crop_itself_is_left_alone(crop):
    photo = photo_of(crop, SKIN)
    face = face_of(crop, photo)
    seen = as_linear(photo[120:160, 180:220])
    plain, raised = (illumination_at(f, (180, 120), seen) for f in (prepare(face), prepare_wide(face, photo)))
    np.testing.assert_allclose(raised, plain, rtol=1e-3)


def test_nothing_in_the_photo_depends_on_the_grid_beyond_it(crop, monkeypatch):
    """The fields end soon after the photo; its pixels see what they would see of all of them."""
    photo = photo_of(crop, SKIN)[60:280, 100:310]
    matrix = crop.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ (100, 60)
    crop = replace(crop, matrix=matrix, photo_size=photo.shape[:2])
    face, image = face_of(crop, photo), as_linear(photo)
    part, alone = prepare_wide(face, photo), illumination_wide(face, photo)
    for module in (extent, full_resolution):
        monkeypatch.setattr(module, "in_sight", lambda crop: (crop, (slice(None), slice(None))))
    whole = prepare_wide(face, photo)
    assert part.crop.size < 0.9 * whole.crop.size
    for name in ("albedo", "normal", "shading", "mask", "head"):
        found, expected = (getattr(sample(f, (0, 0), image), name) for f in (part, whole))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3, err_msg=name)
    np.testing.assert_array_equal(illumination_at(alone, (0, 0), image), illumination_at(part, (0, 0), image))
