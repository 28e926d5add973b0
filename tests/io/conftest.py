"""A picture to write and read."""

import numpy as np
import pytest


@pytest.fixture
def picture() -> np.ndarray:
    """40 x 60, smooth enough for lossy files, different at all four corners."""
    y, x = np.mgrid[:40, :60].astype(np.float32)
    return np.stack([x / 59, y / 39, (x + 2 * y) / 137], axis=-1)
