"""Shared by the tests of methods."""

import cv2
import numpy as np
import pytest

from balls import SIZE
from fake_network import middle_face
from illures.evaluate.methods.query import Query


@pytest.fixture(scope="module")
def query() -> Query:
    """A photo of smooth noise with a face in its middle."""
    rng = np.random.default_rng(0)
    photo = cv2.GaussianBlur(rng.uniform(0.1, 0.9, (SIZE, SIZE, 3)).astype(np.float32), (0, 0), 3)
    face = middle_face(SIZE, SIZE)
    return Query(photo, face, face)
