"""Lights: every way to make one, against witnesses that know nothing of it."""

import json

import numpy as np
import pytest

from illures.errors import InputError
from illures.io.environment_maps import DIRECTIONS, HEIGHT, WIDTH
from illures.math import sh
from illures.relighting.lamps import dominant_lamp, find_lamps
from illures.relighting.light import PRESETS, Lamp, Light, direction_of
from illures.render import shade


def disc(direction: np.ndarray, radius_deg: float, height: int = 512) -> np.ndarray:
    """A map that is 1 on a disc."""
    inside = sh.directions(height, 2 * height) @ direction > np.cos(np.deg2rad(radius_deg))
    return np.repeat(inside[..., None], 3, axis=-1).astype(np.float64)


def test_coefficients_of_a_lamp_are_those_of_its_disc():
    direction, radius = direction_of(40, 25), 20.0
    radiance = disc(direction, radius)
    # Irradiance / pi of a disc of radiance 1 on a surface that faces it is sin² of its radius.
    expected = sh.project_environment(radiance)
    lamp = Lamp(direction, np.full(3, 2 * (1 - np.cos(np.deg2rad(radius)))), radius)
    np.testing.assert_allclose(lamp.sh, expected, rtol=0, atol=0.01 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("azimuth", "elevation", "expected"), [(0, 0, [0, 0, 1]), (90, 0, [1, 0, 0]), (0, 90, [0, 1, 0])]
)
def test_azimuth_goes_to_image_right_and_elevation_up(azimuth, elevation, expected):
    np.testing.assert_allclose(direction_of(azimuth, elevation), expected, atol=1e-12)


def test_a_direction_lights_what_faces_it_most(unit_vectors):
    light = Light.from_direction(-50, 30, ambient=0.2, color=(1, 0.5, 0.25))
    shading = shade(unit_vectors, light.sh)
    best = unit_vectors[np.argmax(shading[:, 0])]
    assert best @ direction_of(-50, 30) > 0.98
    facing = shade(direction_of(-50, 30)[None], light.sh)[0]
    np.testing.assert_allclose(facing, [1, 0.5, 0.25], rtol=0.06)
    np.testing.assert_allclose(shade(unit_vectors, light.ambient), np.full((500, 3), 0.2) * [1, 0.5, 0.25], atol=1e-9)


def test_mirroring_and_turning_act_on_what_is_lit(unit_vectors):
    light = Light.preset("golden-hour")
    flipped = unit_vectors * [-1, 1, 1]
    np.testing.assert_allclose(shade(flipped, light.mirrored().sh), shade(unit_vectors, light.sh), atol=1e-9)
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    turned = light.rotated(turn)
    np.testing.assert_allclose(shade(unit_vectors @ turn.T, turned.sh), shade(unit_vectors, light.sh), atol=1e-9)
    for lamps in (light.mirrored().lamps, turned.lamps):
        np.testing.assert_allclose(sum(lamp.sh for lamp in lamps)[0], light.lamps[0].sh[0], atol=1e-9)
    np.testing.assert_allclose(turned.lamps[0].sh, sh.rotate(light.lamps[0].sh, turn), atol=1e-9)


def test_layouts_of_other_tools_come_back(rng):
    ours = rng.random((9, 3)) + 0.1
    np.testing.assert_allclose(Light.from_sh(ours).sh, ours)
    np.testing.assert_allclose(Light.from_sh(ours.ravel()).sh, ours)
    np.testing.assert_allclose(Light.from_sh(sh.to_sfsnet(ours).T.ravel(), "sfsnet").sh, ours, atol=1e-9)
    grey = np.repeat(ours[:, :1], 3, axis=1)
    np.testing.assert_allclose(Light.from_sh(sh.to_dpr(grey), "dpr").sh, grey, atol=1e-9)
    np.testing.assert_allclose(Light.from_sh(ours[:, 0]).sh, grey)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_light_a_face_and_nothing_is_negative_in_them(name, unit_vectors):
    light = Light.preset(name)
    assert luminous(light) > 0
    assert all(lamp.irradiance.min() >= 0 for lamp in light.lamps)
    assert shade(unit_vectors, light.ambient).min() >= 0


def luminous(light: Light) -> float:
    front = sh.directions(16, 32).reshape(-1, 3)
    return float(shade(front[front[:, 2] > 0], light.sh).mean())


