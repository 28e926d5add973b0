"""Heads: what the renderer needs of them, repeatability, anatomy, and the faults of a user's model file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from illures.errors import InputError
from illures.synth.expressions import UNITS, random_expression
from illures.synth.heads import MODELS, head_source
from illures.synth.ict import IctModel
from illures.synth.makehuman import MakeHumanModel
from illures.synth.skin import random_tone
from illures.synth.subdivide import catmull_clark
from illures.types import Head, Part

MIRROR = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38]
MIRROR += [37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]


@pytest.fixture(scope="module")
def model() -> MakeHumanModel:
    return MakeHumanModel()


def make(model: MakeHumanModel, person: int, moment: int) -> Head:
    return model.head(np.random.default_rng(person), np.random.default_rng([1, moment]))


def skin(head: Head) -> Part:
    return next(part for part in head.parts if part.name == "skin")


def tiny_ict(**changes: np.ndarray) -> dict[str, np.ndarray]:
    """A model of 2 identity modes and 2 units: a bent sheet of skin and a quad for each eye."""
    s, y = np.meshgrid(np.linspace(-1, 1, 12), np.linspace(-12, 10, 12))
    sheet = np.stack([9 * np.sin(s), y, 9 * np.cos(s) - 2], -1).reshape(-1, 3)
    corners = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    eyes = [corners + [x, 3, 8] for x in (3, -3)]
    grid = np.arange(144).reshape(12, 12)
    quads = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], -1).reshape(-1, 4)
    vertices = np.concatenate([sheet, *eyes]).astype(np.float32)
    rng = np.random.default_rng(0)
    arrays = {
        "vertices": vertices,
        "quads": np.concatenate([quads, [[144, 145, 146, 147], [148, 149, 150, 151]]]),
        "vertex_group": np.array([0] * 144 + [4] * 4 + [5] * 4, np.int8),
        "identity": rng.normal(0, 0.1, (2, 152, 3)).astype(np.float16),
        "expression": rng.normal(0, 0.1, (2, 152, 3)).astype(np.float16),
        "expression_names": np.array(["jawOpen", "eyeBlink_L"]),
        "lm68": np.arange(40, 108),
    }
    return arrays | changes


def test_parts_are_what_the_renderer_needs(model: MakeHumanModel) -> None:
    for person in range(3):
        head = make(model, person, person)
        assert {part.name for part in head.parts} == {"skin", "eyes", "teeth", "mouth"}
        for part in head.parts:
            assert 0 <= part.triangles.min() <= part.triangles.max() < len(part.vertices) == len(part.uv)
            assert np.isfinite(part.vertices).all() and np.abs(part.vertices).max() < 0.5
            for texture in (part.uv, part.albedo, part.mask):
                assert texture.dtype == np.float32 and texture.min() >= 0 and texture.max() <= 1
        assert head.landmarks.shape == (68, 3) and head.landmarks.dtype == np.float32


def test_same_seeds_same_head(model: MakeHumanModel) -> None:
    a, b, other = make(model, 5, 6), make(model, 5, 6), make(model, 8, 6)
    np.testing.assert_array_equal(skin(a).vertices, skin(b).vertices)
    np.testing.assert_array_equal(skin(a).albedo, skin(b).albedo)
    assert np.abs(skin(a).vertices - skin(other).vertices).max() > 1e-3
    assert np.abs(skin(a).albedo - skin(other).albedo).max() > 1e-2


def test_expression_moves_the_face_and_leaves_the_skull_and_skin(model: MakeHumanModel) -> None:
    heads = [make(model, 3, moment) for moment in range(5)]
    vertices = np.stack([skin(head).vertices for head in heads])
    back = vertices[0, :, 2] < -0.12
    assert back.sum() > 100
    assert np.ptp(vertices[:, back], axis=0).max() < 1e-3
    assert np.ptp([head.landmarks[48:] for head in heads], axis=0).max() > 3e-3
    np.testing.assert_array_equal(skin(heads[0]).albedo, skin(heads[1]).albedo)


def test_landmarks_of_the_average_are_symmetric_and_in_order(model: MakeHumanModel) -> None:
    landmarks = np.mean([make(model, person, person).landmarks for person in range(15)], axis=0)
    np.testing.assert_allclose(landmarks[MIRROR] * [-1, 1, 1], landmarks, atol=5e-3)
    assert (np.diff(landmarks[:17, 0]) > 0).all(), "the jaw runs from the subject's right to the left"
    assert landmarks[8, 1] == landmarks[:, 1].min(), "the chin is lowest"
    assert landmarks[30, 2] == landmarks[:, 2].max(), "the tip of the nose is foremost"
    assert landmarks[17:27, 1].min() > landmarks[36:48, 1].max() > landmarks[30, 1] > landmarks[51, 1]
    assert 0.05 < np.linalg.norm(landmarks[36:42].mean(0) - landmarks[42:48].mean(0)) < 0.08


def test_eyes_are_level_about_the_origin(model: MakeHumanModel) -> None:
    eyes = np.mean([part.vertices.mean(0) for part in make(model, 1, 1).parts if part.name == "eyes"], axis=0)
    np.testing.assert_allclose(eyes, 0, atol=4e-3)


def test_the_front_faces_outward(model: MakeHumanModel) -> None:
    part = skin(make(model, 2, 2))
    corners = part.vertices[part.triangles]
    middle = corners.mean(1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    face = (middle[:, 2] > 0) & (np.abs(middle[:, 0]) < 0.06) & (middle[:, 1] > -0.09)
    outward = ((middle - [0, 0, -0.1]) * normal).sum(1) > 0
    area = np.linalg.norm(normal, axis=1)[face]
    assert area @ outward[face] > 0.8 * area.sum()  # the rest is nostrils, lids and the insides of lips


def test_tones_span_the_individual_typology_angle() -> None:
    """ITA (Chardon et al. 1991): above 55 degrees very light, below -30 dark."""
    from skimage.color import rgb2lab

    from illures.math.color import linear_to_srgb

    rng = np.random.default_rng(0)
    tones = np.exp([random_tone(rng, melanin) for melanin in np.linspace(0, 1, 60)])
    lab = rgb2lab(np.asarray(linear_to_srgb(tones))[None])[0]
    ita = np.degrees(np.arctan2(lab[:, 0] - 50, lab[:, 2]))
    assert ita.max() > 50 and ita.min() < -30
    assert (np.histogram(ita, [-90, -30, 10, 28, 41, 90])[0] > 0).all()
    assert (tones[:, 0] > tones[:, 1]).all() and (tones[:, 1] > tones[:, 2]).all()


def test_expressions_are_of_known_units() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        weights = random_expression(rng)
        assert set(weights) <= set(UNITS)
        assert all(0 <= weight <= 1.3 for weight in weights.values())


def test_subdivision_of_a_cube() -> None:
    """Catmull-Clark: face, edge and corner points of a cube of half side 1 are 1, (3/4, 3/4) and 5/9."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    matrix, fine = catmull_clark(quads, 8)
    points = matrix @ corners
    assert points.shape == (26, 3) and fine.shape == (24, 4)
    np.testing.assert_allclose(np.abs(points[:8]), 5 / 9)
    np.testing.assert_allclose(np.sort(np.abs(points[8:20])), np.tile([0, 0.75, 0.75], (12, 1)))
    np.testing.assert_allclose(np.sort(np.abs(points[20:])), np.tile([0, 0, 1], (6, 1)))


