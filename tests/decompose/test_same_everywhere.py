"""The shipped weights give the same maps: on every run, from many threads, and nearly on every kind of CPU."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import stored_figures
from illures import Decomposer
from illures.io.photos import read_photo
from illures.model.weights import FAST

PHOTO = read_photo(stored_figures.PHOTO)


def maps_of(decomposer: Decomposer, photo: np.ndarray) -> list[bytes]:
    (face,) = decomposer(photo)
    return [np.ascontiguousarray(getattr(face, name)).tobytes() for name in stored_figures.MAPS]


def test_two_runs_give_the_same_bytes() -> None:
    first, second = (maps_of(Decomposer.from_pretrained(), PHOTO) for _ in range(2))
    assert first == second


def test_threads_that_share_a_decomposer_give_the_bytes_that_one_gives() -> None:
    """Each of two photos in turn, so that mixed-up buffers show."""
    photos = [PHOTO, np.ascontiguousarray(PHOTO[:300, 60:400, ::-1])]
    decomposer = Decomposer.from_pretrained(FAST)
    alone = [maps_of(decomposer, photo) for photo in photos]
    assert alone[0] != alone[1]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda k: maps_of(decomposer, photos[k % 2]), range(24)))
    assert all(found == alone[k % 2] for k, found in enumerate(together))


@pytest.mark.parametrize("name", stored_figures.shipped())
def test_stored_figures_hold_on_any_cpu(name: str) -> None:
    stored = json.loads(stored_figures.STORED.read_text()).get(name, {})
    assert stored.get("hash") == stored_figures.shipped()[name], "the weights have changed: run `make figures`"
    for each, means in stored_figures.measured(name).items():
        np.testing.assert_allclose(means, stored["means"][each], rtol=0, atol=1 / 255, err_msg=each)
