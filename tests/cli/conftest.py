"""Two small photos, and a network that needs no weights."""

from pathlib import Path

import numpy as np
import pytest

from fake_network import FakePredictor, find_middle
from illures import Decomposer, save_image


@pytest.fixture
def fake_weights(monkeypatch):
    made = classmethod(lambda cls, path=None, size=None: Decomposer(FakePredictor(), size, find_middle))
    monkeypatch.setattr(Decomposer, "from_pretrained", made)


@pytest.fixture
def photos(tmp_path, rng) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.jpg", "b.png"):
        save_image(folder / name, rng.random((90, 120, 3), np.float32))
    return folder
