"""The head models of a synthetic set, and their assignment to people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from illures.errors import InputError
from illures.synth.heads.ict import IctModel
from illures.synth.heads.linear import LinearModel
from illures.synth.heads.makehuman import MakeHumanModel
from illures.synth.heads.person import Anatomy, Person, Shape, make_person
from illures.synth.heads.sculpt import sculpted
from illures.synth.sets import Recipe
from illures.synth.skin import texture_styles

_RELIEF = 6  # stream of random numbers of `sculpted`


@runtime_checkable
class HeadModel(Protocol):
    """A source of head shapes; `make_person` adds skin and accessories."""

    @property
    def anatomy(self) -> Anatomy:
        """Properties shared by all heads of the model."""
        ...

    def shape(self, rng: np.random.Generator, spread: float = 1.0) -> Shape:
        """A random person's head, from expression weights to vertices (head coordinates, m).

        Args:
            rng: decides the shape.
            spread: factor on the difference from the average.
        """
        ...


# Builds the model from the file of NAME=FILE; the packaged model needs none.
FROM_FILE: dict[str, Callable[[Path], HeadModel]] = {"ict": IctModel, "linear": LinearModel}


def load_model(text: str) -> HeadModel:
    """The head model that "makehuman" or NAME=FILE names.

    Raises:
        InputError: there is no such model, or the file is not one.
    """
    name, _, file = text.partition("=")
    if text == "makehuman":
        return MakeHumanModel()
    if name not in FROM_FILE or not file:
        known = ", ".join(f"{known}=FILE" for known in FROM_FILE)
        raise InputError(f"models = {text!r}: must be makehuman or {known}")
    return FROM_FILE[name](Path(file))


def people(recipe: Recipe) -> Callable[[int], Person]:
    """A function from the number of a person in a set to the person; models alternate."""
    models = [load_model(text) for text in recipe.models]

    def person(identity: int) -> Person:
        rng = np.random.default_rng([recipe.seed, 1, identity])
        model = models[identity % len(models)]
        style = identity % texture_styles.COUNT if recipe.styles else None
        # A stream of its own, so that what is drawn for the rest of a person doesn't depend on it.
        relief = np.random.default_rng([recipe.seed, _RELIEF, identity])
        shape = sculpted(model.anatomy, model.shape(rng, recipe.spread), relief, recipe.relief)
        return make_person(model.anatomy, shape, rng, recipe.accessories, style)

    return person
