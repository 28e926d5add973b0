"""Files that the studio saves: they are those of the one equation and of `illures decompose`, painted or not."""

import base64
import io
import json
import zipfile

import cv2
import numpy as np
import pytest

from illures.io.formats import MAPS, Format
from illures.io.photos import as_linear
from illures.math.color import linear_to_srgb
from illures.relighting.light import Light
from illures.render import render, shade
from studio_client import decoded, order, original, own


def test_its_own_light_gives_the_photo(client, photo, maps):
    np.testing.assert_array_equal(decoded(order(client, photo, light=own(maps))), original())


def test_another_light_is_the_one_equation(client, photo, maps):
    about, arrays = maps
    light = Light.from_direction(60, 20)
    got = decoded(order(client, photo, light=light.to_dict(), kept=0.5)).astype(int)
    x0, y0, x1, y1 = about["rect"]
    values = {name: array.astype(np.float32) for name, array in arrays.items()}
    new, old = (
        np.maximum(shade(values["normal"], np.float32(which)), about["floor"]) for which in (light.sh, about["light"])
    )
    along = 0.5 * np.minimum(new / old, 4) * values["residual"]
    lit = render(values["albedo"], values["normal"], np.float32(light.sh), along)
    image = as_linear(original())[y0:y1, x0:x1]
    # Pixels whose brightest channel has passed 3/4 are compressed by a hyperbola, all channels alike.
    start, peak = np.maximum(image.max(-1, keepdims=True), 0.75), lit.max(-1, keepdims=True)
    least = 1 - (1 - start) ** 2 / np.maximum(peak + 1 - 2 * start, 1e-6)
    lit = np.where(peak > start, lit * least / np.maximum(peak, 1e-6), lit)
    expected = image + values["weight"][..., :1] / 255 * (lit - image)
    codes = np.round(linear_to_srgb(np.clip(expected, 0, 1)) * 255)
    assert np.abs(got[y0:y1, x0:x1] - codes).max() <= 1
    outside = np.ones(got.shape[:2], bool)
    outside[y0:y1, x0:x1] = False
    np.testing.assert_array_equal(got[outside], original()[outside])


def test_16_bits_agree_with_8(client, photo):
    light = Light.from_direction(-40, 30).to_dict()
    eight, deep = (decoded(order(client, photo, light=light, kind=kind)) for kind in ("png", "png16"))
    assert deep.dtype == np.uint16 and len(np.unique(deep)) > 300
    # The matte's edge amplifies what the crop's rounding leaves.
    off = np.abs(deep / 257 - eight)
    assert off.max() <= 4 and (off > 1.01).mean() < 1e-3


def test_new_shadows(client, photo, maps):
    """A lamp at the side: the far half of the face is darker than with the plain equation, and not the same picture."""
    light = Light.from_direction(75, 10).to_dict()
    plain, cast = (decoded(order(client, photo, light=light, shadows=s)).astype(float) for s in (False, True))
    assert np.abs(plain - cast).mean() > 0.2
    small = decoded(order(client, photo, light=light, shadows=True, side=128, kind="jpg"))
    assert small.shape == (128, 128, 3)


def test_paint_is_lit(client, photo, maps):
    """White paint on the forehead is brighter than skin, and darker where the light is turned away."""
    about = maps[0]
    x, y = (round(v) for v in about["centre"])
    paint = np.zeros((512, 512, 4), np.uint8)
    paint[y - 10 : y + 10, x - 30 : x + 30] = 255
    text = base64.b64encode(cv2.imencode(".png", paint)[1].tobytes()).decode()
    for shadows in (False, True):
        light = Light.from_direction(70, 0, ambient=0.1).to_dict()
        bare = decoded(order(client, photo, light=light, shadows=shadows)).astype(float)
        with_paint = decoded(order(client, photo, light=light, paint=text, shadows=shadows)).astype(float)
        change = (with_paint - bare).mean(-1)
        assert change[y - 8 : y + 8, x - 25 : x + 25].mean() > 20
        untouched = np.ones(change.shape, bool)
        untouched[y - 10 : y + 10, x - 30 : x + 30] = False
        assert not change[untouched].any()
        assert with_paint[y, x + 20 : x + 28].mean() > with_paint[y, x - 28 : x - 20].mean() + 20
    albedo = decoded(order(client, photo, what="albedo", paint=text))
    assert albedo[y, x].min() > 250


def test_maps_are_those_of_decompose(client, photo):
    values = {}
    for name in MAPS:
        codes = decoded(order(client, photo, what=name, kind="png16"))
        assert codes.shape[:2] == (512, 512) and codes.dtype == np.uint16
        values[name] = Format("png16").decode(name, codes)
    total = values["albedo"] * values["shading"] + values["residual"]
    assert np.abs(total - as_linear(original())).max() < 2e-3


def test_everything_as_zip(client, photo, tmp_path):
    light = Light.from_direction(20, 40)
    answer = order(client, photo, what="zip", light=light.to_dict(), kind="png")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = {f"astro/{n}" for n in ("relit.png", "light.json", "studio.json", *(f"{m}.png" for m in MAPS))}
        assert set(archive.namelist()) == names
        archive.extract("astro/light.json", tmp_path)
        assert json.loads(archive.read("astro/studio.json"))["photo"] == "astro.jpg"
    back = Light.from_json(tmp_path / "astro" / "light.json")
    np.testing.assert_allclose(back.sh, light.sh, atol=1e-5)
    assert len(back.lamps) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"what": "passwords"},
        {"kept": 2},
        {"kept": "NaN"},
        {"paint": "%%%"},
        {"paint": "aGVsbG8="},
        {"light": {}},
        {"x": 1},
    ],
)
def test_bad_orders(client, photo, maps, fields):
    answer = order(client, photo, **{"light": own(maps), **fields})
    assert answer.status_code == 422 and answer.json()["error"]
