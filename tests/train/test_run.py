"""From shards and frames of videos to weights, as `illures train` does it."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from ellipsoids import ellipsoids
from illures.cli import main
from illures.data.frames import FrameRecord, frame_shard_bytes
from illures.data.shards import ViewRecord, write_shard
from illures.errors import InputError
from illures.faces.pose import HeadPose
from illures.math.color import linear_to_srgb
from illures.model import Predictor, read_weights
from illures.train.run import run

RECIPE = """
align = "warp"
batch = 16
warmup = 16
validate = 32
held_out = 0.3
checkpoint = 16
panel = 32
[network]
form = "compact"
size = 32
guide = true
width = 8
residual_width = 32
residual_blocks = 1
[[stages]]
kind = "pairs"
images = 16
[[stages]]
kind = "all"
images = 32
real = 0.5
"""


@pytest.fixture
def shards(tmp_path) -> Path:
    """Views of ellipsoids, each under the light of its sample."""
    samples = list(ellipsoids(24))
    views = [
        (
            f"{k:04d}",
            ViewRecord(
                s.albedo, s.normal, s.mask, s.region, s.landmarks, (s.image,), (s.light,), (s.lighting,), *ids(s)
            ),
        )
        for k, s in enumerate(samples)
    ]
    (tmp_path / "set").mkdir()
    write_shard(tmp_path / "set" / "shard-000000.tar", views)
    return tmp_path / "set"


def ids(sample) -> tuple[int, int, int, int]:
    return sample.identity, sample.expression, sample.pose, sample.seed


@pytest.fixture
def frames(tmp_path) -> Path:
    """The same as frames of four clips."""
    folder = tmp_path / "frames"
    folder.mkdir()
    records = [
        FrameRecord(
            (linear_to_srgb(s.image).clip(0, 1) * 255).astype(np.uint8),
            s.mask,
            s.landmarks,
            f"clip{s.identity}",
            k,
            k / 25,
            0,
            f"person{s.identity}",
            HeadPose(0, 0, 0),
            *(1.0, 100.0, 1.0, 0.0, 0.0),
        )
        for k, s in enumerate(ellipsoids(16))
    ]
    (folder / "clips.tar").write_bytes(frame_shard_bytes(records))
    return folder


@pytest.fixture
def recipe(tmp_path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


def test_shards_and_frames_become_weights(shards, frames, recipe, tmp_path, capsys):
    out = tmp_path / "run"
    weights = run(recipe, [shards], out, videos=[frames])
    said = capsys.readouterr().err.splitlines()  # where there is no terminal: each stage, and each validation
    stages = [line.split(",")[0] for line in said if line.startswith(("samples to cache: ", "images: "))]
    assert stages[:2] == ["samples to cache: 0", "samples to cache: 24"] and re.match(r"images: 0 of \d+", stages[2])
    assert any(re.match(r"images: \d+ of \d+, .*; .*held out: .*score", line) for line in said)
    last = re.match(r"images: (\d+) of (\d+), ", [line for line in said if line.startswith("images")][-1])
    assert last and last[1] == last[2]
    assert weights == out / "weights.safetensors" and (out / "checkpoint.safetensors").exists()
    info = read_weights(weights).info
    assert info.data.startswith("24 renders") and info.data.endswith(
        "16 frames of 4 people in videos, 4 clips of no known licence"
    )
    assert {"validation_normal_deg", "validation_video_drift", "validation_score"} <= set(info.metrics)
    maps = Predictor.from_pretrained(weights)(
        *(np.zeros(shape, np.float32) for shape in [(1, 32, 32, 3), (1, 32, 32, 3), (1, 32, 32, 4)])
    )
    assert maps[0].albedo.shape == (32, 32, 3)
    before = weights.read_bytes()
    assert run(recipe, [shards], out, videos=[frames]).read_bytes() == before  # nothing is left to do


def test_what_a_recipe_with_pairs_needs(shards, frames, recipe, tmp_path):
    with pytest.raises(InputError, match="--videos"):
        run(recipe, [shards], tmp_path / "run")
    recipe.write_text(RECIPE.replace('"warp"', '"alignnet"'))
    with pytest.raises(InputError, match="--align"):
        run(recipe, [shards], tmp_path / "run", videos=[frames])
    with pytest.raises(InputError, match="illures-pre.*--initial"):
        run("illures-warp", [shards], tmp_path / "run", videos=[frames])
    recipe.write_text(RECIPE)
    with pytest.raises(InputError, match="holds no .tar shards"):
        run(recipe, [tmp_path], tmp_path / "run", videos=[frames])


def test_the_command_says_what_is_wrong_in_a_line(tmp_path, capsys):
    def train(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["train", *arguments])
        return ended.value.code, *capsys.readouterr()

    code, listed, _ = train("--list")
    assert code == 0 and "\nillures-warp " in listed
    code, _, words = train("no-such", str(tmp_path), "-o", str(tmp_path / "run"))
    assert code == 2 and words.startswith("error: no-such: no such recipe; the package has ") and words.count("\n") == 1
    assert not (tmp_path / "run").exists()
    code, _, words = train("tiny", str(tmp_path), "-o", str(tmp_path / os.fsdecode(b"caf\xe9")))
    assert code == 2 and words.startswith("error: ") and "TensorBoard" in words and words.count("\n") == 1
    code, _, words = train("tiny")
    assert code == 2 and "--output" in words
