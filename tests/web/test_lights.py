"""The studio's lights against those of the command line (`illures.relighting.sources`), on the same face."""

from __future__ import annotations

import numpy as np
import pytest

from illures.decompose.decomposer import Decomposer
from illures.decompose.decomposition import Decomposition
from illures.io.photos import read_photo
from illures.model.weights import FAST
from illures.relighting import sources
from illures.relighting.light import Light

MOVES = ((45, 25), (-70, 0), (10, 60), (150, 20), (-20, -45))


@pytest.fixture(scope="module")
def face(example, tmp_path_factory) -> Decomposition:
    path = tmp_path_factory.mktemp("photo") / "a.jpg"
    path.write_bytes(example)
    return Decomposer.from_pretrained(FAST)(read_photo(path))[0]  # as the studio does


@pytest.fixture(scope="module")
def page(browser, address):
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    yield page
    page.close()


@pytest.fixture(scope="module")
def path(page) -> str:
    """Of the face on the server."""
    script = """async () => {
      const api = await import("/static/js/api.js");
      return (await api.openPhoto(await api.example(), "a.jpg")).id;
    }"""
    return f"/api/photos/{page.evaluate(script)}/faces/0"


def assert_same(shown: dict, light: Light, part: float = 1e-5) -> None:
    """The page's JSON and a light: SH, and lamps one by one; to a part of the light's strength."""
    expected = light.to_dict()
    allowed = part * float(np.abs(light.sh[0]).max()) + 2e-6
    np.testing.assert_allclose(shown["sh"], expected["sh"], atol=allowed)
    assert len(shown["lamps"]) == len(expected["lamps"])
    for got, lamp in zip(shown["lamps"], expected["lamps"], strict=True):
        np.testing.assert_allclose(got["direction"], lamp["direction"], atol=1e-5)
        np.testing.assert_allclose(got["irradiance"], lamp["irradiance"], atol=allowed)
        assert got["radius_deg"] == pytest.approx(lamp["radius_deg"])


def test_presets_are_those_of_the_command_line(page, address, path, face):
    """Through the server and the page's model, which takes a light apart and puts it together again."""
    text = """async ({path}) => {
      const { LightModel } = await import("/static/js/light.js");
      const { parseMaps } = await import("/static/js/maps.js");
      const model = new LightModel(parseMaps(await (await fetch(path + "/maps?side=300")).arrayBuffer()));
      const presets = await (await fetch(path + "/presets")).json();
      return presets.map(({ name, light }) => { model.set(light, name); return [name, model.toDict()]; });
    }"""
    shown = dict(page.evaluate(text, {"path": path}))
    expected = sources.presets(["all"])
    assert list(shown) == [source.name for source in expected]
    for source in expected:
        assert_same(shown[source.name], source.on(face))


def test_a_map_is_that_of_the_command_line(page, address, path, face, tmp_path, rng):
    radiance = rng.random((16, 32, 3)).astype(np.float32) ** 4
    radiance[5, 20] = (90, 60, 20)
    file = tmp_path / "map.npy"
    np.save(file, radiance)
    answer = page.request.post(f"{address}{path}/light?kind=hdri&name=map.npy", data=file.read_bytes())
    (source,) = sources.maps([file], 0.0)
    assert source.light.lamps
    assert_same(answer.json(), source.on(face))


def test_a_dragged_lamp_is_that_of_the_command_line(page, path, face):
    """A lamp, put down and then moved, is `--light AZIMUTH,ELEVATION` there; a strength set by hand stays."""
    text = """async ({path, moves}) => {
      const { LightModel } = await import("/static/js/light.js");
      const { parseMaps } = await import("/static/js/maps.js");
      const model = new LightModel(parseMaps(await (await fetch(path + "/maps?side=300")).arrayBuffer()));
      const shown = moves.map(([azimuth, elevation], k) => {
        if (k) model.editLamp(0, { azimuth, elevation });
        else model.addLamp(azimuth, elevation);
        return model.toDict();
      });
      model.editLamp(0, { strength: 1.25 });
      model.editLamp(0, { azimuth: 90 });
      return { shown, strength: model.lamps[0].strength };
    }"""
    got = page.evaluate(text, {"path": path, "moves": MOVES})
    for shown, (azimuth, elevation) in zip(got["shown"], MOVES, strict=True):
        (source,) = sources.directions([f"{azimuth},{elevation}"], 0.2, 6.0)
        # The page measures the face on a quarter of the points.
        assert_same(shown, source.on(face), part=0.005)
    assert got["strength"] == 1.25
