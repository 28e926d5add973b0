"""Laws of the converters of lights that hold for any light and any turn, found by hypothesis."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from illures.math import sh

lights = arrays(np.float64, (9, 3), elements=st.floats(-10, 10))
angles = st.floats(-180, 180)


def turned(yaw: float, pitch: float, roll: float) -> np.ndarray:
    return Rotation.from_euler("yxz", [yaw, pitch, roll], degrees=True).as_matrix()


@given(lights)
def test_lights_go_to_other_tools_and_back(light):
    np.testing.assert_allclose(sh.from_sfsnet(sh.to_sfsnet(light)), light, rtol=0, atol=1e-11)
    grey = light[:, :1] * np.ones(3)
    np.testing.assert_allclose(sh.from_dpr(sh.to_dpr(grey)), grey, rtol=0, atol=1e-11)
    mean = np.repeat(light.mean(axis=1, keepdims=True), 3, axis=1)
    np.testing.assert_allclose(sh.from_dpr(sh.to_dpr(light)), mean, rtol=0, atol=1e-11)


@given(lights, angles, angles, angles)
def test_shading_turns_with_the_light(light, yaw, pitch, roll):
    rotation = turned(yaw, pitch, roll)
    normal = np.random.default_rng(0).normal(size=(30, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    before, after = sh.irradiance(normal, light), sh.irradiance(normal @ rotation.T, sh.rotate(light, rotation))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-10)


@given(lights, angles, angles, angles)
def test_turns_keep_the_power_of_each_degree_and_follow_each_other(light, yaw, pitch, roll):
    first, second = turned(yaw, pitch, roll), turned(roll, yaw, pitch)
    once = sh.rotate(light, first)
    for degree in (slice(0, 1), slice(1, 4), slice(4, 9)):
        power = [(values[degree] ** 2).sum(axis=0) for values in (light, once)]
        np.testing.assert_allclose(power[1], power[0], rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(sh.rotate(once, second), sh.rotate(light, second @ first), rtol=0, atol=1e-10)


@given(lights)
def test_a_light_is_found_again_in_its_shading(light):
    normal = np.random.default_rng(1).normal(size=(200, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    found = sh.fit(normal, sh.irradiance(normal, light), ridge=1e-12)
    np.testing.assert_allclose(found, light, rtol=0, atol=1e-7)
