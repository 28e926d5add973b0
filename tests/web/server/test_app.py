"""The server's interface with the real network: what it gives, what it turns away, and that it lives on."""

import base64
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from clips import pictures, write_clip
from fake_jobs import wait_for
from illures.io.formats import MAPS, Format
from illures.io.photos import as_linear, read_photo
from illures.math.color import linear_to_srgb
from illures.relighting.light import Light
from illures.relighting.presets import PRESETS
from illures.render import render, shade
from illures.web.server.app import create_app
from illures.web.server.limits import Limits
from illures.web.server.pack import unpack
from illures.web.server.worker import _BEGUN, Worker, WorkError

LOCAL = "http://127.0.0.1:8000"
LIMITS = Limits(photo_bytes=8_000_000, clip_bytes=8_000_000, pixels=16_000_000, work_s=60)


@pytest.fixture(scope="module")
def client(worker) -> TestClient:
    return TestClient(create_app(LIMITS, worker=worker), base_url=LOCAL)  # no lifespan: the worker is shared


@pytest.fixture(scope="module")
def photo(client, example) -> dict:
    answer = client.post("/api/photos", params={"name": "dir/astro.jpg"}, content=example)
    assert answer.status_code == 201
    return answer.json()


@pytest.fixture(scope="module")
def maps(client, photo) -> tuple[dict, dict]:
    return unpack(client.get(f"/api/photos/{photo['id']}/faces/0/maps").content)


def order(client, photo, **fields):
    return client.post(f"/api/photos/{photo['id']}/faces/0/file", json=fields)


