"""Mesh normals and masks against analytic shapes and the known layout of a face."""

import numpy as np
import pytest

from illures.faces import crop_face, extract, face_mask, mesh_mask, mesh_normals, soften, to_crop


@pytest.fixture(scope="module")
def points(face, astronaut) -> np.ndarray:
    return to_crop(face.landmarks, crop_face(face, astronaut.shape[:2]))


def test_normals_are_unit_vectors_on_the_mesh_and_zero_elsewhere(points):
    normal = mesh_normals(points, 128)
    length = np.linalg.norm(normal, axis=-1)
    on = mesh_mask(points, 128) > 0
    np.testing.assert_allclose(length[on], 1, rtol=0, atol=1e-4)
    assert not length[~on].any()


def test_a_flattened_mesh_faces_the_viewer(points):
    flat = points * [1, 1, 0]
    normal = mesh_normals(flat.astype(np.float32), 128)
    np.testing.assert_allclose(normal[mesh_mask(points, 128) > 0][:, 2], 1, rtol=0, atol=1e-3)


def test_a_mesh_pulled_over_a_sphere_has_the_spheres_normals(points):
    """Whatever the points' x and y: with z on a sphere, normals are positions over the radius."""
    centre, radius = np.array([64.0, 64.0]), 80.0
    offset = points[:, :2] - centre
    ball = points.copy()
    ball[:, 2] = np.sqrt(radius**2 - (offset**2).sum(axis=1))
    normal = mesh_normals(ball.astype(np.float32), 128)
    y, x = np.mgrid[:128, :128]
    inner = (mesh_mask(ball.astype(np.float32), 128) > 0) & (np.hypot(x - 64, y - 64) < 35)
    expected = np.stack([x - 64, 64 - y, np.sqrt(np.clip(radius**2 - (x - 64) ** 2 - (y - 64) ** 2, 0, None))], -1)
    cosine = (normal * expected / radius).sum(-1)[inner]
    assert np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).mean() < 3


def test_left_right_up_and_down_of_a_face(points):
    normal = mesh_normals(points, 128)
    left, right = points[234, :2], points[454, :2]
    middle = points[[234, 454], :2].mean(axis=0)

    def at(point):
        x, y = np.round(point).astype(int)
        return normal[y, x]

    assert at(0.75 * left + 0.25 * middle)[0] < -0.3 and at(0.75 * right + 0.25 * middle)[0] > 0.3
    assert at(points[4, :2])[2] > 0.6  # the tip of the nose
    assert at(points[18, :2])[1] < at(points[10, :2] * 0.9 + points[151, :2] * 0.1)[1]  # below the lip, forehead


def test_the_mask_is_the_face_without_the_open_mouth(points, face, astronaut):
    image = extract(astronaut, crop_face(face, astronaut.shape[:2])) / np.float32(255)
    mask = face_mask(image, points)
    assert 0.2 < mask.mean() < 0.6 and set(np.unique(mask)) <= {0.0, 1.0}
    opened = points.copy()
    opened[[14, 87, 178, 317, 402], 1] += 12
    assert face_mask(image, opened).sum() < mask.sum() - 50
    closed = points.copy()
    closed[[13, 82, 81, 312, 311]] = points[[14, 87, 178, 317, 402]]
    assert face_mask(image, closed).sum() > mask.sum()
    for index in (4, 50, 280, 159, 386):  # nose, cheeks, eyes
        x, y = np.round(points[index, :2]).astype(int)
        assert mask[y, x] == 1


def test_soft_edges_lie_inside(points):
    mask = mesh_mask(points, 128)
    soft = soften(mask, 6)
    assert not soft[mask == 0].any() and soft.max() == 1
    assert np.abs(np.diff(soft, axis=0)).max() < 0.5


def test_a_mask_that_reaches_the_frame_fades_there():
    soft = soften(np.ones((64, 64), np.float32), 8)
    assert soft[0].max() < 0.2 and soft[32, 32] == 1
