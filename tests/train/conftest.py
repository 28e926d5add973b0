from pathlib import Path

import numpy as np
import pytest
import torch

from ellipsoids import ellipsoids
from illures.data.cache import SampleCache
from illures.data.caching import build_cache


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache") / "ellipsoids"
    build_cache(ellipsoids(40), folder, np.zeros_like, "ellipsoids")
    return folder


@pytest.fixture
def one_thread():
    """For what is compared to the last bits: sums depend on how they are split."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def cache(cache_folder: Path) -> SampleCache:
    return SampleCache([cache_folder])