def test_subdivision_keeps_a_flat_border_flat() -> None:
    matrix, _ = catmull_clark(np.array([[0, 1, 2, 3]]), 4)
    np.testing.assert_allclose(matrix.sum(1), 1)
    np.testing.assert_allclose((matrix @ np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]]))[4:8].max(), 1)


def test_ict_model_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "ict.npz"
    np.savez(path, **tiny_ict())
    heads = head_source(path, 1.0, seed=3)
    head = heads(0, np.random.default_rng(0))
    assert [part.name for part in head.parts] == ["skin", "eyes"]
    np.testing.assert_array_equal(head.landmarks, heads(0, np.random.default_rng(0)).landmarks)
    assert skin(head).albedo.min() >= 0 and np.abs(skin(head).vertices).max() < 0.3


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"identity": np.zeros((2, 5, 3))}, "identity has shape"),
        ({"lm68": np.arange(5)}, "lm68 has shape"),
        ({"lm68": np.full(68, 999)}, "lm68 names vertex 999"),
    ],
)
def test_ict_file_of_wrong_shapes(tmp_path: Path, changes: dict[str, np.ndarray], rule: str) -> None:
    path = tmp_path / "ict.npz"
    np.savez(path, **tiny_ict(**changes))
    with pytest.raises(InputError, match=rule):
        IctModel(path)


def test_ict_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.npz"):
        IctModel(tmp_path / "nowhere.npz")
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(InputError, match=r"text\.npz"):
        IctModel(tmp_path / "text.npz")
    arrays = tiny_ict()
    del arrays["lm68"]
    np.savez(tmp_path / "short.npz", **arrays)
    with pytest.raises(InputError, match="no array 'lm68'"):
        IctModel(tmp_path / "short.npz")
    with pytest.raises(InputError, match="path"):
        MODELS["ict"](None)
