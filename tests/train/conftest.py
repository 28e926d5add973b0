from pathlib import Path

import numpy as np
import pytest

from ellipsoids import ellipsoids
from illures.data.cache import SampleCache, build_cache


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache") / "ellipsoids"
    build_cache(ellipsoids(40), folder, np.zeros_like, "ellipsoids")
    return folder


@pytest.fixture
def cache(cache_folder: Path) -> SampleCache:
    return SampleCache([cache_folder])
