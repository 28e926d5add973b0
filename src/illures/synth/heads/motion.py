"""Expressions and head poses sampled from the statistics of fitted clips of talking people.

`assets/motion.npz` is made by scripts/fit_motion.py. A Gaussian copula: correlated normal scores, each mapped by the
quantiles of its own variable. All variables are drawn together, so that both sides of a face move alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
from jaxtyping import Float

from illures.synth.heads.expressions import UNITS, Weights

ANGLES = ("yaw", "pitch", "roll")
VARIABLES = (*UNITS, *ANGLES)


@dataclass(frozen=True)
class Motion:
    """A Gaussian copula over `VARIABLES`.

    Attributes:
        scores: rising normal scores at which quantiles are kept.
        quantiles: of weights and of angles [deg]; what lies past the scores is at the first or last.
        root: `root @ root.T` is the correlation of the scores.
    """

    scores: Float[np.ndarray, " levels"]
    quantiles: Float[np.ndarray, "variables levels"]
    root: Float[np.ndarray, "variables variables"]


def random_motion(rng: np.random.Generator) -> tuple[Weights, tuple[float, float, float]]:
    """A random moment of talking: unit weights in [0, 1] and (yaw, pitch, roll) [deg] as in `scene.Pose`."""
    motion = load_motion()
    normal = motion.root @ rng.normal(size=len(VARIABLES))
    values = [float(np.interp(z, motion.scores, row)) for z, row in zip(normal, motion.quantiles, strict=True)]
    yaw, pitch, roll = values[len(UNITS) :]
    return dict(zip(UNITS, values, strict=False)), (yaw, pitch, roll)


@cache
def load_motion() -> Motion:
    """The statistics of the package."""
    with as_file(files("illures.synth") / "assets" / "motion.npz") as path, np.load(path) as file:
        scores, quantiles, correlation = (
            file[key].astype(np.float64) for key in ("scores", "quantiles", "correlation")
        )
    spread, axes = np.linalg.eigh((correlation + correlation.T) / 2)  # half floats make some eigenvalues just negative
    root = axes * np.sqrt(np.maximum(spread, 0))
    return Motion(scores, quantiles, root / np.linalg.norm(root, axis=1, keepdims=True))
