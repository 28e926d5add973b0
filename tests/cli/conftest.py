"""Two small photos, and a network that needs no weights."""

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fake_network import FakePredictor, find_middle
from illures import Decomposer, save_image


@pytest.fixture(autouse=True)
def plain_signals() -> Iterator[None]:
    """As a shell starts a command; what ran before in this process, as Ray, may have left handlers of its own."""
    plain = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in plain.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)


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
