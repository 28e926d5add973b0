"""Confidence intervals of means by resampling people, as images of one person are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_EXACT_UP_TO = 14  # groups: all 2^14 sign patterns are tried


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval.

    Attributes:
        mean: over all items, each with its weight.
        low, high: of the bootstrap over groups; both equal the mean for a single group.
        items, groups: how many there were.
    """

    mean: float
    low: float
    high: float
    items: int
    groups: int


@dataclass(frozen=True)
class PairedDifference:
    """Method B minus method A on the same items; `p_value` is two-sided."""

    difference: Interval
    p_value: float


def mean_interval(
    values: Sequence[float],
    groups: Sequence[str],
    weights: Sequence[float] | None = None,
    confidence: float = 0.95,
    samples: int = 2000,
) -> Interval:
    """Weighted mean of the items and its percentile bootstrap over groups (Efron and Tibshirani 1993).

    Whole groups are drawn with replacement, with fixed random numbers. The order of the items has no influence.

    Args:
        values: one per item, finite.
        groups: the subject or clip of each item.
        weights: of each item, such as its number of pixels; None: equal weights.
        confidence: of the interval.
        samples: bootstrap draws.

    Raises:
        ValueError: there are no items, a value is not finite, or lengths differ.
    """
    sums, totals = _per_group(values, groups, weights)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(sums), (samples, len(sums)))
    means = sums[drawn].sum(axis=1) / totals[drawn].sum(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(sums.sum() / totals.sum()), float(low), float(high), len(values), len(sums))


def paired_difference(
    a: Sequence[float],
    b: Sequence[float],
    groups: Sequence[str],
    weights: Sequence[float] | None = None,
    samples: int = 10_000,
) -> PairedDifference:
    """The paired change from A to B, and the probability of such a change by chance.

    A sign-flip permutation test: if A and B were equal, each group's difference could have either sign. Exact (all
    patterns) for up to 14 groups, else with fixed random patterns.

    Args:
        a: figures of method A.
        b: of method B, of the same items in the same order.
        groups: the subject or clip of each item.
        weights: as `mean_interval`.
        samples: number of random patterns, if there are too many groups to try all.

    Raises:
        ValueError: as `mean_interval`.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} figures against {len(b)}: must be of the same items")
    differences = np.asarray(b, np.float64) - np.asarray(a, np.float64)
    interval = mean_interval(differences.tolist(), groups, weights)
    sums, _ = _per_group(differences.tolist(), groups, weights)
    count = len(sums)
    if count <= _EXACT_UP_TO:
        signs = 1.0 - 2.0 * ((np.arange(2**count)[:, None] >> np.arange(count)) & 1)
    else:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (samples, count))
        signs[0] = 1  # the observed pattern is one of them, so that p is never 0
    # Rounding must not make the observed pattern, or its mirror, less extreme than itself.
    extreme = np.abs(signs @ sums) >= np.abs(sums.sum()) * (1 - 1e-9)
    return PairedDifference(interval, float(extreme.mean()))


def _per_group(
    values: Sequence[float], groups: Sequence[str], weights: Sequence[float] | None
) -> tuple[Float[np.ndarray, " groups"], Float[np.ndarray, " groups"]]:
    """Weighted sum and total weight of each group, groups in the order of their names."""
    numbers = np.asarray(values, np.float64)
    weight = np.ones(len(numbers)) if weights is None else np.asarray(weights, np.float64)
    if not (len(numbers) == len(groups) == len(weight)) or not len(numbers):
        raise ValueError(f"{len(numbers)} values, {len(groups)} groups, {len(weight)} weights: must be equal and not 0")
    if not np.isfinite(numbers).all():
        raise ValueError("values that are not finite have no mean")
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    # Sorted within a group, so that the order of the items does not change rounding.
    order = np.lexsort((weight, numbers, index))
    sums = np.bincount(index[order], (numbers * weight)[order], minlength=len(names))
    return sums, np.bincount(index[order], weight[order], minlength=len(names))
