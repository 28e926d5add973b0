"""The shipped weights give the same maps: on every run, from many threads, and nearly on every kind of CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import stored_figures
from illures import Decomposer
from illures.decompose.photo_maps import photo_maps
from illures.faces.network import Network
from illures.io.formats import Format
from illures.io.photos import read_photo
from illures.model.predictor import Prediction, Predictor
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


def test_what_was_in_memory_before_does_not_matter(tmp_path: Path) -> None:
    """Filled with garbage when it is taken and given back, by Python and by C; maps and relit photos are the same."""
    small = cv2.resize(PHOTO, (320, 320), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(tmp_path / "a.png"), small[..., ::-1])
    found = []
    for number, fill in enumerate(({}, {"MALLOC_PERTURB_": "90", "PYTHONMALLOC": "debug"})):
        out = tmp_path / f"out-{number}"
        for words in (["decompose", "-o", out], ["relight", "--light", "rim", "-o", out / "relit.png"]):
            command = [sys.executable, "-m", "illures", words[0], tmp_path / "a.png", *words[1:]]
            subprocess.run(command, env=os.environ | fill, check=True, capture_output=True, timeout=600)
        found.append({str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()})
    assert "relit.png" in found[0] and "a/albedo.png" in found[0]
    assert found[1].keys() == found[0].keys()
    assert [name for name, data in found[0].items() if found[1][name] != data] == []


@pytest.mark.parametrize("seed", range(2))
def test_the_last_bits_of_a_network_decide_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks differ from CPU to CPU by about 1e-6: no map moves by 0.1/255, and no code of a file by more than one.

    The residual of a file is the photo minus the product of two codes: where both move by one, it may by two. Crops of
    8 bits failed here by 2/255, as landmarks that move by 1e-4 pixels make another code of some of their pixels.
    """
    decomposer, format = Decomposer.from_pretrained(FAST), Format("png")
    (face,) = decomposer(PHOTO)
    maps = photo_maps(PHOTO, [face], format)
    rng = np.random.default_rng(seed)

    def noisy(values: np.ndarray) -> np.ndarray:
        return (values * (1 + 1e-6 * rng.standard_normal(values.shape))).astype(np.float32)

    def small(self: Network, image: np.ndarray, run: Any = Network.__call__) -> list[np.ndarray]:
        return [noisy(values) for values in run(self, image)]

    def large(self: Predictor, *inputs: np.ndarray, run: Any = Predictor.__call__) -> list[Prediction]:
        return [Prediction(**{name: noisy(values) for name, values in vars(one).items()}) for one in run(self, *inputs)]

    monkeypatch.setattr(Network, "__call__", small)
    monkeypatch.setattr(Predictor, "__call__", large)
    (other,) = decomposer(PHOTO)
    assert not np.array_equal(other.crop.matrix, face.crop.matrix) and not np.array_equal(other.albedo, face.albedo)
    for name in (*stored_figures.MAPS, "mask"):
        assert np.abs(getattr(other, name) - getattr(face, name)).max() < 0.1 / 255, name
    others = photo_maps(PHOTO, [other], format)
    for each in ("albedo", "normal", "shading", "residual", "mask", "matte"):
        off = np.abs(maps.take(each).astype(int) - others.take(each)).max()
        assert off <= (2 if each == "residual" else 1), each


@pytest.mark.parametrize("name", stored_figures.shipped())
def test_stored_figures_hold_on_any_cpu(name: str) -> None:
    stored = json.loads(stored_figures.STORED.read_text()).get(name, {})
    assert stored.get("hash") == stored_figures.shipped()[name], "the weights have changed: run `make figures`"
    for each, means in stored_figures.measured(name).items():
        np.testing.assert_allclose(means, stored["means"][each], rtol=0, atol=1 / 255, err_msg=each)
