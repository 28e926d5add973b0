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
