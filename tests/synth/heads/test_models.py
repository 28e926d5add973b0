"""Heads: what the renderer needs of them, repeatability, anatomy, and the faults of a user's model file."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from illures.errors import InputError
from illures.faces.contour import points68
from illures.synth.heads.expressions import UNITS, random_expression
from illures.synth.heads.ict import IctModel
from illures.synth.heads.linear import LinearModel
from illures.synth.heads.makehuman import MakeHumanModel
from illures.synth.heads.models import HeadModel, load_model, people
from illures.synth.heads.person import make_person
from illures.synth.heads.subdivision import catmull_clark
from illures.synth.sets import Recipe
from illures.synth.skin.procedural import random_tone
from illures.synth.skin.texture_styles import COUNT, stylized
from illures.types import Head, Part

WORN = ("hair", "glasses", "lens", "hat", "beard", "necklace")
MIRROR = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38]
MIRROR += [37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]


@pytest.fixture(scope="module")
def model() -> MakeHumanModel:
    return MakeHumanModel()


def make(model: HeadModel, person: int, moment: int) -> Head:
    rng = np.random.default_rng(person)
    dressed = make_person(model.anatomy, model.shape(rng), rng)
    return dressed.head(random_expression(np.random.default_rng([1, moment])))


def skin(head: Head) -> Part:
    return next(part for part in head.parts if part.name == "skin")


@cache
def linear_arrays() -> dict[str, np.ndarray]:
    """MakeHuman's average head as a linear model: three identities, 14 of its units mixed into nameless modes."""
    model = MakeHumanModel()
    rest = model.average()
    seen = np.concatenate([c.vertices[c.triangles] for c in model.anatomy.cuts if c.material in ("skin", "eyes")])
    units = np.stack([model.average({unit: 1.0}) - rest for unit in UNITS[:14]])
    mixed = np.linalg.qr(np.random.default_rng(0).normal(size=(14, 14)))[0]
    people = [model.shape(np.random.default_rng(k))({}) - rest for k in range(3)]
    return {
        "vertices": (10 * rest).astype(np.float32),  # any unit will do
        "triangles": seen,
        "identity": (10 * np.stack(people)).astype(np.float32),
        "expression": (10 * np.einsum("mu,uvd->mvd", mixed, units)).astype(np.float32),
        "lm68": model.anatomy.points68,
    }


def linear_file(path: Path, **changes: np.ndarray) -> Path:
    np.savez(path, **(linear_arrays() | changes))
    return path


def test_parts_are_what_the_renderer_needs(model: MakeHumanModel) -> None:
    for person in range(3):
        head = make(model, person, person)
        assert (
            {"skin", "eyes", "teeth", "mouth", "lashes"}
            <= {part.name for part in head.parts}
            <= {"skin", "eyes", "teeth", "mouth", "lashes", *WORN}
        )
        for part in head.parts:
            assert 0 <= part.triangles.min() <= part.triangles.max() < len(part.vertices) == len(part.uv)
            assert np.isfinite(part.vertices).all() and np.abs(part.vertices).max() < 0.5
            for texture in (part.uv, part.albedo, part.mask):
                assert texture.dtype == np.float32 and texture.min() >= 0 and texture.max() <= 1
        assert head.landmarks.shape == (478, 3) and head.landmarks.dtype == np.float32


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
    assert np.ptp([points68(head.landmarks)[48:] for head in heads], axis=0).max() > 3e-3
    np.testing.assert_array_equal(skin(heads[0]).albedo, skin(heads[1]).albedo)


def test_landmarks_of_the_average_are_symmetric_and_in_order(model: MakeHumanModel) -> None:
    landmarks = np.mean([points68(make(model, person, person).landmarks) for person in range(15)], axis=0)
    np.testing.assert_allclose(landmarks[MIRROR] * [-1, 1, 1], landmarks, atol=5e-3)
    assert (np.diff(landmarks[:17, 0]) > -1e-3).all(), "the jaw runs from the subject's right to the left"
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


def test_a_linear_model_learns_what_its_nameless_modes_mean(tmp_path: Path, model: MakeHumanModel) -> None:
    linear = LinearModel(linear_file(tmp_path / "linear.npz"))
    neutral = linear.shape(np.random.default_rng(0), spread=0.0)
    rest, points = neutral({}), linear.anatomy.points68
    scale = np.ptp(rest[points], axis=0) / np.ptp(model.average()[points], axis=0)
    for unit in ("jawOpen", "mouthPucker", "mouthLeft"):
        moved = (neutral({unit: 1.0}) - rest) / scale
        truth = model.average({unit: 1.0}) - model.average()
        seen = np.unique(np.concatenate([c.vertices for c in linear.anatomy.cuts]))
        assert np.linalg.norm((moved - truth)[seen]) < 0.25 * np.linalg.norm(truth[seen]), unit


