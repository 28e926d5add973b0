"""A few hundred damaged files of fixed seeds: read or refused by a clear error, nothing else. More: `make fuzz`."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from fuzz.corpus import FILES, whole
from fuzz.damage import DAMAGES, case
from fuzz.run import MOST_MB, attempt, read

SEEDS = len(FILES) * len(DAMAGES)


# Those that are refused even whole: no real weights, bits and floats that no decoder here reads.
REFUSED = ("weights.safetensors", "photo.12.jpg", "photo.float.tif", "photo.lzw.tif")


@pytest.mark.parametrize("name", [name for name in FILES if name not in REFUSED])
def test_the_whole_file_is_read(tmp_path: Path, name: str) -> None:
    """Else damages would be of files that are refused anyway."""
    path = tmp_path / name
    path.write_bytes(whole(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read(name, path)


def test_damaged_files_are_read_or_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcomes = [attempt(seed, tmp_path) for seed in range(SEEDS)]
    bad = [o for o in outcomes if o.kind not in ("fine", "error") or o.seconds > 10 or o.peak_mb > 2 * MOST_MB]
    assert not bad, "\n".join(f"seed {o.seed} {o.name} {o.damage}: {o.words}" for o in bad)
    assert sum(o.kind == "error" for o in outcomes) > SEEDS / 4
    assert {o.name for o in outcomes} == set(FILES)


def test_a_seed_is_always_the_same_file() -> None:
    assert all(case(seed) == case(seed) for seed in range(len(FILES)))
