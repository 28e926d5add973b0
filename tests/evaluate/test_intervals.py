"""Bootstrap and permutation test against scipy and against cases whose answer is known."""

import numpy as np
import pytest
from scipy import stats

from illures.evaluate.intervals import mean_interval, paired_difference


def test_with_one_image_a_subject_it_is_the_ordinary_bootstrap(rng):
    values = rng.normal(10, 2, 60)
    found = mean_interval(values.tolist(), [f"s{k}" for k in range(60)], samples=4000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", random_state=0)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(theirs.confidence_interval.low, abs=0.08)
    assert found.high == pytest.approx(theirs.confidence_interval.high, abs=0.08)


def test_copies_of_an_image_make_nothing_surer(rng):
    """What an image-wise bootstrap gets wrong: its interval would shrink threefold here."""
    values, names = rng.normal(0, 1, 40).tolist(), [f"s{k}" for k in range(40)]
    once, often = mean_interval(values, names), mean_interval(values * 9, names * 9)
    assert often.high - often.low == pytest.approx(once.high - once.low)
    assert often.groups == once.groups == 40 and often.items == 360


def test_weights_are_numbers_of_pixels():
    found = mean_interval([10, 20], ["a", "b"], weights=[300, 100])
    assert found.mean == pytest.approx(12.5)


def test_the_order_of_the_images_changes_nothing(rng):
    values, groups, weights = rng.random(50), [f"s{k % 7}" for k in range(50)], rng.random(50)
    order = rng.permutation(50)
    shuffled = mean_interval(values[order].tolist(), [groups[k] for k in order], weights[order].tolist())
    assert shuffled == mean_interval(values.tolist(), groups, weights.tolist())


def test_sign_flips_are_those_of_scipy(rng):
    a = rng.normal(0, 1, 10)
    b = a + rng.normal(0.5, 0.8, 10)
    found = paired_difference(a.tolist(), b.tolist(), [str(k) for k in range(10)])
    theirs = stats.permutation_test(
        (b - a,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert found.p_value == pytest.approx(theirs.pvalue)
    assert found.difference.mean == pytest.approx(np.mean(b - a))


def test_no_change_is_no_finding_and_a_constant_one_is():
    names = [f"s{k}" for k in range(20)]
    assert paired_difference([1.0] * 20, [1.0] * 20, names).p_value == 1
    assert paired_difference([1.0] * 20, [1.1] * 20, names).p_value < 0.01


def test_what_has_no_mean_is_refused():
    with pytest.raises(ValueError, match="not 0"):
        mean_interval([], [])
    with pytest.raises(ValueError, match="not finite"):
        mean_interval([1.0, float("nan")], ["a", "b"])
    with pytest.raises(ValueError, match="same items"):
        paired_difference([1.0], [1.0, 2.0], ["a"])
