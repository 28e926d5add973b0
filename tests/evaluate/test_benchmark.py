"""The registry and the docs name the same things as the code."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from fake_network import middle_face
from illures.errors import InputError
from illures.evaluate.benchmark import BENCHMARKS, FIGURES, Estimate, Item, Truth, load_benchmark
from illures.evaluate.scoring import drift, eye_boxes, score_colour, score_maps, score_reconstruction

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def test_every_benchmark_can_be_opened_and_is_documented():
    text = DOCS.read_text()
    for name, module in BENCHMARKS.items():
        assert callable(import_module(module).load)
        assert f"| `{name}` |" in text


def test_every_figure_is_registered_and_documented(rng):
    normal = rng.normal(size=(8, 8, 3))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    light = rng.random((9, 3))
    everything = Estimate(normal, rng.random((8, 8, 3)), light, rng.random((8, 8, 3)))
    truth = Truth(np.ones((8, 8), bool), normal, rng.random((8, 8, 3)), light, rng.random((8, 8, 3)))
    item = Item("a", "b", rng.uniform(0.2, 0.8, (8, 8, 3)), middle_face(8, 8), truth)
    score = score_maps(everything, item)
    found = {
        *score.figures,
        *drift([score.kept] * 2),
        *score_colour(everything, item),
        *score_reconstruction(everything, item.photo, truth.mask),
    }
    assert len(found) > 20 and found <= set(FIGURES)
    text = DOCS.read_text()
    assert [name for name in FIGURES if f"`{name}`" not in text] == []


def test_unknown_names_and_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="benchmark 'faces': must be one of photoface, yaleb"):
        load_benchmark("faces", tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        load_benchmark("photos", tmp_path / "gone")


def test_a_method_that_says_nothing_has_no_figures(rng):
    truth = Truth(np.ones((4, 4), bool), normal=np.zeros((4, 4, 3)))
    score = score_maps(Estimate(), Item("a", "b", np.zeros((4, 4, 3)), middle_face(4, 4), truth))
    assert score.figures == {} and score.histogram is None and score.pixels == 16
    assert drift([score.kept, score.kept]) == {}


def test_an_error_at_the_eyes_counts_there(rng):
    face = middle_face(96, 96)
    boxes = eye_boxes(face.landmarks, (96, 96))
    assert 0 < boxes.mean() < 0.5
    normal = np.broadcast_to(np.array([0.0, 0, 1]), (96, 96, 3))
    turned = np.where(boxes[..., None], [np.sin(0.5), 0, np.cos(0.5)], normal)
    item = Item("a", "b", np.zeros((96, 96, 3)), face, Truth(np.ones((96, 96), bool), normal))
    figures = score_maps(Estimate(turned), item).figures
    assert figures["normal_eyes_deg"] == pytest.approx(np.rad2deg(0.5))
    assert figures["normal_deg"] == pytest.approx(np.rad2deg(0.5) * boxes.mean())


def test_pixels_outside_a_methods_mask_are_scored_but_not_covered(rng):
    normal = np.broadcast_to(np.array([0.0, 0, 1]), (8, 8, 3))
    item = Item("a", "b", np.zeros((8, 8, 3)), middle_face(8, 8), Truth(np.ones((8, 8), bool), normal))
    mask = np.zeros((8, 8))
    mask[:, :2] = 1
    figures = score_maps(Estimate(normal, mask=mask), item).figures
    assert figures["coverage_pct"] == 25 and figures["normal_deg"] == 0
