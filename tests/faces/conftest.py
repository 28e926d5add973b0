import numpy as np
import pytest
from skimage import data

from illures.faces import find_faces
from illures.types import Face


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """NASA's portrait of Eileen Collins, 512 × 512, one frontal face of about 110 px."""
    return data.astronaut()


@pytest.fixture(scope="session")
def face(astronaut: np.ndarray) -> Face:
    return find_faces(astronaut)[0]
