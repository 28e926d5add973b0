"""The shader in the browser against `render.py`, pixel by pixel; and the page's spherical harmonics against ours."""

import base64
import json
from dataclasses import dataclass

import numpy as np
import pytest

from illures.io.formats import SHADING_SCALE
from illures.io.photos import as_linear
from illures.math import sh
from illures.math.color import linear_to_srgb
from illures.math.normals import normalize
from illures.relighting.lamps import Lamp
from illures.relighting.light import Light, direction_of
from illures.render import render, shade
from illures.web.server.facemaps import Maps, compose
from illures.web.server.pack import unpack

DRAW = """async ({path, looks, paint}) => {
  const { Renderer, loadShaders } = await import("/static/js/renderer.js");
  const { parseMaps } = await import("/static/js/maps.js");
  const maps = parseMaps(await (await fetch(path)).arrayBuffer());
  const renderer = new Renderer(document.createElement("canvas"), await loadShaders());
  renderer.load(maps);
  const whole = { x: 0, y: 0, width: maps.width, height: maps.height };
  const text = (image) => { let s = ""; for (const v of image.data) s += String.fromCharCode(v); return btoa(s); };
  const out = looks.map((look) => text(renderer.picture(look, whole, maps.width, maps.height)));
  const layer = new ImageData(Uint8ClampedArray.from(atob(paint), (c) => c.charCodeAt(0)), maps.width, maps.height);
  renderer.setPaint(layer, 0, 0);
  out.push(text(renderer.picture(looks[0], whole, maps.width, maps.height)));
  return out;
}"""


@pytest.fixture(scope="module")
def page(browser, address):
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    yield page
    page.close()


@pytest.fixture(scope="module")
def path(page, example) -> str:
    script = """async () => {
      const api = await import("/static/js/api.js");
      return (await api.openPhoto(await api.example(), "a.jpg")).id;
    }"""
    return f"/api/photos/{page.evaluate(script)}/faces/0/maps?side=300"


def lights() -> list[np.ndarray]:
    """A lamp at the side, coloured light from below, and one that SH rings to below zero on."""
    hard = Lamp(direction_of(-80, 10), np.array([2.0, 1.2, 0.4]), 2.0).sh
    return [Light.from_direction(60, 30).sh, Light.from_direction(-20, -50, color=(1.4, 0.5, 0.2)).sh, hard]


