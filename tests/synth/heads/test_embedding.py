"""Dense landmarks of head models."""

from __future__ import annotations

import numpy as np
import pytest

from illures.errors import InputError
from illures.faces.contour import EYE_LEFT, EYE_RIGHT, INDICES, LIPS_OUTER
from illures.synth.heads.embedding import embed, load_embedding, transfer
from illures.synth.heads.makehuman import MakeHumanModel

IRIS_RIGHT, IRIS_LEFT = slice(468, 473), slice(473, 478)  # middle, image right, top, image left, bottom


@pytest.fixture(scope="module")
def model() -> MakeHumanModel:
    return MakeHumanModel()


def triangles(model: MakeHumanModel, *materials: str) -> np.ndarray:
    return np.concatenate([cut.vertices[cut.triangles] for cut in model.anatomy.cuts if cut.material in materials])


def soup(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    vertices = rng.normal(size=(60, 3))
    return vertices, np.stack([rng.choice(60, 3, replace=False) for _ in range(80)])


def test_embed_finds_the_nearest_place(rng: np.random.Generator) -> None:
    vertices, faces = soup(rng)
    points = 1.5 * rng.normal(size=(40, 3))
    found = embed(points, vertices, faces)
    assert found.weights.min() >= -1e-9
    np.testing.assert_allclose(found.weights.sum(1), 1, rtol=0, atol=1e-9)
    distance = np.linalg.norm(found.points(vertices) - points, axis=1)
    # The witness throws darts at all triangles: none may come nearer, and the best come almost as near.
    darts = np.einsum("nk,tkd->ntd", rng.dirichlet((0.7, 0.7, 0.7), 4000), vertices[faces]).reshape(-1, 3)
    best = np.array([np.linalg.norm(darts - point, axis=1).min() for point in points])
    assert np.all(distance <= best + 1e-9)
    np.testing.assert_allclose(distance, best, rtol=0, atol=0.05)


def test_points_of_the_surface_stay(rng: np.random.Generator) -> None:
    vertices, faces = soup(rng)
    points = np.einsum("tk,tkd->td", rng.dirichlet((1, 1, 1), len(faces)), vertices[faces])
    np.testing.assert_allclose(embed(points, vertices, faces).points(vertices), points, rtol=0, atol=1e-9)


def test_each_model_has_whole_triangles_of_weights() -> None:
    for name in ("makehuman", "ict"):
        embedding = load_embedding(name)
        assert embedding.vertices.shape == (478, 3)
        assert embedding.weights.min() >= 0
        np.testing.assert_allclose(embedding.weights.sum(1), 1, rtol=0, atol=1e-6)


def test_unknown_model_is_an_error() -> None:
    with pytest.raises(InputError, match="bfm"):
        load_embedding("bfm")


def test_points_lie_on_skin_and_irises_on_eyeballs(model: MakeHumanModel) -> None:
    vertices = model.anatomy.embedding.vertices
    for points, material in ((vertices[:468], "skin"), (vertices[468:], "eyes")):
        whole = {tuple(sorted(corners)) for corners in triangles(model, material).tolist()}
        assert {tuple(sorted(corners)) for corners in points.tolist()} <= whole


def test_measured_points_are_where_the_model_has_its_landmarks(model: MakeHumanModel) -> None:
    rest = model.average()
    measured, named = model.anatomy.embedding.points(rest)[INDICES], rest[model.anatomy.points68]
    off = np.linalg.norm(measured - named, axis=1)
    # Corners of eyes and mouth are the same place to everyone.
    assert off[[36, 39, 42, 45, 48, 54]].max() < 0.006
    assert np.median(off[27:]) < 0.004


def test_average_face_is_its_own_mirror_image(model: MakeHumanModel) -> None:
    points = model.anatomy.embedding.points(model.average())
    for right, left in ((EYE_LEFT, [263, 387, 385, 362, 380, 373]), (LIPS_OUTER[:3], LIPS_OUTER[6:3:-1])):
        np.testing.assert_allclose(points[list(right)] * [-1, 1, 1], points[list(left)], rtol=0, atol=5e-4)
    np.testing.assert_allclose(points[IRIS_RIGHT][[0, 3, 2, 1, 4]] * [-1, 1, 1], points[IRIS_LEFT], rtol=0, atol=5e-4)
    assert np.abs(points[[10, 151, 168, 4, 0, 17, 152], 0]).max() < 5e-4


def test_points_follow_jaw_lids_and_gaze(model: MakeHumanModel) -> None:
    def points(**weights: float) -> np.ndarray:
        return model.anatomy.embedding.points(model.average(weights))

    rest, open_ = points(), points(jawOpen=0.5)
    gap = [float(p[13, 1] - p[14, 1]) for p in (rest, open_)]  # of the inner lips
    assert gap[0] < 0.004
    assert gap[1] > gap[0] + 0.008
    half = points(eyeBlink_L=0.5)
    height = [float(p[386, 1] - p[374, 1]) for p in (rest, half)]  # of the opening of the subject's left eye
    assert height[0] > 0.006
    assert 0 < height[1] < 0.5 * height[0]
    left = points(eyeLookOut_L=0.8, eyeLookIn_R=0.8)
    assert np.all(left[[468, 473], 0] > rest[[468, 473], 0] + 0.002)
    np.testing.assert_allclose(left[list(INDICES[48:])], rest[list(INDICES[48:])], rtol=0, atol=1e-3)


def test_irises_are_round_and_in_the_opening_of_the_eyes(model: MakeHumanModel) -> None:
    points = model.anatomy.embedding.points(model.average())
    for iris, eye in ((points[IRIS_RIGHT], points[list(EYE_LEFT)]), (points[IRIS_LEFT], points[list(EYE_RIGHT)])):
        radius = np.linalg.norm(iris[1:, :2] - iris[0, :2], axis=1)
        # Of people: 5.9 mm; where lids cover the iris, the detector puts its top and bottom nearer to the middle.
        assert np.all((radius > 0.003) & (radius < 0.0075))
        np.testing.assert_allclose(radius[[0, 2]], 0.0059, rtol=0, atol=0.0009)
        assert eye[:, 0].min() < iris[0, 0] < eye[:, 0].max()
        assert eye[:, 1].min() < iris[0, 1] < eye[:, 1].max()
        assert iris[2, 1] > iris[0, 1] > iris[4, 1]
        assert iris[1, 0] > iris[0, 0] > iris[3, 0]


def test_transfer_to_a_head_of_another_size_and_place(model: MakeHumanModel) -> None:
    rest, anatomy = model.average(), model.anatomy
    source = anatomy.embedding.points(rest)
    target = 1.3 * rest * [1, 0.9, 1] + [0.02, 0.3, -0.1]
    faces = triangles(model, "skin", "eyes")
    moved = transfer(source, rest[anatomy.points68], target[anatomy.points68], target, faces)
    # An affine map is a thin-plate spline without bending.
    np.testing.assert_allclose(moved.points(target), 1.3 * source * [1, 0.9, 1] + [0.02, 0.3, -0.1], rtol=0, atol=1e-6)
