"""Draws of accessories without what takes long to paint."""

import numpy as np
import pytest

from illures.synth.accessories import outfit


@pytest.fixture
def unpainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """All people share one hat, beard, lock and lashes, and have no shells of hair; how often they have them stays."""
    rng, hair = np.random.default_rng(0), np.zeros(3)
    shared = {
        "random_hat": outfit.random_hat(rng),
        "random_beard": outfit.random_beard(rng, hair),
        "random_lock": outfit.random_lock(rng, hair),
        "lash_texture": outfit.lash_texture(rng, 1.0),
        "under": None,
        "hair_shells": (),
    }
    for name, made in shared.items():
        monkeypatch.setattr(outfit, name, lambda *_, made=made: made)