def bent(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """Where the brightest channel is above 3/4, or the photo's own, toward 1 by a hyperbola, all channels alike."""
    start, peak = np.maximum(old.max(-1, keepdims=True), 0.75), new.max(-1, keepdims=True)
    least = 1 - (1 - start) ** 2 / np.maximum(peak + 1 - 2 * start, 1e-6)
    return np.where(peak > start, new * least / np.maximum(peak, 1e-6), new)


@dataclass
class Reference:
    """The maps that the page got, and what `render.py` makes of them."""

    image: np.ndarray
    maps: dict[str, np.ndarray]
    rect: tuple[slice, slice]
    light: np.ndarray
    floor: float

    @classmethod
    def of(cls, about: dict, arrays: dict[str, np.ndarray]) -> "Reference":
        x0, y0, x1, y1 = about["rect"]
        maps = {name: array.astype(np.float32) for name, array in arrays.items()}
        maps["normal"] = normalize(maps["normal"])
        rect = slice(y0, y1), slice(x0, x1)
        return cls(as_linear(arrays["photo"]), maps, rect, np.array(about["light"], np.float32), about["floor"])

    def shading(self, light: np.ndarray) -> np.ndarray:
        return shade(self.maps["normal"], light.astype(np.float32))

    def gain(self, light: np.ndarray) -> np.ndarray:
        """Shading under a light over that under the photo's own."""
        own = self.shading(self.light)
        return np.minimum(np.maximum(self.shading(light), self.floor) / np.maximum(own, self.floor), 4)

    def relit(self, light: np.ndarray, kept: float) -> np.ndarray:
        """Codes of the photo under a light, with a share of the residual."""
        out, residual = self.image.copy(), kept * self.maps["residual"] * self.gain(light)
        face = render(self.maps["albedo"], self.maps["normal"], light.astype(np.float32), residual)
        inner = out[self.rect]
        inner += self.maps["weight"][..., :1] / 255 * (bent(face, inner) - inner)
        return linear_to_srgb(np.clip(out, 0, 1)) * 255

    def plain(self, light: np.ndarray) -> np.ndarray:
        """Where nothing is mixed or limited."""
        unlimited = (
            (self.shading(self.light) > self.floor) & (self.gain(light) < 4) & (self.shading(light) > self.floor)
        )
        return (self.maps["weight"][..., 0] == 255) & unlimited.all(-1)

    def painted(self, light: np.ndarray, kept: float, paint: np.ndarray) -> np.ndarray:
        """Codes of the photo under a light, with painted albedo."""
        weight, own = self.maps["weight"] / 255, self.shading(self.light)
        maps = Maps(
            self.image[self.rect], self.maps["albedo"], self.maps["normal"], self.maps["residual"],
            weight[..., 1], weight[..., 0], own, self.floor,
        )  # fmt: skip
        return linear_to_srgb(np.clip(compose(maps, light, kept, paint[self.rect]), 0, 1)) * 255


def test_every_pixel_is_that_of_render(page, address, path, rng):
    """Half floats, the texture units and the GPU's curves together stay within one code of 255."""
    about, arrays = unpack(page.request.get(address + path).body())
    reference, shape = Reference.of(about, arrays), arrays["photo"].shape[:2]
    looks = [(lights()[0], 0.5), (lights()[1], 1.0), (lights()[2], 0.0), (np.array(about["light"]), 1.0)]
    x0, y0, x1, y1 = about["rect"]
    paint = np.zeros((*shape, 4), np.uint8)
    cy, cx = (y0 + y1) // 2, (x0 + x1) // 2
    paint[cy - 20 : cy + 20, cx - 20 : cx + 20] = rng.integers(0, 256, 4)
    paint[cy - 20 : cy, cx - 20 : cx + 20, 3] = 255
    asked = [{"mode": "relit", "light": light.tolist(), "kept": kept} for light, kept in looks]
    asked += [{"mode": mode, "light": looks[0][0].tolist()} for mode in ("photo", "rebuilt")]
    coded = page.evaluate(DRAW, {"path": path, "looks": asked, "paint": base64.b64encode(paint.tobytes()).decode()})
    drawn = [np.frombuffer(base64.b64decode(text), np.uint8).reshape(*shape, 4)[..., :3] for text in coded]

    for picture, (light, kept) in zip(drawn, looks, strict=False):
        difference = np.abs(picture - reference.relit(light, kept))
        assert difference.max() < 1.01 and difference.mean() < 0.3
    # All of the residual kept: the photo times new light over old, whatever albedo and residual are.
    plain, inner = reference.plain(looks[1][0]), reference.image[reference.rect]
    ratio = 255 * linear_to_srgb(np.clip(bent(inner * reference.gain(looks[1][0]), inner), 0, 1))
    assert plain.sum() > 100 and np.abs(drawn[1][reference.rect] - ratio)[plain].max() < 2
    for picture in (drawn[3], drawn[4], drawn[5]):  # its own light, the photo, the sum of its parts
        assert np.abs(picture.astype(int) - arrays["photo"]).max() <= 1
    difference = np.abs(drawn[-1][reference.rect] - reference.painted(*looks[0], paint))
    # Paint is stored times its cover in 8 bits, so that half-covered pixels are a little coarser.
    assert difference.max() < 3 and np.abs(drawn[-1] - drawn[0].astype(int)).max() > 20


def test_maps_are_shown_as_files_hold_them(page, address, path):
    about, arrays = unpack(page.request.get(address + path).body())
    x0, y0, x1, y1 = about["rect"]
    inside = arrays["weight"][..., 1] == 255
    light = lights()[0]
    asked = [{"mode": mode, "light": light.tolist()} for mode in ("albedo", "normal", "shading", "residual")]
    bare = base64.b64encode(bytes(about["width"] * about["height"] * 4)).decode()
    coded = page.evaluate(DRAW, {"path": path, "looks": asked, "paint": bare})
    shape = (about["height"], about["width"], 4)
    albedo, normal, shading, residual = (
        np.frombuffer(base64.b64decode(text), np.uint8).reshape(shape)[y0:y1, x0:x1, :3][inside] for text in coded[:4]
    )
    values = {name: arrays[name].astype(np.float32)[inside] for name in ("albedo", "normal", "residual")}
    unit = normalize(values["normal"])
    for got, linear in ((albedo, values["albedo"]), (shading, shade(unit, light.astype(np.float32)) / SHADING_SCALE)):
        assert np.abs(got - 255 * linear_to_srgb(np.clip(linear, 0, 1))).max() < 1.01
    assert np.abs(normal - 255 * (unit + 1) / 2).max() < 1.01
    assert np.abs(residual - 255 * np.clip(values["residual"] + 0.5, 0, 1)).max() < 1.01


def test_harmonics_of_the_page(page, rng):
    """basis, lamps, turning and JSON of js/sh.js and js/light.js are those of the package."""
    directions = rng.standard_normal((20, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    light = rng.standard_normal((9, 3))
    got = page.evaluate(
        """async ({directions, light}) => {
          const sh = await import("/static/js/sh.js");
          return { basis: directions.map(sh.basis), shade: directions.map((d) => sh.shade(d, light)),
            lamp: sh.lampSH(sh.directionOf(30, -20), [1, 2, 3], 25), turned: sh.turned(light, 70),
            angles: directions.map((d) => sh.directionOf(...sh.anglesOf(d))), hex: sh.hexOf(sh.linearOf("#12ab9f")) };
        }""",
        {"directions": directions.tolist(), "light": light.tolist()},
    )
    np.testing.assert_allclose(got["basis"], sh.basis(directions), atol=1e-12)
    np.testing.assert_allclose(got["shade"], shade(directions, light), atol=1e-12)
    np.testing.assert_allclose(got["lamp"], Lamp(direction_of(30, -20), np.array([1.0, 2, 3]), 25.0).sh, atol=1e-12)
    angle = np.deg2rad(70)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    np.testing.assert_allclose(got["turned"], sh.rotate(light, turn), atol=1e-10)
    np.testing.assert_allclose(got["angles"], directions, atol=1e-12)
    assert got["hex"] == "#12ab9f"


def test_light_of_the_page_as_json(page, path, address, tmp_path):
    """A preset taken apart into lamps and surroundings, and put together again, is the same light."""
    presets = page.request.get(address + path.replace("maps?side=300", "presets")).json()
    preset = next(entry for entry in presets if entry["name"] == "three-point")
    text = page.evaluate(
        """async ({path, light}) => {
          const { LightModel } = await import("/static/js/light.js");
          const { parseMaps } = await import("/static/js/maps.js");
          const model = new LightModel(parseMaps(await (await fetch(path)).arrayBuffer()));
          model.set(light, "three-point");
          const same = model.toDict();
          model.edit({ rotation: 40, exposure: 1 });
          return JSON.stringify([same, model.toDict()]);
        }""",
        {"path": path, "light": preset["light"]},
    )
    same, turned = json.loads(text)
    np.testing.assert_allclose(same["sh"], preset["light"]["sh"], atol=1e-5)
    (tmp_path / "light.json").write_text(json.dumps(turned))
    back = Light.from_json(tmp_path / "light.json")
    angle = np.deg2rad(40)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    (tmp_path / "preset.json").write_text(json.dumps(preset["light"]))
    expected = Light.from_json(tmp_path / "preset.json").rotated(turn).scaled(2.0)
    np.testing.assert_allclose(back.sh, expected.sh, atol=1e-4)
    assert len(back.lamps) == len(expected.lamps) == 3
    for a, b in zip(back.lamps, expected.lamps, strict=True):
        np.testing.assert_allclose(a.direction, b.direction, atol=1e-5)
        np.testing.assert_allclose(a.irradiance, b.irradiance, atol=1e-4)
