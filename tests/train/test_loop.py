"""The loop: resuming gives the very run that was not interrupted, and recipes are checked."""

import dataclasses

import pytest
import torch

from illures.data.cache import SampleCache
from illures.errors import InputError
from illures.model import NetworkConfig
from illures.model.export import save_weights
from illures.train.loop import Training
from illures.train.recipe import Recipe, Stage, load_recipe, recipe_from_dict

TINY = Recipe(
    stages=(Stage("local", 32), Stage("global", 32)),
    network=NetworkConfig("compact", size=32, guide=True, width=8, residual_width=32, residual_blocks=1),
    batch=8,
    warmup=8,
    checkpoint=16,
    panel=32,
)


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(cache, tmp_path):
    whole = Training(TINY, cache, tmp_path / "whole")
    whole.run()

    def stop(seen: int, terms: dict[str, float]) -> None:
        if seen == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Training(TINY, cache, tmp_path / "parts").run(stop)
    resumed = Training(TINY, cache, tmp_path / "parts")
    assert resumed.seen == 40
    resumed.run()
    for name, value in whole.network().state_dict().items():
        torch.testing.assert_close(resumed.network().state_dict()[name], value, rtol=0, atol=1e-6)


def test_training_learns(cache, tmp_path):
    """The loss of the last steps is well below that of the first ones."""
    recipe = dataclasses.replace(TINY, stages=(Stage("local", 160, 3e-3), Stage("global", 320, 3e-3)), panel=10_000)
    seen = []
    Training(recipe, cache, tmp_path).run(lambda _, terms: seen.append(terms))
    for name in ("normal", "albedo"):
        first, last = (sum(terms[name] for terms in part) for part in (seen[:5], seen[-5:]))
        assert last < 0.75 * first, name


def test_training_starts_from_given_weights(cache, tmp_path):
    first = Training(TINY, cache, tmp_path / "first")
    path = tmp_path / "first.safetensors"
    save_weights(path, first.network(), TINY.to_dict(), "none", {})
    second = Training(dataclasses.replace(TINY, seed=9, initial=str(path)), cache, tmp_path / "second")
    for name, value in first.network().state_dict().items():
        torch.testing.assert_close(second.model.state_dict()[name], value, rtol=0, atol=0)
    other = dataclasses.replace(TINY, initial=str(path), network=dataclasses.replace(TINY.network, width=16))
    with pytest.raises(InputError, match="the recipe asks for"):
        Training(other, cache, tmp_path / "third")
    with pytest.raises(InputError, match="nowhere"):
        Training(dataclasses.replace(TINY, initial="nowhere.safetensors"), cache, tmp_path / "fourth")


def test_another_recipe_does_not_take_up_the_run(cache, tmp_path):
    Training(TINY, cache, tmp_path).save()
    with pytest.raises(InputError, match="another recipe"):
        Training(dataclasses.replace(TINY, seed=5), cache, tmp_path)


def test_sizes_must_agree(cache, tmp_path):
    with pytest.raises(InputError, match="32 px"):
        Training(Recipe(), cache, tmp_path)


def test_a_folder_that_is_no_cache_is_refused(tmp_path):
    with pytest.raises(InputError, match="not a training cache"):
        SampleCache([tmp_path])


def test_recipe_files_list_what_differs(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('seed = 3\n[network]\nform = "compact"\n[[stages]]\ndata = "local"\nimages = 10\n')
    recipe = load_recipe(path)
    assert recipe == Recipe(seed=3, network=NetworkConfig("compact"), stages=(Stage("local", 10),))
    assert recipe_from_dict(recipe.to_dict(), "dict") == recipe


@pytest.mark.parametrize(
    ("text", "words"),
    [("sead = 3", "unknown setting 'sead'"), ("[network]\nwidht = 1", "unknown setting 'widht'"), ("=", "not TOML")],
)
def test_bad_recipes(tmp_path, text, words):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        load_recipe(path)
