"""Recipes: files list what differs from the defaults, and what is wrong with one is said by name."""

import dataclasses

import pytest

from illures.errors import InputError
from illures.model import NetworkConfig
from illures.train.recipe import Recipe, Stage, about, find_recipe, load_recipe, recipe_from_dict, shipped
from illures.train.run import recipes


def test_recipe_files_list_what_differs(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('seed = 3\n[network]\nform = "compact"\n[[stages]]\nkind = "local"\nimages = 10\n')
    recipe = load_recipe(path)
    assert recipe == Recipe(seed=3, network=NetworkConfig("compact"), stages=(Stage("local", 10),))
    assert recipe_from_dict(recipe.to_dict(), "dict") == recipe


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sead = 3", "unknown setting 'sead'; known are across, align, "),
        ("[network]\nwidht = 1", "network: unknown setting 'widht'"),
        ("=", "not TOML"),
        ('batch = "16"', "batch = '16': int is needed"),
        ("residual = 1", "residual = 1: bool is needed"),
        ("batch = 12", "batch = 12, a multiple of 8"),
        ("validate = 0", "validate = 0, at least 1"),
        ("held_out = 1.0", "held_out = 1.0, a share"),
        ('align = "magic"', "align = 'magic': one of 'alignnet', 'warp'"),
        ("network = 3", "network: 3 is not a table"),
        ("stages = []", "at least one stage"),
        ("stages = 3", "tables"),
        ('[[stages]]\nkind = "global"', "images"),
        ('[[stages]]\nkind = "dream"\nimages = 5', "kind = 'dream': one of 'local', 'global', 'pairs', 'all'"),
        ('[[stages]]\nkind = "all"\nimages = 8\nreal = 1.5', "real is a share"),
    ],
)
def test_bad_recipes(tmp_path, text, words):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        load_recipe(path)


def test_stages_follow_one_another():
    recipe = Recipe(stages=(Stage("local", 32), Stage("global", 16)))
    places = [recipe.stage_at(seen) for seen in (0, 31, 32, 47)]
    assert [(stage.kind, done) for stage, done in places] == [
        ("local", 0),
        ("local", 31),
        ("global", 0),
        ("global", 15),
    ]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_recipe_is_one_and_says_what_it_is_for(name):
    if not name.startswith("align-"):
        load_recipe(find_recipe(name))
    assert len(about(shipped()[name])) > 20
    assert f"\n{name} " in "\n" + recipes()


def test_the_ablation_differs_by_what_is_ablated_alone():
    rows = {name: load_recipe(find_recipe(name)) for name in ("sfs", "sfs-align", "illures-pre", "illures")}
    warp, more = load_recipe(find_recipe("illures-warp")), load_recipe(find_recipe("illures-more"))
    assert dataclasses.replace(rows["sfs"], residual=True) == rows["illures-pre"]
    assert dataclasses.replace(rows["sfs-align"], residual=True, initial="illures-pre") == rows["illures"]
    assert dataclasses.replace(warp, align="alignnet") == rows["illures"]
    assert more.images == rows["illures"].images and not more.needs_videos


def test_a_recipe_that_is_nowhere(tmp_path):
    with pytest.raises(InputError, match="the package has .*illures-pre"):
        find_recipe("ilures")
    with pytest.raises(InputError, match="no such recipe"):
        load_recipe(tmp_path / "none.toml")