def test_a_linear_model_finds_its_landmarks_and_eyes(tmp_path: Path, model: MakeHumanModel) -> None:
    linear = LinearModel(linear_file(tmp_path / "linear.npz"))
    rest = linear.shape(np.random.default_rng(0), spread=0.0)({})
    found, truth = linear.anatomy.embedding.points(rest), model.anatomy.embedding.points(model.average())
    np.testing.assert_allclose(found[:468] - found[4], truth[:468] - truth[4], rtol=0, atol=5e-3)
    assert {c.material for c in linear.anatomy.cuts} == {"skin", "eyes"}
    head = make(linear, 1, 1)
    eyes = next(part for part in head.parts if part.name == "eyes")
    lids = points68(head.landmarks)[36:48]
    assert lids[:, 0].min() - 5e-3 < eyes.vertices[:, 0].min() and eyes.vertices[:, 0].max() < lids[:, 0].max() + 5e-3


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"identity": np.zeros((2, 5, 3))}, "identity has shape"),
        ({"lm68": np.arange(5)}, "lm68 has shape"),
        ({"lm68": np.full(68, 99999)}, "lm68 names vertex 99999"),
        ({"expression": np.full((1, 1, 3), np.nan)}, "expression has shape"),
        ({"expression_names": np.array(["jawOpen"])}, "expression_names has shape"),
        ({"lm68": np.arange(68)}, "must look along"),
    ],
)
def test_linear_file_of_wrong_shapes(tmp_path: Path, changes: dict[str, np.ndarray], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        LinearModel(linear_file(tmp_path / "linear.npz", **changes))


@pytest.mark.parametrize("kind", [IctModel, LinearModel])
def test_model_files_that_are_none(tmp_path: Path, kind: type) -> None:
    with pytest.raises(InputError, match=r"nowhere\.npz"):
        kind(tmp_path / "nowhere.npz")
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(InputError, match=r"text\.npz"):
        kind(tmp_path / "text.npz")
    np.savez(tmp_path / "short.npz", vertices=np.zeros((5, 3)))
    with pytest.raises(InputError, match="no array"):
        kind(tmp_path / "short.npz")


def test_an_ict_file_of_another_mesh_is_refused(tmp_path: Path) -> None:
    few = {key: np.zeros((2, 3)) for key in ("vertices", "quads", "vertex_group", "identity", "expression", "lm68")}
    np.savez(tmp_path / "ict.npz", expression_names=np.array(["jawOpen"]), **few)
    with pytest.raises(InputError, match=r"vertices has shape \(2, 3\); must be \(21614, 3\)"):
        IctModel(tmp_path / "ict.npz")


@pytest.mark.parametrize("text", ["ict", "smpl=file.npz", ""])
def test_unknown_models_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="must be makehuman or ict=FILE"):
        load_model(text)


def test_people_take_turns_between_models(tmp_path: Path) -> None:
    path = linear_file(tmp_path / "linear.npz")
    person = people(Recipe(identities=2, models=("makehuman", f"linear={path}"), styles=True))
    first, second = person(0), person(1)
    assert "teeth" in {c.material for c in first.anatomy.cuts}
    assert "teeth" not in {c.material for c in second.anatomy.cuts}
    assert 0 < first.tone < 1


def test_styles_hide_the_skin_and_stay_the_same(model: MakeHumanModel) -> None:
    albedo = np.full((*model.anatomy.canvas.s.shape, 3), 0.3, np.float32)
    made = np.stack([stylized(albedo, k, model.anatomy.canvas)[::8, ::8] for k in range(COUNT)])
    np.testing.assert_array_equal(made[7], stylized(albedo, 7, model.anatomy.canvas)[::8, ::8])
    assert made.min() >= 0 and made.max() <= 1
    assert (made.reshape(COUNT, -1, 3).std(1).max(1) > 0.02).all(), "each style is a pattern"
    apart = np.abs(made[:, None] - made[None]).mean((2, 3, 4)) + np.eye(COUNT)
    assert apart.min() > 0.01, "no two styles are alike"