def test_a_map_turns_toward_image_right(tmp_path):
    radiance = 0.1 + 50 * disc(np.array([0.0, 0, 1]), 8, HEIGHT)
    np.save(tmp_path / "lamp.npy", radiance.astype(np.float32))
    still, turned = (Light.from_hdri(tmp_path / "lamp.npy", rotation) for rotation in (0.0, 60.0))
    assert still.lamps[0].direction @ direction_of(0, 0) > 0.999
    assert turned.lamps[0].direction @ direction_of(60, 0) > 0.999
    np.testing.assert_allclose(Light.from_hdri(tmp_path / "lamp.npy", exposure_stops=1).sh, 2 * still.sh, rtol=1e-5)


def test_lamps_are_found_where_they_are_and_as_strong():
    places, strengths = (direction_of(50, 20), direction_of(-70, -10)), (300.0, 120.0)
    radiance = np.full((HEIGHT, WIDTH, 3), 0.3)
    for place, strength in zip(places, strengths, strict=True):
        radiance += strength * disc(place, 4, HEIGHT)
    lamps = find_lamps(radiance)
    assert len(lamps) == 2
    for lamp, place, strength in zip(lamps, places, strengths, strict=True):
        assert lamp.direction @ place > 0.999
        np.testing.assert_allclose(lamp.irradiance, strength * 2 * (1 - np.cos(np.deg2rad(4))), rtol=0.1)
        assert 2 < lamp.radius_deg < 6
    light = Light.from_environment(radiance)
    assert np.abs(light.ambient[1:]).max() < 0.1 * np.abs(light.sh[1:]).max()


def test_even_light_has_no_lamps():
    assert find_lamps(np.ones((HEIGHT, WIDTH, 3))) == ()
    even = np.zeros((9, 3))
    even[0] = 3
    assert dominant_lamp(even) == ()
    assert not Light.from_environment(np.ones((HEIGHT, WIDTH, 3))).lamps


def test_directed_coefficients_have_a_lamp_there():
    (lamp,) = dominant_lamp(Light.from_direction(30, 10, ambient=0.1).sh)
    assert lamp.direction @ direction_of(30, 10) > 0.999
    assert 0.6 < lamp.irradiance[0] < 1


def test_json_comes_back(tmp_path):
    light = Light.preset("neon")
    (tmp_path / "light.json").write_text(json.dumps(light.to_dict()))
    back = Light.from_json(tmp_path / "light.json")
    np.testing.assert_allclose(back.sh, light.sh, atol=1e-5)
    assert len(back.lamps) == 2
    np.testing.assert_allclose(back.lamps[1].irradiance, light.lamps[1].irradiance, atol=1e-5)


def test_the_upright_light_of_a_decomposition_is_taken(tmp_path, rng):
    tilted, upright = rng.random((2, 9, 3)) + 0.1
    content = {"convention": "...", "light": tilted.tolist(), "light_upright": upright.tolist()}
    (tmp_path / "light.json").write_text(json.dumps(content))
    np.testing.assert_allclose(Light.from_json(tmp_path / "light.json").sh, upright)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "can't be read as JSON"),
        ("[1, 2]", "not a light"),
        ('{"sh": [[1, 2, 3]]}', r"\(1, 3\); must be 9 x 3"),
        ('{"sh": "abc"}', "something else than numbers"),
        ('{"sh": [[NaN, 1, 1]]}', "must be 9 x 3"),
        ('{"light": 3, "lamps": 4}', "something else"),
    ],
)
def test_json_of_another_layout_is_named(tmp_path, content, words):
    path = tmp_path / "wrong.json"
    path.write_text(content)
    with pytest.raises(InputError, match=f"wrong.json: .*{words}"):
        Light.from_json(path)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Light.preset("nothing"),
        lambda: Light.from_direction(0, 100),
        lambda: Light.from_direction(0, 0, ambient=2),
        lambda: Light.from_direction(0, 0, color=(1, -1, 0)),
        lambda: Light.from_sh(np.zeros(9)),
        lambda: Light.from_sh(np.ones(8)),
        lambda: Light.from_sh(np.ones(27), "dpr"),
        lambda: Light.from_sh(np.ones(9), "other"),
        lambda: Light.from_sh(np.full(9, np.nan)),
    ],
)
def test_values_out_of_range_are_refused(make):
    with pytest.raises(InputError):
        make()


def test_directions_of_maps_and_lamps_agree():
    column = np.argmax(DIRECTIONS[HEIGHT // 2] @ direction_of(90, 0).astype(np.float32))
    assert abs(column - 3 * WIDTH / 4) < 2  # image right lies in the right half
