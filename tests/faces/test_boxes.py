"""Overlaps of boxes, by counting pixels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from illures.faces.boxes import are_double, area, intersection, overlap
from illures.types import Face

corner = st.integers(0, 12)


def painted(box: np.ndarray) -> np.ndarray:
    canvas = np.zeros((32, 32), bool)
    canvas[box[1] : box[3], box[0] : box[2]] = True
    return canvas


@given(st.tuples(*[corner] * 8))
def test_overlap_is_the_share_of_common_pixels(numbers):
    a, b = (np.array([x, y, x + 1 + w, y + 1 + h]) for x, y, w, h in (numbers[:4], numbers[4:]))
    in_a, in_b = painted(a), painted(b)
    a, b = a.astype(float), b.astype(float)
    assert area(a) == in_a.sum() and intersection(a, b) == (in_a & in_b).sum()
    assert overlap(a, b) == overlap(b, a) == (in_a & in_b).sum() / (in_a | in_b).sum()


def test_a_small_face_within_a_large_one_is_a_double(rng):
    def face(low: float, high: float) -> Face:
        points = rng.uniform(low, high, (478, 3)).astype(np.float32)
        points[0, :2], points[1, :2] = low, high
        return Face(points, 1.0)

    large, small, beside = face(0, 100), face(20, 40), face(95, 150)
    assert are_double(large, small, 0.5) and are_double(small, large, 0.5)
    assert not are_double(large, beside, 0.5)
