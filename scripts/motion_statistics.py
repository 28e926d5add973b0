"""Statistics of fitted face motion: quantiles of each weight and angle, and their correlations (a Gaussian copula)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import eval_hermitenorm, gamma, ndtr

from illures.synth.heads.motion import VARIABLES

SCORES = np.linspace(-3, 3, 33)  # normal scores of the stored quantiles
ORDER = 16  # of the Hermite series that relates correlations of weights and of scores


def mirrored(values: Float[np.ndarray, "frames variables"]) -> Float[np.ndarray, "frames variables"]:
    """The same moments seen in a mirror."""
    swap = {"_L": "_R", "_R": "_L", "Left": "Right", "Right": "Left"}
    names = [next((n.removesuffix(a) + b for a, b in swap.items() if n.endswith(a)), n) for n in VARIABLES]
    signs = [-1 if name in ("yaw", "roll") else 1 for name in VARIABLES]
    return values[:, [VARIABLES.index(name) for name in names]] * signs


def quantiles(
    values: Float[np.ndarray, "frames variables"], share: Float[np.ndarray, " frames"]
) -> Float[np.ndarray, "variables levels"]:
    """Weighted quantiles at the normal scores."""
    rows = []
    for column in values.T:
        order = np.argsort(column)
        rank = np.cumsum(share[order]) - share[order] / 2
        rows.append(np.interp(ndtr(SCORES), rank, column[order]))
    return np.array(rows)


def score_correlation(
    table: Float[np.ndarray, "variables levels"], observed: Float[np.ndarray, "variables variables"]
) -> Float[np.ndarray, "variables variables"]:
    """Correlations of the normal scores that give the variables the observed ones.

    With f_i = sum_k a_ik He_k / sqrt(k!) the correlation of f_i and f_j is sum_k a_ik a_jk r^k / (|a_i| |a_j|), k > 0
    (Mehler 1866): a curve that rises with r and is read backwards here.
    """
    z = np.linspace(-6, 6, 4801)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    waves = np.stack([eval_hermitenorm(k, z) / np.sqrt(gamma(k + 1)) for k in range(1, ORDER + 1)])
    series = np.stack([np.interp(z, SCORES, row) for row in table]) @ (waves * density).T
    series /= np.maximum(np.linalg.norm(series, axis=1, keepdims=True), 1e-9)  # 0 where a unit never moves
    trial = np.linspace(-0.99, 0.99, 397)
    curves = np.einsum("ik,jk,kr->ijr", series, series, trial ** np.arange(1, ORDER + 1)[:, None], optimize=True)
    found = trial[np.abs(curves - observed[..., None]).argmin(-1)]
    np.fill_diagonal(found, 1)
    spread, axes = np.linalg.eigh(found)
    root = axes * np.sqrt(np.maximum(spread, 1e-3))  # pairs fitted one by one need not make a correlation matrix
    root /= np.linalg.norm(root, axis=1, keepdims=True)
    return root @ root.T


def statistics(moments: Sequence[Float[np.ndarray, "_ variables"]], people: Sequence[str]) -> dict[str, Any]:
    """The copula; people weigh equally, then their clips, then frames. Mirror images count as moments, too.

    Args:
        moments: weights and angles [deg] in the frames of each clip.
        people: who is in each clip.
    """
    values, share = [], []
    for good, person in zip(moments, people, strict=True):
        values += [good, mirrored(good)]
        share += [np.full(2 * len(good), 0.5 / max(len(good), 1) / people.count(person))]
    everything, weight = np.concatenate(values), np.concatenate(share) / np.concatenate(share).sum()
    table = quantiles(everything, weight)
    return {
        "scores": SCORES.astype(np.float32),
        "quantiles": table.astype(np.float16),
        "correlation": score_correlation(table, _correlation(everything, weight)).astype(np.float16),
        "note": np.array(f"{len(moments)} clips of {len(set(people))} people, {len(everything) // 2} frames"),
    }


def _correlation(values: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Weighted Pearson correlation; variables that never move correlate with nothing."""
    covariance = np.cov(values.T, aweights=share) + 1e-10 * np.eye(values.shape[1])
    deviation = np.sqrt(np.diag(covariance))
    return covariance / np.outer(deviation, deviation)
