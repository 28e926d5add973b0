"""Tracking: a face keeps its number while it moves, new ones get new numbers, none is followed twice."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from illures.faces import find_faces, points68
from illures.faces.track import EVERY_EMPTY, FaceTracker

SIZE = (240, 320)
PLACE = (221.0, 130.0)  # of the face in the photo


def seen(photo: np.ndarray, x: float, y: float, zoom: float = 0.6, roll_deg: float = 0.0) -> np.ndarray:
    """A frame with the photo's face at (x, y)."""
    matrix = cv2.getRotationMatrix2D(PLACE, roll_deg, zoom)
    matrix[:, 2] += np.array([x, y]) - PLACE
    return cv2.warpAffine(photo, matrix, SIZE[::-1], flags=cv2.INTER_AREA, borderValue=(90, 90, 90))


def two(photo: np.ndarray, x: float) -> np.ndarray:
    """A face at image left, and its mirror image at (x, 120)."""
    frame = seen(photo, 70, 120, 0.55)
    mirrored = seen(photo, SIZE[1] - 1 - x, 120, 0.55)[:, ::-1]
    frame[:, 150:] = mirrored[:, 150:]
    return frame


@pytest.fixture(scope="module")
def blank() -> np.ndarray:
    return np.full((*SIZE, 3), 90, np.uint8)


def test_a_moving_face_keeps_its_number_and_is_where_the_detector_finds_it(astronaut) -> None:
    tracker = FaceTracker(every=1000)
    for k in range(12):
        frame = seen(astronaut, 100 + 12 * k, 110 + 3 * k, 0.6 + 0.02 * k, 4.0 * k)
        (tracked,) = tracker(frame)
        assert tracked.track == 0
    alone = find_faces(frame)[0]
    distance = np.linalg.norm(points68(tracked.face.landmarks)[:, :2] - points68(alone.landmarks)[:, :2], axis=1)
    assert distance.mean() < 0.02 * np.ptp(alone.landmarks[:, :2], axis=0).max()


def test_following_needs_no_detector(astronaut, monkeypatch) -> None:
    from illures.faces import track

    tracker = FaceTracker()
    tracker(seen(astronaut, 160, 120))
    monkeypatch.setattr(track, "detect", None)
    monkeypatch.setattr(track, "find_faces", None)
    for k in range(1, 5):
        assert [t.track for t in tracker(seen(astronaut, 160 + 3 * k, 120))] == [0]


def test_two_faces_have_two_numbers_the_larger_first(astronaut) -> None:
    tracker = FaceTracker(smallest=40)
    before = None
    for x in (230, 233, 236):
        tracked = tracker(two(astronaut, x))
        assert sorted(t.track for t in tracked) == [0, 1]
        sizes = [np.ptp(t.face.landmarks[:, :2], axis=0).max() for t in tracked]
        assert sizes == sorted(sizes, reverse=True)
        places = {t.track: t.face.landmarks[:, 0].mean() > 150 for t in tracked}
        assert len(set(places.values())) == 2
        assert before in (None, places)
        before = places


def test_a_newcomer_is_found_at_the_next_search(astronaut) -> None:
    tracker = FaceTracker(smallest=40, every=3)
    alone = two(astronaut, 230)
    alone[:, 150:] = 90
    counts = [len(tracker(alone))] + [len(tracker(two(astronaut, 230))) for _ in range(4)]
    assert counts == [1, 1, 1, 2, 2]


def test_a_short_loss_keeps_the_number_a_long_one_does_not(astronaut, blank) -> None:
    tracker, face = FaceTracker(), seen(astronaut, 160, 120)
    assert [t.track for t in tracker(face)] == [0]
    assert tracker(blank) == []
    back = [tracker(face) for _ in range(EVERY_EMPTY)]
    assert [t.track for t in back[-1]] == [0]
    for _ in range(20):
        assert tracker(blank) == []
    back = [tracker(face) for _ in range(EVERY_EMPTY)]
    assert [t.track for t in back[-1]] == [1]


def test_after_a_cut_numbers_are_new(astronaut) -> None:
    tracker, face = FaceTracker(), seen(astronaut, 160, 120)
    tracker(face)
    tracker.reset()
    assert [t.track for t in tracker(face)] == [1]


def test_two_tracks_on_one_face_become_one(astronaut) -> None:
    """The faces come together in one jump: what was the second face shows the first one, too."""
    tracker = FaceTracker(smallest=40, every=1000)
    assert len(tracker(two(astronaut, 230))) == 2
    single = seen(astronaut, 110, 120, 0.8)
    for _ in range(3):
        assert len(tracker(single)) == 1
