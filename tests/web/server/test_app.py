"""The studio's server with the real network: photos, maps, lights and clips."""

import asyncio
import io
import json
from dataclasses import replace

import httpx
import numpy as np
from PIL import Image

from clips import pictures, write_clip
from event_loop import run_coroutine
from illures.math.color import linear_to_srgb
from illures.relighting.light import Light
from illures.relighting.presets import PRESETS
from illures.render import render
from illures.web.server.app import create_app
from illures.web.server.pack import unpack
from studio_client import LIMITS, LOCAL, original


def test_a_photo(photo):
    assert photo["name"] == "astro.jpg" and (photo["width"], photo["height"]) == (512, 512)
    (face,) = photo["faces"]
    (x0, y0), (x1, y1) = face["corners"]
    assert 0.3 < x0 < 0.45 < x1 < 0.6 and 0.1 < y0 < 0.2 < y1 < 0.4


def test_maps_give_the_photo_back(maps):
    about, arrays = maps
    x0, y0, x1, y1 = about["rect"]
    values = {name: array.astype(np.float32) for name, array in arrays.items()}
    image = render(values["albedo"], values["normal"], np.float32(about["light"]), values["residual"])
    codes = np.round(linear_to_srgb(np.clip(image, 0, 1)) * 255)
    assert np.abs(codes - arrays["photo"][y0:y1, x0:x1]).max() <= 1
    np.testing.assert_array_equal(arrays["photo"], original())


def test_textures_no_larger_than_asked(client, photo):
    about, arrays = unpack(client.get(f"/api/photos/{photo['id']}/faces/0/maps?side=200").content)
    assert (about["width"], about["height"]) == (200, 200) and arrays["photo"].shape == (200, 200, 3)
    x0, y0, x1, y1 = about["rect"]
    assert arrays["normal"].shape == (y1 - y0, x1 - x0, 3)
    assert x0 < about["centre"][0] < x1 and y0 < about["centre"][1] < y1


def test_presets_and_lights_of_files(client, photo, example, rng):
    path = f"/api/photos/{photo['id']}/faces/0"
    assert [entry["name"] for entry in client.get(f"{path}/presets").json()] == list(PRESETS)
    buffer = io.BytesIO()
    radiance = np.full((32, 64, 3), 0.2, np.float32)
    radiance[14:18, :3] = radiance[14:18, -3:] = 40  # behind the camera
    np.save(buffer, radiance)
    light = client.post(f"{path}/light?kind=hdri&name=a.npy", content=buffer.getvalue()).json()
    assert light["lamps"] and light["lamps"][0]["direction"][2] > 0.9
    for colour in (False, True):
        light = client.post(f"{path}/light?kind=photo&name=b.jpg&keep_colour={colour}", content=example)
        assert light.status_code == 200 and np.shape(light.json()["sh"]) == (9, 3)
    text = json.dumps(Light.from_direction(10, 20).to_dict())
    assert client.post(f"{path}/light?kind=json&name=l.json", content=text).json() == json.loads(text)


def test_a_forgotten_photo(client, example):
    id = client.post("/api/photos", content=example).json()["id"]
    assert client.delete(f"/api/photos/{id}").status_code == 204
    answer = client.get(f"/api/photos/{id}/faces/0/maps")
    assert answer.status_code == 404 and "open it again" in answer.json()["error"]


def test_uploads_of_a_small_crowd_are_all_served(worker, example):
    """24 at once, 2 at a time: each gets its face, and nobody is told to try again."""
    app = create_app(replace(LIMITS, at_work=2), worker=worker)

    async def visits() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=LOCAL, timeout=600) as visitor:
            return await asyncio.gather(*(visitor.post("/api/photos?name=a.jpg", content=example) for _ in range(24)))

    answers = run_coroutine(visits())
    assert [answer.status_code for answer in answers] == [201] * 24
    assert all(len(answer.json()["faces"]) == 1 for answer in answers)
    assert len({answer.json()["id"] for answer in answers}) == 24


def test_a_clip(client, tmp_path):
    path = write_clip(tmp_path / "a.mp4", pictures(20))
    opened = client.post("/api/clips?name=a.mp4", content=path.read_bytes())
    assert opened.status_code == 201
    clip = opened.json()
    answer = client.get(f"/api/clips/{clip['id']}/frame?time={clip['duration'] / 2}")
    assert answer.status_code == 200 and abs(float(answer.headers["x-time"]) - clip["duration"] / 2) < 0.2
    assert Image.open(io.BytesIO(answer.content)).size == (clip["width"], clip["height"])
    bad = client.post("/api/clips?name=b.mp4", content=b"no clip at all")
    assert bad.status_code == 422 and bad.json()["error"].startswith("b.mp4: ")
