"""Shapes and types in signatures are checked while testing; fixtures shared by the modules."""

import os
import sys
import types

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: pools of threads that wait for each other would take many times as long.
    os.environ["OMP_NUM_THREADS"] = "1"

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

# As PEP 484 has it, an int will do where a float is asked for. The hook takes its checker by name only.
checker = types.ModuleType("illures_test_checker")
checker.check = beartype(conf=BeartypeConf(is_pep484_tower=True))
sys.modules[checker.__name__] = checker
install_import_hook("illures", f"{checker.__name__}.check")

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
