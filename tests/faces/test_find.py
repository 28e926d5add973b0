"""Detection and landmarks on one real face, moved, turned, shrunk, doubled, cut."""

import cv2
import numpy as np
import pytest
import skimage.data

from illures.cli.options import FaceOptions
from illures.faces import crop_face, extract, find_face_in_crop, find_faces, landmarks, points68, to_crop, width_of
from illures.types import Face


def turned(photo: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The photo turned about its centre, and the matrix that did it."""
    side = photo.shape[0]
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), degrees, 1.0)
    return cv2.warpAffine(photo, matrix, (side, side), borderMode=cv2.BORDER_REFLECT), matrix


def eye_distance(landmarks: np.ndarray) -> float:
    points = points68(landmarks)[:, :2]
    return float(np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0)))


def test_one_face_is_found_where_it_is(face, astronaut):
    assert len(find_faces(astronaut)) == 1
    points = points68(face.landmarks)[:, :2]
    # Read off the picture by eye: pupils near (198, 112) and (243, 112), mouth near (222, 162).
    np.testing.assert_allclose(points[36:48].mean(0), [221, 112], rtol=0, atol=10)
    assert points[48:60, 1].mean() > 140 and face.score > 0.9


@pytest.mark.parametrize("degrees", [-45, -20, 20, 45, 90, 180])
def test_turning_the_photo_turns_the_landmarks(face, astronaut, degrees):
    photo, matrix = turned(astronaut, degrees)
    found = find_faces(photo)
    assert len(found) == 1
    expected = face.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    error = np.linalg.norm(found[0].landmarks[:, :2] - expected, axis=1).mean()
    assert error < 0.06 * eye_distance(face.landmarks)


def test_shifting_the_photo_shifts_the_landmarks(face, astronaut):
    found = find_faces(np.roll(astronaut, (37, 23), axis=(0, 1)))
    error = np.linalg.norm(found[0].landmarks[:, :2] - face.landmarks[:, :2] - [23, 37], axis=1).mean()
    assert error < 0.03 * eye_distance(face.landmarks)


def test_a_small_face_in_a_large_photo(astronaut):
    """A face of 64 px at the edge of a photo of 2400 × 1600."""
    photo = np.full((1600, 2400, 3), 90, np.uint8)
    photo[1280:1580, 2080:2380] = cv2.resize(astronaut, (300, 300), interpolation=cv2.INTER_AREA)
    found = find_faces(photo)
    assert len(found) == 1
    assert 2080 < found[0].landmarks[:, 0].mean() < 2380


def test_the_moon_beside_a_person_is_no_face(astronaut, monkeypatch):
    """Detector and landmarks find one there, the segmenter of people nobody."""
    photo = np.concatenate([astronaut, np.repeat(skimage.data.moon()[..., None], 3, axis=-1)])
    found = find_faces(photo, least=0.2)
    assert [face.landmarks[:, 1].mean() < 512 for face in found] == [True]
    monkeypatch.setattr(landmarks, "NOBODY", 0.0)
    assert len(find_faces(photo, least=0.2)) == 2


def test_a_face_that_fills_the_photo_is_believed(face, astronaut, monkeypatch):
    """The segmenter may see nobody in it, as it is used to whole heads."""
    monkeypatch.setattr(landmarks, "person_share", lambda photo, crop: 0.0)
    assert len(find_faces(astronaut)) == 1


def test_two_faces_side_by_side(astronaut):
    found = find_faces(np.concatenate([astronaut, astronaut[:, ::-1]], axis=1))
    assert len(found) == 2
    assert sorted(f.landmarks[:, 0].mean() > 512 for f in found) == [False, True]


def test_a_face_that_fills_the_frame(astronaut):
    assert len(find_faces(astronaut[60:195, 165:280])) == 1


def test_a_dark_face(astronaut):
    assert len(find_faces((astronaut * 0.12).astype(np.uint8))) == 1


def test_nothing_is_found_where_nothing_is(rng):
    assert find_faces(np.full((400, 500, 3), 128, np.uint8)) == []
    assert find_faces(rng.integers(0, 256, (300, 300, 3), dtype=np.uint8)) == []


def test_an_aligned_crop_needs_no_detector(face, astronaut):
    crop = crop_face(face, astronaut.shape[:2], 128)
    found = find_face_in_crop(extract(astronaut, crop))
    assert found is not None
    error = np.linalg.norm(found.landmarks[:, :2] - to_crop(face.landmarks, crop)[:, :2], axis=1).mean()
    assert error < 0.03 * eye_distance(to_crop(face.landmarks, crop))
    assert find_face_in_crop(np.full((128, 128, 3), 128, np.uint8)) is None


def test_float_and_byte_photos_give_the_same(face, astronaut):
    found = find_faces((astronaut / 255).astype(np.float32))
    np.testing.assert_allclose(found[0].landmarks, face.landmarks, rtol=0, atol=1e-3)


def test_width_and_score_choose(face, astronaut):
    wide = width_of(face)
    assert len(FaceOptions(min_face=wide - 5).finder()(astronaut)) == 1
    assert not FaceOptions(min_face=wide + 5).finder()(astronaut)
    assert not FaceOptions(min_score=0.5 + face.score / 2).finder()(astronaut)


def test_a_low_score_finds_what_a_high_one_leaves_out(face, astronaut):
    """Almost in the dark (codes up to 6), the detector gives this face 0.23: far from both scores."""
    dark = np.round(astronaut * 0.025).astype(np.uint8)
    assert find_faces(dark) == []
    assert _is_among(face, find_faces(dark, least=0.1))


@pytest.mark.parametrize("light", [1, 0.05, 0.035, 0.025])
def test_a_lower_score_loses_no_face(face, astronaut, light):
    dark = np.round(astronaut * light).astype(np.uint8)
    high, middle, low = (find_faces(dark, least=least) for least in (0.5, 0.2, 0.1))
    assert len(high) == (light > 0.03)
    assert all(_is_among(one, middle) for one in high)
    assert middle and all(_is_among(one, low) for one in middle)


def _is_among(face: Face, faces: list[Face]) -> bool:
    """Whether one of them is in the same place."""
    away = [np.linalg.norm((one.landmarks - face.landmarks)[:, :2].mean(0)) for one in faces]
    return min(away, default=np.inf) < 0.1 * eye_distance(face.landmarks)
