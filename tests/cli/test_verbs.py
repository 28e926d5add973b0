"""`illures synth` and `illures train` from the command line: a set is made; bad input is one line and exit code 2."""

import pytest

from command_line import run_captured
from illures.data.shards import read_shards, shard_paths


def run(capsys, *words: object) -> tuple[int, str]:
    code, _, err = run_captured(capsys, *words)
    return code, err


def test_synth_writes_samples_and_goes_on(tmp_path, capsys):
    out = tmp_path / "set"
    options = ("--identities", 2, "--poses", 1, "--expressions", 1, "--lights", 1, "--size", 32, "--samples", 8)
    command = ("synth", "expre-syn", out, *options, "--identities-per-shard", 1, "--workers", 1)
    assert run(capsys, *command)[0] == 0
    samples = list(read_shards(shard_paths(out)))
    assert len(samples) == 2 and all(s.mask.any() and s.image.shape == (32, 32, 3) for s in samples)
    first, second = shard_paths(out)
    kept = second.read_bytes()
    second.unlink()
    assert run(capsys, *command)[0] == 0
    assert second.read_bytes() == kept


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--identities", "0"), "identities = 0: must be at least 1"),
        (("--hdri", "nowhere"), "nowhere"),
        (("--models", "ict=nowhere.npz"), "nowhere.npz"),
        (("--accessories", "2"), "accessories = 2.0: must lie in [0, 1]"),
        (("--wear", "2"), "accessories = 2.0: must lie in [0, 1]"),
        (("--obstacles=2",), "occluders = 2.0: must lie in [0, 1]"),
        (("--models", "smpl=body.npz"), "models = 'smpl=body.npz': must be makehuman or"),
    ],
)
def test_synth_refuses_bad_options(tmp_path, capsys, options, words):
    code, stderr = run(capsys, "synth", "custom", tmp_path / "set", *options, "--workers", 1)
    assert code == 2 and words in stderr and len(stderr.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("*.tar"))


def test_train_refuses_bad_input(tmp_path, capsys):
    recipe = tmp_path / "r.toml"
    code, stderr = run(capsys, "train", recipe, tmp_path, "-o", tmp_path / "run")
    assert code == 2 and f"{recipe}: no such recipe" in stderr
    recipe.write_text("batch = 8\n")
    code, stderr = run(capsys, "train", recipe, tmp_path, "-o", tmp_path / "run")
    assert code == 2 and f"{tmp_path}: holds no .tar shards" in stderr


def test_the_recipes_of_the_package_are_listed_and_valid(capsys):
    from illures.train.recipe import load_recipe, shipped

    assert all(load_recipe(path) for path in shipped().values() if not path.stem.startswith("align-"))
    assert run(capsys, "train", "--list")[0] == 0
    assert {
        "release-128",
        "release-256",
        "release-clips",
        "tiny",
        "published",
        "sfs",
        "sfs-align",
        "illures-pre",
        "illures",
        "illures-warp",
    } <= set(shipped())
