"""Spherical harmonics against scipy, numerical integration over the sphere, and the converters' own definitions."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from scipy.special import sph_harm_y

from illures.math import sh


def scipy_real_basis(direction: np.ndarray) -> np.ndarray:
    """Real orthonormal SH from scipy's complex ones, without the Condon-Shortley phase; l, then m, ascending."""
    x, y, z = direction.T
    theta, phi = np.arccos(z), np.arctan2(y, x)
    columns = []
    for degree in range(3):
        for order in range(-degree, degree + 1):
            value = sph_harm_y(degree, abs(order), theta, phi) * (-1) ** order
            part = value.real if order >= 0 else value.imag
            columns.append(part * (np.sqrt(2) if order else 1))
    return np.stack(columns, axis=1)


def lambert_by_quadrature(normal: np.ndarray, environment: np.ndarray) -> np.ndarray:
    """1/pi ∫ radiance(w) max(0, n·w) dw over a latitude-longitude map, plain sum."""
    height, width = environment.shape[:2]
    direction = sh.directions(height, width).reshape(-1, 3)
    theta = np.arccos(direction[:, 1])
    solid_angle = np.sin(theta) * (np.pi / height) * (2 * np.pi / width)
    cosine = np.clip(normal @ direction.T, 0, None)
    return cosine @ (environment.reshape(-1, 3) * solid_angle[:, None]) / np.pi


def test_basis_is_scipys(unit_vectors):
    np.testing.assert_allclose(sh.basis(unit_vectors), scipy_real_basis(unit_vectors), rtol=0, atol=1e-12)


def test_basis_is_orthonormal():
    direction = sh.directions(256, 512)
    solid_angle = np.sqrt(1 - direction[..., 1] ** 2) * (np.pi / 256) * (2 * np.pi / 512)
    values = sh.basis(direction)
    gram = np.einsum("hwi,hwj,hw->ij", values, values, solid_angle)
    np.testing.assert_allclose(gram, np.eye(9), rtol=0, atol=1e-4)


def test_white_environment_shades_with_one(unit_vectors):
    light = sh.project_environment(np.ones((64, 128, 3)))
    np.testing.assert_allclose(sh.irradiance(unit_vectors, light), 1, rtol=0, atol=1e-3)


def test_shading_is_the_cosine_integral_of_a_smooth_environment(rng, unit_vectors):
    """A degree-2 environment loses nothing in SH, so shading equals brute-force integration."""
    light = rng.standard_normal((9, 3))
    environment = sh.basis(sh.directions(256, 512)) @ light
    expected = lambert_by_quadrature(unit_vectors[:50], environment)
    np.testing.assert_allclose(sh.irradiance(unit_vectors[:50], light), expected, rtol=0, atol=2e-4)


def test_projection_inverts_the_basis(rng):
    light = rng.standard_normal((9, 3))
    environment = sh.basis(sh.directions(128, 256)) @ light
    np.testing.assert_allclose(sh.project_environment(environment), light, rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("row", "column", "axis"),
    [(0, 0, [0, 1, 0]), (32, 64, [0, 0, -1]), (32, 0, [0, 0, 1]), (32, 32, [-1, 0, 0]), (32, 96, [1, 0, 0])],
)
def test_environment_layout(row, column, axis):
    assert sh.directions(64, 128)[row, column] @ np.array(axis) > 0.998


def test_a_lamp_at_image_left_lights_what_faces_left():
    environment = np.zeros((64, 128, 3))
    environment[28:36, 28:36] = 10
    light = sh.project_environment(environment)
    left, right = sh.irradiance(np.array([[-1.0, 0, 0], [1.0, 0, 0]]), light)
    assert (left > 10 * np.abs(right)).all()


def test_rotation_commutes_with_shading(rng, unit_vectors):
    light = rng.standard_normal((9, 3))
    rotation = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    turned = sh.irradiance(unit_vectors @ rotation.T, sh.rotate(light, rotation))
    np.testing.assert_allclose(turned, sh.irradiance(unit_vectors, light), rtol=0, atol=1e-12)


def test_fit_recovers_the_light_from_a_front_hemisphere(rng, unit_vectors):
    light = rng.standard_normal((9, 3))
    front = unit_vectors[unit_vectors[:, 2] > 0]
    found = sh.fit(front, sh.irradiance(front, light), ridge=1e-12)
    np.testing.assert_allclose(found, light, rtol=0, atol=1e-6)


def test_fit_ignores_points_of_weight_zero(rng, unit_vectors):
    light = rng.standard_normal((9, 3))
    shading = sh.irradiance(unit_vectors, light)
    weight = np.ones(len(shading))
    shading[:100], weight[:100] = 99, 0
    np.testing.assert_allclose(sh.fit(unit_vectors, shading, weight, ridge=1e-12), light, rtol=0, atol=1e-8)


