import numpy as np

from illures.render import render, shade


def test_image_is_albedo_times_shading_plus_residual(rng, unit_vectors):
    light, albedo = rng.standard_normal((9, 3)), rng.random((500, 3))
    residual = rng.standard_normal((500, 3))
    image = render(albedo, unit_vectors, light, residual)
    np.testing.assert_allclose((image - residual) / albedo, shade(unit_vectors, light), rtol=0, atol=1e-9)
    np.testing.assert_array_equal(render(albedo, unit_vectors, light), albedo * shade(unit_vectors, light))
