import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from illures.math import normals

angles = st.floats(1e-4, 179.9)


@given(angles)
def test_angle_between_known_directions(angle_deg):
    radians = np.deg2rad(angle_deg)
    found = normals.angular_error_deg(np.array([0.0, 0, 1]), np.array([np.sin(radians), 0, np.cos(radians)]))
    np.testing.assert_allclose(found, angle_deg, rtol=1e-9, atol=0)


def test_encode_and_decode_are_inverse(unit_vectors):
    np.testing.assert_allclose(normals.decode(normals.encode(unit_vectors)), unit_vectors, rtol=0, atol=1e-12)


def test_normalize_has_finite_gradient_at_zero():
    vector = torch.zeros(2, 3, requires_grad=True)
    normals.normalize(vector).sum().backward()
    assert torch.isfinite(vector.grad).all()


def test_mirror_twice_is_identity_and_left_becomes_right(rng):
    normal = normals.normalize(rng.standard_normal((4, 6, 3)))
    mirrored = normals.mirror(normal)
    np.testing.assert_array_equal(normals.mirror(mirrored), normal)
    np.testing.assert_array_equal(mirrored[:, 0], normal[:, -1] * [-1, 1, 1])


def test_vertex_normals_of_a_sphere_are_its_radii():
    """A grid of longitudes and latitudes, without its poles."""
    grid = np.linspace(0, np.pi, 33)[1:-1]
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    points = np.stack(
        np.broadcast_arrays(
            np.sin(grid)[:, None] * np.cos(turn), np.cos(grid)[:, None], np.sin(grid)[:, None] * np.sin(turn)
        ),
        -1,
    )
    index = np.arange(points.shape[0] * 64).reshape(-1, 64)
    right = np.roll(index, -1, axis=1)
    quads = np.stack([index[:-1], right[:-1], right[1:], index[1:]], -1).reshape(-1, 4)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    vertices = points.reshape(-1, 3)
    found = normals.normalize(normals.vertex_normals(vertices, triangles))
    inner = slice(64, -64)  # the border rows have triangles on one side only
    assert normals.angular_error_deg(found[inner], vertices[inner]).max() < 1


def test_face_normals_have_twice_the_area():
    triangle = np.array([[0.0, 0, 0], [2, 0, 0], [0, 3, 0]])
    np.testing.assert_array_equal(normals.face_normals(triangle, np.array([[0, 1, 2]])), [[0, 0, 6]])
