"""A whole tiny training, from rendering heads to weights that run: it must beat the mean face on people not seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from illures.data.shards import read_shards, shard_paths
from illures.data.synthetic import guide_in
from illures.faces import crop_context
from illures.math.color import linear_to_srgb
from illures.math.normals import angular_error_deg, normalize
from illures.model import Predictor
from illures.synth.generate import generate
from illures.synth.sets import Recipe
from illures.train.run import run
from illures.types import Sample

SET = Recipe(
    identities=24,
    expressions=1,
    lights=2,
    size=64,
    samples=24,
    yaw_sigma_deg=14,
    accessories=0.0,
    occluders=0.0,
    identities_per_shard=8,
    seed=5,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    """One set for training, one of other people for testing."""
    root = tmp_path_factory.mktemp("sets")
    generate(SET, root / "train", workers=1)
    generate(replace(SET, identities=8, seed=6), root / "test", workers=1)
    return root / "train", root / "test"


def mean_face(samples: list[Sample]) -> np.ndarray:
    """The mean normal of each pixel over the training set."""
    return normalize(sum(s.normal * s.mask[..., None] for s in samples) + [0, 0, 1e-3])


def test_a_tiny_training_beats_the_mean_face(folders, tmp_path):
    train, test = folders
    predictor = Predictor.from_pretrained(run("tiny", [train], tmp_path / "run"))
    baseline = mean_face(list(read_shards(shard_paths(train))))
    found, dummy, albedo, flat = [], [], [], []
    for sample in read_shards(shard_paths(test)):
        image = np.clip(linear_to_srgb(sample.image), 0, 1).astype(np.float32)
        prediction = predictor(image[None], guide_in(image)[None], crop_context(image)[None])[0]
        mask = sample.mask
        found.append(angular_error_deg(prediction.normal[mask], sample.normal[mask]).mean())
        dummy.append(angular_error_deg(baseline[mask], sample.normal[mask]).mean())
        albedo.append(np.abs(prediction.albedo - sample.albedo)[mask].mean())
        flat.append(np.abs(0.25 - sample.albedo)[mask].mean())
    print(f"normals {np.mean(found):.1f} deg, mean face {np.mean(dummy):.1f} deg; albedo {np.mean(albedo):.3f}")
    assert np.mean(found) < 0.85 * np.mean(dummy)
    assert np.mean(albedo) < np.mean(flat)
