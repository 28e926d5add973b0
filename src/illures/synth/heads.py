"""The head models of a synthetic set, and who in it comes from which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from illures.synth.ict import IctModel
from illures.types import Head


class HeadModel(Protocol):
    """Makes heads (head coordinates, m)."""

    def head(self, person: np.random.Generator, moment: np.random.Generator) -> Head:
        """A random head.

        Args:
            person: decides shape and skin.
            moment: decides expression and gaze.
        """
        ...


def head_source(ict: Path | None, ict_share: float, seed: int) -> Callable[[int, np.random.Generator], Head]:
    """What `generate` draws its heads from: (number of a person, generator of the moment) to a head.

    Args:
        ict: file of the ICT model, or None for MakeHuman heads alone.
        ict_share: share of the people that come from ICT if there is a file, in [0, 1].
        seed: of the people.

    Raises:
        InputError: the ICT file is not there or not a model.
    """
    models: dict[str, HeadModel] = {}
    if ict is not None:
        models["ict"] = IctModel(ict)

    def head(identity: int, moment: np.random.Generator) -> Head:
        person = np.random.default_rng([seed, 1, identity])
        name = "ict" if "ict" in models and person.random() < ict_share else "makehuman"
        return models[name].head(person, moment)

    return head
