"""A few hundred damaged files of fixed seeds: read or refused by a clear error, nothing else. More: `make fuzz`."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from fuzz.corpus import FILES, whole
from fuzz.damage import DAMAGES, case
from fuzz.readers import read
from fuzz.run import MOST_MB, attempt
from illures.errors import InputError
from illures.io.photos import open_photo

SEEDS = len(FILES) * len(DAMAGES)


# Those that are refused even whole: bits and floats that no decoder here reads, links that nobody follows.
REFUSED = ("photo.12.jpg", "photo.float.tif", "photo.lzw.tif", "photos.links.tar")


@pytest.mark.parametrize("name", [name for name in FILES if name not in REFUSED])
def test_the_whole_file_is_read(tmp_path: Path, name: str) -> None:
    """Else damages would be of files that are refused anyway."""
    path = tmp_path / name
    path.write_bytes(whole(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read(name, path)


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("photo.") and name not in REFUSED])
def test_a_photo_that_ends_early_is_refused_or_said(tmp_path: Path, name: str) -> None:
    """Unless what is missing is none of its pixels: further pictures, or the end of the file."""
    data, path = whole(name), tmp_path / name
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixels = open_photo(path).photo
    for part in np.linspace(0.02, 0.995, 40):
        path.write_bytes(data[: int(part * len(data))])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                found = open_photo(path).photo
            except InputError:
                continue
        said = any("ends too early" in str(warning.message) for warning in caught)
        assert said or np.array_equal(found, pixels), f"{part:.3f} of the file"


def test_damaged_files_are_read_or_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcomes = [attempt(seed, tmp_path) for seed in range(SEEDS)]
    bad = [o for o in outcomes if o.kind not in ("fine", "error") or o.seconds > 10 or o.peak_mb > 2 * MOST_MB]
    assert not bad, "\n".join(f"seed {o.seed} {o.name} {o.damage}: {o.words}" for o in bad)
    assert sum(o.kind == "error" for o in outcomes) > SEEDS / 4
    assert {o.name for o in outcomes} == set(FILES)


def test_a_seed_is_always_the_same_file() -> None:
    assert all(make() == whole(name) for name, make in FILES.items())
    assert all(case(seed) == case(seed) for seed in range(len(FILES)))
