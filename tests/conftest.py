"""Shapes and types in signatures are checked while testing; fixtures shared by the modules."""

from jaxtyping import install_import_hook

install_import_hook("illures", "beartype.beartype")

import numpy as np  # noqa: E402
import pytest  # noqa: E402


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def unit_vectors(rng: np.random.Generator) -> np.ndarray:
    """500 directions spread over the whole sphere."""
    vectors = rng.standard_normal((500, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