def decoded(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    codes = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    return codes[..., ::-1] if codes.ndim == 3 else codes


def own(maps) -> dict:
    return {"sh": maps[0]["light"], "lamps": []}


def original() -> np.ndarray:
    return read_photo(str(files("illures") / "assets" / "astronaut.jpg"))


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
    # What has become brighter than 3/4 goes to white by a hyperbola.
    start = np.maximum(image, 0.75)
    lit = np.where(lit > start, 1 - (1 - start) ** 2 / np.maximum(lit + 1 - 2 * start, 1e-6), lit)
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


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def bomb() -> bytes:
    """A whole picture of 144 megapixels in a few kilobytes."""
    buffer = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(buffer, "PNG")
    return buffer.getvalue()


def no_face() -> bytes:
    return cv2.imencode(".png", np.full((64, 64, 3), 128, np.uint8))[1].tobytes()


HOSTILE = {
    "empty.jpg": (lambda example: b"", "empty"),
    "cut.jpg": (lambda example: example[:20_000], "can't be read"),
    "noise.jpg": (lambda example: np.random.default_rng(0).bytes(5000), "not an image"),
    "drawing.png": (
        lambda example: b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>',
        "not an image",
    ),
    "page.jpg": (lambda example: b"<!doctype html><script>alert(1)</script>", "not an image"),
    "claims.png": (lambda example: png_header(60_000, 60_000), "pixels"),
    "bomb.png": (lambda example: bomb(), "at most 16 megapixels"),
    "hollow.png": (lambda example: png_header(300, 300), "can't be read"),
    "grey.png": (lambda example: no_face(), "no face"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_bad_files(client, example, name):
    make, words = HOSTILE[name]
    answer = client.post("/api/photos", params={"name": f"../../{name}"}, content=make(example))
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error.startswith(f"{name}: ") and words in error
    assert "\n" not in error and "/proc" not in error and "illures-" not in error


@pytest.mark.parametrize(
    "kind, name, data, words",
    [
        ("hdri", "a.hdr", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 90000 +X 180000\n", "megapixels"),
        ("hdri", "a.jpg", b"x", "environment map"),
        ("hdri", "a.npy", b"\x93NUMPY\x01\x00broken", "can't be read"),
        ("json", "a.json", b'{"sh": [1, 2]}', "9 x 3"),
        ("json", "a.json", b"[" * 5000, ""),
        ("photo", "a.png", no_face(), "no face"),
    ],
)
def test_bad_lights(client, photo, kind, name, data, words):
    answer = client.post(f"/api/photos/{photo['id']}/faces/0/light?kind={kind}&name={name}", content=data)
    assert answer.status_code == 422 and words in answer.json()["error"]


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


def test_things_that_are_not_there(client, photo):
    assert client.get("/api/photos/nothing/faces/0/maps").status_code == 404
    assert client.get(f"/api/photos/{photo['id']}/faces/5/maps").status_code == 404
    assert client.get("/static/../server/app.py").status_code == 404


def test_too_many_bytes(worker):
    client = TestClient(create_app(replace(LIMITS, photo_bytes=1000), worker=worker), base_url=LOCAL)
    assert client.post("/api/photos", content=b"x" * 1001).status_code == 413
    parts = (b"x" * 400 for _ in range(5))  # of a length that is not told
    answer = client.post("/api/photos", content=parts)
    assert answer.status_code == 413 and "0.001 MB" in answer.json()["error"]


def test_too_many_at_work(worker):
    client = TestClient(create_app(replace(LIMITS, at_work=0, waiting=0), worker=worker), base_url=LOCAL)
    answer = client.post("/api/photos", content=b"x")
    assert answer.status_code == 429 and answer.headers["retry-after"] and "try again" in answer.json()["error"]


def test_a_forgotten_photo(client, example):
    id = client.post("/api/photos", content=example).json()["id"]
    assert client.delete(f"/api/photos/{id}").status_code == 204
    answer = client.get(f"/api/photos/{id}/faces/0/maps")
    assert answer.status_code == 404 and "open it again" in answer.json()["error"]


def test_nothing_is_left_on_disk(client, photo, worker):
    order(client, photo, what="zip", light=Light.from_direction(0, 0).to_dict())
    assert list(worker.folder.iterdir()) == []


def test_a_process_that_dies_is_replaced(client, worker, example, monkeypatch):
    """It is killed as soon as it has said that it has begun; where it was done all the same, that is tried again."""
    received = worker._received

    def kill_at_work() -> object:
        answer = received()
        if answer == _BEGUN:
            os.kill(worker._process.pid, signal.SIGKILL)
        return answer

    for _ in range(20):
        worker._do("ready", ())
        pid = worker._process.pid
        with monkeypatch.context() as patch:
            patch.setattr(worker, "_received", kill_at_work)
            answer = client.post("/api/photos", params={"name": "a.jpg"}, content=example)
        if answer.status_code != 201:
            break
    assert answer.status_code == 422 and "ended" in answer.json()["error"]
    assert client.get("/api/info").status_code == 200
    assert client.post("/api/photos", content=example).status_code == 201
    assert worker._process.pid != pid


def test_work_that_takes_too_long_is_stopped():
    worker = Worker(replace(LIMITS, work_s=0.05))
    try:
        with pytest.raises(WorkError, match="longer than"):
            worker._do("ready", ())
        assert worker._process is None
    finally:
        worker.close()


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


SERVER = """
import sys
from illures.web.server.limits import Limits
from illures.web.server.worker import Worker
if __name__ == "__main__":
    worker = Worker(Limits())
    worker._do("ready", ())
    print(worker.folder, flush=True)
    sys.stdin.readline()
"""


def test_a_server_that_is_killed_leaves_nothing_on_disk(tmp_path):
    """Its worker, which lives on for a moment, removes the folder."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    (tmp_path / "temporary").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "temporary"), "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, script], stdin=pipe, stdout=pipe, text=True, env=environment)
    try:
        folder = Path(process.stdout.readline().strip())
        assert folder.is_dir() and folder.parent == tmp_path / "temporary"
    finally:
        process.kill()
        process.communicate(timeout=60)
    wait_for(lambda: not folder.exists())
    assert not list(folder.parent.glob("illures-*"))


def test_servers_that_never_start_work_leave_nothing_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    TestClient(create_app(LIMITS), base_url=LOCAL).get("/")
    assert list(tmp_path.iterdir()) == []
