"""The crop goes there and back exactly, and the framing follows the face."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from illures.errors import InputError
from illures.faces import (
    alignment,
    at_size,
    crop_face,
    extract,
    extract_float,
    in_photo,
    in_sight,
    scale_of,
    to_crop,
    to_photo,
)
from illures.types import Face, FaceCrop

# A frontal face in units of the eye distance: only eyes and mouth corners count.
UPRIGHT = np.zeros((68, 2))
UPRIGHT[36:42], UPRIGHT[42:48], UPRIGHT[48], UPRIGHT[54] = [-0.5, 0], [0.5, 0], [-0.4, 1.1], [0.4, 1.1]

shifts = st.floats(-3000, 3000)


def similarity(angle: float, scale: float, x: float, y: float) -> np.ndarray:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, x], [sin, cos, y]])


@given(st.floats(-3.1, 3.1), st.floats(5, 2000), shifts, shifts)
def test_the_aligned_face_does_not_depend_on_the_photos_pose(angle, scale, x, y):
    """Moving, turning and scaling the photo leaves the crop as it is."""
    moved = similarity(angle, scale, x, y)
    points = UPRIGHT @ moved[:, :2].T + moved[:, 2]
    matrix = alignment(points, 128).astype(np.float64)
    reference = alignment(UPRIGHT * 100, 128).astype(np.float64)
    found = points @ matrix[:, :2].T + matrix[:, 2]
    expected = UPRIGHT * 100 @ reference[:, :2].T + reference[:, 2]
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.05)


@given(st.floats(-3.1, 3.1), st.floats(0.05, 20), shifts, shifts)
def test_points_go_there_and_back(angle, scale, x, y):
    crop = FaceCrop(
        similarity(angle, scale, x, y).astype(np.float32), 128, (900, 1200), Face(np.zeros((478, 3), np.float32), 1.0)
    )
    points = np.random.default_rng(0).uniform(0, 1000, (40, 3))
    back = to_photo(to_crop(points, crop), crop)
    np.testing.assert_allclose(back, points, rtol=0, atol=1e-6)


@given(st.floats(-3.1, 3.1), st.floats(0.05, 5), st.floats(-400, 400), st.floats(-400, 400))
def test_the_part_in_sight_has_all_of_the_photo(angle, scale, x, y):
    matrix = similarity(angle, scale, x, y).astype(np.float32)
    crop = FaceCrop(matrix, 64, (90, 120), Face(np.zeros((478, 3), np.float32), 1.0))
    part, (rows, columns) = in_sight(crop)
    inside = in_photo(crop)
    assert inside[rows, columns].sum() == inside.sum()
    assert inside[rows, columns].shape == (part.size, part.size) and part.size <= crop.size
    points = np.random.default_rng(0).uniform(0, 100, (40, 2))
    moved = to_crop(points, part) + (columns.start, rows.start)
    np.testing.assert_allclose(moved, to_crop(points, crop), rtol=0, atol=1e-3)


def test_a_small_photo_is_a_small_part_of_a_crop():
    crop = FaceCrop(
        similarity(0.3, 0.5, 20, 30).astype(np.float32), 200, (40, 60), Face(np.zeros((478, 3), np.float32), 1)
    )
    part, _ = in_sight(crop)
    assert part.size < 60


def test_eyes_are_level_and_the_face_is_inside(face, astronaut):
    crop = crop_face(face, astronaut.shape[:2])
    points = to_crop(face.landmarks, crop)
    left, right = points[[33, 133]].mean(0), points[[362, 263]].mean(0)
    assert abs(left[1] - right[1]) < 4 and left[0] < 64 < right[0]
    assert points[:, :2].min() > 4 and points[:, :2].max() < 124


def test_another_size_shows_the_same_square(face, astronaut):
    small = crop_face(face, astronaut.shape[:2], 128)
    large = at_size(small, 256)
    assert scale_of(large) == pytest.approx(2 * scale_of(small), rel=1e-5)
    shrunk = extract(astronaut, large).reshape(128, 2, 128, 2, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - extract(astronaut, small)).mean() < 2


def test_extracting_keeps_the_mean_however_much_it_shrinks(rng):
    """No aliasing: noise shrunk by 20 is nearly flat."""
    noise = rng.integers(0, 256, (1300, 1300, 3), dtype=np.uint8)
    crop = FaceCrop(
        similarity(0.3, 0.05, 40, 10).astype(np.float32), 32, (1300, 1300), Face(np.zeros((478, 3), np.float32), 1.0)
    )
    shrunk = extract(noise, crop).astype(float)
    assert abs(shrunk.mean() - 127.5) < 2 and shrunk.std() < 8


@pytest.mark.parametrize("scale", [0.07, 0.3, 0.8, 3])
def test_floats_from_codes_are_those_of_the_float_photo(rng, scale):
    """Far closer than a code, of which crops that keep the photo's type lose up to a half."""
    noise = rng.integers(0, 256, (900, 800, 3), dtype=np.uint8)
    matrix = similarity(0.3, scale, 32 - 400 * scale, 32 - 450 * scale).astype(np.float32)
    crop = FaceCrop(matrix, 64, (900, 800), Face(np.zeros((478, 3), np.float32), 1.0))
    found, wanted = extract_float(noise, crop), extract(noise.astype(np.float32) / 255, crop)
    # Blocks that are averaged first keep the photo's codes.
    assert found.dtype == np.float32 and np.abs(found - wanted).max() < (2e-5 if scale > 0.25 else 1.1 / 255)
    assert np.abs(extract(noise, crop) / 255 - wanted).max() > 1e-3


def test_a_crop_of_a_large_photo_moves_smoothly(rng):
    """A hundredth of a photo's pixel changes little of what is seen, wherever the crop's window begins."""
    noise = rng.integers(0, 256, (900, 800, 3), dtype=np.uint8)
    images = []
    for shift in np.arange(0, 2, 0.01):
        matrix = similarity(0.3, 0.07, 0.07 * shift - 8, 0.07 * shift - 20).astype(np.float32)
        crop = FaceCrop(matrix, 24, (900, 800), Face(np.zeros((478, 3), np.float32), 1.0))
        images.append(extract_float(noise, crop))
    steps = np.abs(np.diff(images, axis=0)).max(axis=(1, 2, 3))
    assert steps.min() > 0.01 / 255 and steps.max() < 0.2 / 255


def test_outside_the_photo_its_mirror_image_is_seen():
    photo = np.tile(np.arange(64, dtype=np.float32)[None, :, None], (64, 1, 3)) / 64
    crop = FaceCrop(
        np.array([[1, 0, 20], [0, 1, 0]], np.float32), 64, (64, 64), Face(np.zeros((478, 3), np.float32), 1.0)
    )
    row = extract(photo, crop)[30, :, 0]
    np.testing.assert_allclose(row[20 - 7], photo[30, 7, 0], rtol=0, atol=1e-5)


def test_coinciding_points_give_no_crop():
    with pytest.raises(InputError, match="coincide"):
        alignment(np.zeros((68, 2)), 128)
