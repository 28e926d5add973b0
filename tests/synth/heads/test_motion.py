"""Motions are those of the shipped statistics; exaggerated and deformed faces stay within what heads can do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from illures.synth.heads.expressions import DEFORMATIONS, SINGLE, UNITS, exaggerated, random_deformation
from illures.synth.heads.motion import ANGLES, VARIABLES, Motion, load_motion, random_motion

DRAWS = 6000


@pytest.fixture(scope="module")
def motion() -> Motion:
    return load_motion()


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    rng = np.random.default_rng(0)
    moments = [random_motion(rng) for _ in range(DRAWS)]
    return np.array([[*(weights[unit] for unit in UNITS), *angles] for weights, angles in moments])


def test_each_variable_has_the_shipped_quantiles(motion: Motion, drawn: np.ndarray) -> None:
    inside = np.abs(motion.scores) < 1.5
    levels = stats.norm.cdf(motion.scores[inside])
    spread = motion.quantiles.max(1) - motion.quantiles.min(1)
    off = np.abs(np.quantile(drawn, levels, axis=0).T - motion.quantiles[:, inside])
    assert (off / spread[:, None]).max() < 0.06


def test_variables_move_together_as_the_copula_says(motion: Motion, drawn: np.ndarray) -> None:
    correlation = motion.root @ motion.root.T
    np.testing.assert_allclose(np.diag(correlation), 1, rtol=0, atol=1e-9)
    normal = stats.multivariate_normal(cov=correlation, allow_singular=True).rvs(40 * DRAWS // 8, random_state=1)
    expected = np.stack([np.interp(z, motion.scores, row) for z, row in zip(normal.T, motion.quantiles, strict=True)])
    moving = motion.quantiles[:, np.abs(motion.scores) < 1].std(1) > 0.01
    assert moving.sum() > 20
    off = np.corrcoef(expected[moving]) - np.corrcoef(drawn.T[moving])
    assert np.abs(off).max() < 0.1


def test_motions_are_of_faces(motion: Motion, drawn: np.ndarray) -> None:
    weights, angles = drawn[:, : len(UNITS)], drawn[:, len(UNITS) :]
    assert 0 <= weights.min() <= weights.max() <= 1.3
    assert np.abs(angles).max() < 75
    for unit in ("mouthSmile", "eyeBlink", "browInnerUp"):  # faces are not lopsided
        left, right = (weights[:, UNITS.index(f"{unit}_{side}")] for side in "LR")
        assert stats.spearmanr(left, right).statistic > 0.5
    # Both eyes look the same way.
    left, right = (drawn[:, VARIABLES.index(unit)] for unit in ("eyeLookOut_L", "eyeLookIn_R"))
    assert stats.spearmanr(left, right).statistic > 0.5
    # Mirror images are as likely: nobody turns to one side on the whole.
    for angle in ("yaw", "roll"):
        row = motion.quantiles[len(UNITS) + ANGLES.index(angle)]
        np.testing.assert_allclose(row, -row[::-1], rtol=0, atol=0.1)


def test_a_seed_decides() -> None:
    for make in (random_motion, exaggerated, random_deformation):
        assert make(np.random.default_rng(3)) == make(np.random.default_rng(3))
        assert make(np.random.default_rng(3)) != make(np.random.default_rng(4))


def test_exaggerated_faces_are_strong_but_whole() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        weights = exaggerated(rng)
        moved = {unit: w for unit, w in weights.items() if not unit.startswith("eyeLook")}
        assert set(weights) <= set(UNITS)
        assert moved and all(0.6 <= w <= 1.3 for w in moved.values())
        assert weights.get("jawOpen", 0) <= 0.7
        assert "mouthClose" not in weights  # without an open jaw it pushes the lips through each other


def test_deformations_are_a_basis_of_twenty() -> None:
    matrix = np.array([[shape.get(unit, 0.0) for unit in UNITS] for shape in DEFORMATIONS.values()])
    assert len(matrix) == 20
    assert np.linalg.matrix_rank(matrix) == 20
    assert all(set(shape) <= set(UNITS) for shape in DEFORMATIONS.values())
    assert "mouthClose" in SINGLE and not any("mouthClose" in shape for shape in DEFORMATIONS.values())


def test_random_deformations_are_sums_of_the_basis() -> None:
    rng, basis = np.random.default_rng(0), [*DEFORMATIONS.values()]
    matrix = np.array([[shape.get(unit, 0.0) for unit in UNITS] for shape in basis])
    active = []
    for _ in range(300):
        weights = random_deformation(rng)
        assert all(0 < w <= 1 for w in weights.values())
        target = np.array([weights.get(unit, 0.0) for unit in UNITS])
        amounts = np.linalg.lstsq(matrix.T, target, rcond=None)[0]
        if target.max() < 1:  # sums are cut at 1
            np.testing.assert_allclose(amounts @ matrix, target, rtol=0, atol=1e-9)
            assert amounts.min() > -1e-9 and amounts.max() < 1 + 1e-9
            active.append((amounts > 1e-9).sum())
    assert 4 < np.mean(active) < 8