def sfsnet_shading(normal: np.ndarray, light: np.ndarray) -> np.ndarray:
    """SfSNet's released formula, constants as typed there, in its own frame and order."""
    a1, a2, a3 = np.pi, 2 * np.pi / 3, np.pi / 4
    c1, c2, c3 = a1 / np.sqrt(4 * np.pi), a2 * np.sqrt(3 / (4 * np.pi)), a3 * 0.5 * np.sqrt(5 / (4 * np.pi))
    c4, c5 = a3 * 3 * np.sqrt(5 / (12 * np.pi)), a3 * 3 * np.sqrt(5 / (48 * np.pi))
    x, y, z = -normal[:, 1], normal[:, 0], normal[:, 2]
    one = np.ones_like(x)
    columns = [c1 * one, c2 * z, c2 * x, c2 * y, c3 * (2 * z * z - x * x - y * y), c4 * x * z, c4 * y * z]
    return np.stack([*columns, c5 * (x * x - y * y), c4 * x * y], axis=1) @ light


def dpr_shading(normal: np.ndarray, light: np.ndarray) -> np.ndarray:
    """DPR's released formula in its own frame: X right, Y away from the viewer, Z up."""
    attenuation = np.pi * np.array([1, 2 / 3, 1 / 4])
    c0, c1 = attenuation[0] / np.sqrt(4 * np.pi), attenuation[1] * np.sqrt(3 / (4 * np.pi))
    c2, c3 = attenuation[2] * np.sqrt(15 / (4 * np.pi)), attenuation[2] * np.sqrt(5 / (16 * np.pi))
    x, y, z = normal[:, 0], -normal[:, 2], normal[:, 1]
    columns = [c0 * np.ones_like(x), c1 * y, c1 * z, c1 * x, c2 * y * x, c2 * y * z, c3 * (2 * z * z - x * x - y * y)]
    return np.stack([*columns, c2 * x * z, c2 / 2 * (x * x - y * y)], axis=1) @ light


def test_sfsnet_converter(rng, unit_vectors):
    light = rng.standard_normal((9, 3))
    ours = sh.irradiance(unit_vectors, sh.from_sfsnet(light))
    np.testing.assert_allclose(ours, sfsnet_shading(unit_vectors, light), rtol=0, atol=1e-12)
    np.testing.assert_allclose(sh.to_sfsnet(sh.from_sfsnet(light)), light, rtol=0, atol=1e-12)


def test_dpr_converter(rng, unit_vectors):
    light = rng.standard_normal(9)
    ours = sh.irradiance(unit_vectors, sh.from_dpr(light))
    np.testing.assert_allclose(ours[:, 1], dpr_shading(unit_vectors, light), rtol=0, atol=1e-12)
    np.testing.assert_allclose(sh.to_dpr(sh.from_dpr(light)), light, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_gives_what_numpy_gives(rng, unit_vectors, dtype):
    light = rng.standard_normal((9, 3))
    found = sh.irradiance(torch.tensor(unit_vectors, dtype=dtype), torch.tensor(light, dtype=dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found.numpy(), sh.irradiance(unit_vectors, light), rtol=0, atol=1e-5)


def test_batched_lights_shade_batched_maps(rng):
    normal, light = rng.standard_normal((4, 5, 6, 3)), rng.standard_normal((4, 1, 9, 3))
    shading = sh.irradiance(normal, light)
    np.testing.assert_allclose(shading[2], sh.irradiance(normal[2], light[2, 0]), rtol=0, atol=1e-12)


def test_solid_angles_cover_the_sphere():
    for height, width in ((8, 16), (128, 256), (5, 7)):
        found = sh.solid_angle(height, width)
        np.testing.assert_allclose(width * found.sum(), 4 * np.pi, rtol=1e-12)
        middle = np.sin(np.pi * (np.arange(height) + 0.5) / height) * (np.pi / height) * (2 * np.pi / width)
        np.testing.assert_allclose(found[:, 0], middle, rtol=0.03)


def test_arrays_need_not_tell_their_device():
    """As those of numpy 1 do not."""

    class Old(np.ndarray):
        @property
        def device(self):
            raise AttributeError("device")

    normal, light = np.array([[0.0, 0.6, 0.8]], np.float32), np.ones((9, 3), np.float32)
    found = sh.irradiance(normal.view(Old), light.view(Old))
    np.testing.assert_array_equal(np.asarray(found), sh.irradiance(normal, light))


def test_the_mirrored_light_shades_the_mirrored_normals_alike(rng, unit_vectors):
    light = rng.normal(size=(9, 3))
    np.testing.assert_allclose(
        sh.irradiance(unit_vectors * [-1, 1, 1], sh.mirror(light)),
        sh.irradiance(unit_vectors, light),
        rtol=0,
        atol=1e-12,
    )
