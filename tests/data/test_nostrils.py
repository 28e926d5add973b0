"""Normals across nostrils: floors of pockets go, everything else stays."""

from __future__ import annotations

import numpy as np
import pytest

from illures.data.nostrils import stretched
from illures.faces.atlas import canonical_points
from illures.faces.regions import NOSTRILS

SIZE = 128
FORWARD, DOWN, UP = (np.array(v) / np.linalg.norm(v) for v in ([0, 0, 1.0], [0, -0.7, 0.7], [0, 0.7, 0.7]))


def landmarks() -> np.ndarray:
    """A head that looks into the camera, in a map of `SIZE` pixels, with its ten points of irises at the origin."""
    points = canonical_points()
    points = points * (0.8 * SIZE / np.ptp(points[:, 1])) * [1, -1, 1] + [SIZE / 2, SIZE / 2, 0]
    return np.concatenate([points, np.zeros((10, 3))]).astype(np.float32)


def nose(rim: bool = True) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """A map that faces the camera, with a floor in each nostril under a rim; and the floors' pixels."""
    normal, floors = np.tile(FORWARD, (SIZE, SIZE, 1)).astype(np.float32), []
    for ring in NOSTRILS:
        x, y = np.round(landmarks()[list(ring), :2].mean(0)).astype(int)
        if rim:
            normal[y - 2 : y, x - 2 : x + 3] = DOWN
        normal[y, x - 1 : x + 2] = UP
        floors += [(y, column) for column in range(x - 1, x + 2)]
    return normal, floors


def skin() -> np.ndarray:
    return np.ones((SIZE, SIZE), bool)


def test_a_floor_under_a_rim_faces_down_as_the_rim_does() -> None:
    normal, floors = nose()
    found = stretched(normal, landmarks(), skin())
    for place in floors:
        np.testing.assert_allclose(found[place], DOWN, rtol=0, atol=0.02)
    changed = np.argwhere((found != normal).any(axis=-1))
    distance = [min(np.hypot(*(place - np.array(floor))) for floor in floors) for place in changed]
    assert max(distance) < 2  # the floor, and one pixel of its edge
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", ["no rim above", "a hand before it", "another place"])
def test_everything_else_stays(case: str) -> None:
    normal, _ = nose(rim=case != "no rim above")
    points, seen = landmarks(), skin() & (case != "a hand before it")
    if case == "another place":
        points[:, :2] += [0, 60]
    assert stretched(normal, points, seen) is normal


def test_landmarks_outside_the_map_change_nothing() -> None:
    normal, _ = nose()
    for shift in ([500, 0, 0], [0, -500, 0]):
        assert stretched(normal, landmarks() + np.float32(shift), skin()) is normal
