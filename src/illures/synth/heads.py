"""The head models of a synthetic set, and who in it comes from which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from illures.errors import InputError
from illures.synth.ict import IctModel
from illures.synth.makehuman import MakeHumanModel
from illures.types import Head


@runtime_checkable
class HeadModel(Protocol):
    """Makes heads (head coordinates, m)."""

    def head(self, person: np.random.Generator, moment: np.random.Generator) -> Head:
        """A random head.

        Args:
            person: decides shape and skin.
            moment: decides expression and gaze.
        """
        ...


def _makehuman(path: Path | None) -> HeadModel:
    return MakeHumanModel()


def _ict(path: Path | None) -> HeadModel:
    if path is None:
        raise InputError("model = 'ict': needs the path of the ICT-FaceKit npz")
    return IctModel(path)


# Builds a model from its file; the one that ships needs none.
MODELS: dict[str, Callable[[Path | None], HeadModel]] = {"makehuman": _makehuman, "ict": _ict}


def head_source(ict: Path | None, ict_share: float, seed: int) -> Callable[[int, np.random.Generator], Head]:
    """What `generate` draws its heads from: (number of a person, generator of the moment) to a head.

    Args:
        ict: file of the ICT model, or None for MakeHuman heads alone.
        ict_share: share of the people that come from ICT if there is a file, in [0, 1].
        seed: of the people.

    Raises:
        InputError: the ICT file is not there or not a model.
    """
    makehuman = MODELS["makehuman"](None)
    other = makehuman if ict is None else MODELS["ict"](ict)

    def head(identity: int, moment: np.random.Generator) -> Head:
        person = np.random.default_rng([seed, 1, identity])
        model = other if person.random() < ict_share else makehuman
        return model.head(person, moment)

    return head
