"""Recipes of synthetic sets: what is stored of them stays readable."""

import json
from dataclasses import replace

from illures.synth.sets import Recipe, fingerprint, to_json


def test_settings_are_stored_under_the_names_of_older_sets():
    """A set of before is continued, as the text in its `recipe.json` is compared byte by byte."""
    stored = json.loads(to_json(Recipe(accessories=0.25, occluders=0.5)))
    assert (stored["wear"], stored["obstacles"]) == (0.25, 0.5)
    assert not {"accessories", "occluders"} & stored.keys()


def test_the_fingerprint_tells_recipes_apart():
    recipe = Recipe()
    assert fingerprint(recipe) == fingerprint(Recipe())
    assert (
        len({fingerprint(replace(recipe, **change)) for change in ({}, {"accessories": 0.5}, {"occluders": 0.5})}) == 3
    )
