"""`illures serve` with the real network: what it gives, its errors, batches, and what supervisors are told."""

import io
import json
import re
import zipfile
from dataclasses import replace
from importlib.resources import files

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from scipy.spatial.transform import Rotation

from illures.errors import InputError
from illures.io.exr_layers import read_layers
from illures.io.formats import Format
from illures.io.photos import as_linear, read_photo
from illures.relighting.presets import PRESETS
from illures.web.server.app import create_app
from illures.web.server.limits import Limits
from illures.web.server.restwork import members
from illures.web.server.uploads import Upload

LOCAL = "http://127.0.0.1:8000"
LIMITS = Limits(photo_bytes=8_000_000, batch_bytes=8_000_000, pixels=16_000_000, work_s=90)
ZIP = {"content-type": "application/zip"}


@pytest.fixture(scope="module")
def client(worker) -> TestClient:
    return TestClient(create_app(LIMITS, worker=worker, rest=True), base_url=LOCAL)


def pixels(data: bytes) -> np.ndarray:
    codes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return codes[..., ::-1] if codes.ndim == 3 else codes


def original() -> np.ndarray:
    return read_photo(str(files("illures") / "assets" / "astronaut.jpg"))


def zipped(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def unzipped(answer) -> dict[str, bytes]:
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_maps_add_up_to_the_photo(client, example):
    found = unzipped(client.post("/api/v1/decompose?format=png16&name=a.jpg", content=example))
    assert set(found) == {"albedo.png", "normal.png", "shading.png", "residual.png", "mask.png", "photo.json"}
    tagged = {name for name, data in found.items() if b"sRGB" in data[:100]}
    assert tagged == {"albedo.png", "shading.png"}
    format = Format("png16")
    names = ("albedo", "shading", "residual")
    albedo, shading, residual = (format.decode(name, pixels(found[f"{name}.png"])) for name in names)
    assert np.abs(albedo * shading + residual - as_linear(original())).max() < 2e-3
    about = json.loads(found["photo.json"])
    assert (about["width"], about["height"], len(about["faces"])) == (512, 512, 1)


def test_normals_are_stored_as_asked(client, example):
    (face,) = client.post("/api/v1/faces", content=example).json()["faces"]
    seen = {}
    for asked in ("normals=opengl", "normals=directx", "normal_space=head"):
        answer = client.post(f"/api/v1/decompose?maps=normal&format=png16&{asked}", content=example)
        seen[asked] = Format("png16").decode("normal", pixels(answer.content))
    camera = seen["normals=opengl"]
    np.testing.assert_allclose(seen["normals=directx"], camera * [1, -1, 1], rtol=0, atol=1e-4)
    here = slice(90, 130), slice(210, 240)  # of the face
    turned = Rotation.from_matrix(face["head_rotation"]).inv().apply(camera[here].reshape(-1, 3))
    np.testing.assert_allclose(seen["normal_space=head"][here].reshape(-1, 3), turned, rtol=0, atol=2e-3)
    assert client.post("/api/v1/decompose?normal_space=tangent", content=example).status_code == 422


def test_one_map_is_a_picture_and_exr_a_file_of_layers(client, example, tmp_path):
    answer = client.post("/api/v1/decompose?maps=normal", content=example)
    assert answer.headers["content-type"] == "image/png" and pixels(answer.content).shape == (512, 512, 3)
    answer = client.post("/api/v1/decompose?maps=albedo&maps=normal&format=exr", content=example)
    assert answer.headers["content-type"] == "image/x-exr"
    (tmp_path / "a.exr").write_bytes(answer.content)
    layers = read_layers(tmp_path / "a.exr")
    assert "albedo" in layers and "normal" in layers and "shading" not in layers


def test_relit(client, example):
    """A lamp from image right: there the face is brighter than with a lamp from image left; outside it is the photo."""
    left, right = (
        pixels(client.post(f"/api/v1/relight?light={x},0&format=png", content=example).content).astype(int)
        for x in (-75, 75)
    )
    about = client.post("/api/v1/faces", content=example).json()
    (x0, y0), (x1, y1) = (np.round(point).astype(int) for point in about["faces"][0]["box"])
    middle = (x0 + x1) // 2
    change = (right - left)[y0:y1].mean(-1)
    assert change[:, middle + 5 : x1 - 5].mean() > 10 > -10 > change[:, x0 + 5 : middle - 5].mean()
    corner = slice(-40, None)
    np.testing.assert_array_equal(right[corner, corner], original()[corner, corner])


def test_the_light_of_another_photo_goes_by_its_numbers(client, example):
    numbers = np.ravel(client.post("/api/v1/faces", content=example).json()["faces"][0]["light"])
    assert len(numbers) == 27
    text = ",".join(f"{n:.6f}" for n in numbers)
    answer = client.post("/api/v1/relight", params={"light": [text, "rembrandt"], "strength": 0}, content=example)
    found = unzipped(answer)
    assert set(found) == {"sh.jpg", "rembrandt.jpg", "photo.json"}
    assert np.abs(pixels(found["sh.jpg"]).astype(int) - original()).mean() < 2  # no change but JPEG's


@pytest.mark.parametrize("light", ["/etc/passwd", "studio.hdr", "..", "rembrand", "1,2,3", "nan,0"])
def test_lights_that_are_none_and_never_files(client, light):
    """The answer for a path that is there is that for one which is not."""
    answer = client.post("/api/v1/relight", params={"light": light}, content=b"not read")
    error = answer.json()["error"]
    assert answer.status_code == 422 and error
    assert "folder" not in error and "no such" not in error
    if light == "rembrand":
        assert "did you mean rembrandt" in error


def test_a_batch(client, example):
    """A bad photo is a line with its error, and the others are done."""
    photos = {"in/a.jpg": example, "in/b.jpg": b"broken", "__MACOSX/a.jpg": b"x", "in/.hidden": b"x"}
    found = unzipped(client.post("/api/v1/decompose?maps=albedo", content=zipped(photos), headers=ZIP))
    assert set(found) == {"001-a/albedo.png", "report.json"}
    good, bad = json.loads(found["report.json"])["photos"]
    assert good["folder"] == "001-a" and len(good["faces"]) == 1
    assert bad["photo"] == "b.jpg" and "not an image" in bad["error"]
    single = client.post("/api/v1/decompose?maps=albedo", content=example).content
    assert found["001-a/albedo.png"] == single
    report = client.post("/api/v1/faces", content=zipped(photos), headers=ZIP).json()["photos"]
    assert [bool(entry.get("faces")) for entry in report] == [True, False]


def test_a_batch_unfolds_no_further_than_all_of_it_may():
    some = {f"{k}.jpg": bytes(3_000_000) for k in range(3)}  # a few kB
    with pytest.raises(InputError, match="unpack to more than 8 MB"):
        members(Upload("id", "all.zip", zipped(some)), LIMITS)
    assert len(members(Upload("id", "all.zip", zipped(dict(list(some.items())[:2]))), LIMITS)) == 2


def test_bad_batches(client, worker, example):
    large = zipped({"a.jpg": bytes(9_000_000)})  # a few kB that unfold
    for data, words in (
        (b"no zip", "ZIP file"),
        (zipped({}), "0 photos"),
        (zipped({f"{i}.jpg": b"x" for i in range(33)}), "1 to 32"),
        (large, "larger than 8 MB"),
    ):
        answer = client.post("/api/v1/faces", content=data, headers=ZIP)
        assert answer.status_code == 422 and words in answer.json()["error"]
    small = TestClient(create_app(replace(LIMITS, answer_bytes=1000), worker=worker, rest=True), base_url=LOCAL)
    answer = small.post("/api/v1/decompose", content=zipped({"a.jpg": example}), headers=ZIP)
    assert answer.status_code == 413 and "fewer" in answer.json()["error"]


@pytest.mark.parametrize(
    "path, status, words",
    [
        ("/api/v1/decompose?maps=secrets", 422, "maps"),
        ("/api/v1/decompose?format=psd", 422, "format"),
        ("/api/v1/relight", 422, "light"),
        ("/api/v1/relight?light=rembrandt&strength=2", 422, "strength"),
        ("/api/v1/nothing", 404, ""),
        ("/api/photos", 404, ""),
    ],
)
def test_bad_requests(client, path, status, words):
    answer = client.post(path, content=b"x")
    assert answer.status_code == status and words in answer.json()["error"]


def test_bad_bodies(client):
    assert client.get("/api/v1/decompose").status_code == 405
    answer = client.post("/api/v1/faces", files={"photo": b"x"})
    assert answer.status_code == 415 and "--data-binary" in answer.json()["error"]
    answer = client.post("/api/v1/faces", content=bytes(8_000_001))
    assert answer.status_code == 413 and "8 MB" in answer.json()["error"]
    answer = client.post("/api/v1/faces?name=../x.jpg", content=b"")
    assert answer.status_code == 422 and answer.json()["error"] == "x.jpg: the file is empty"


def test_a_fault_of_ours_is_500(client, worker, monkeypatch):
    async def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(worker, "do", broken)
    careless = TestClient(client.app, base_url=LOCAL, raise_server_exceptions=False)
    answer = careless.post("/api/v1/faces", content=b"x")
    assert answer.status_code == 500 and "fault in illures" in answer.json()["error"]


def test_what_supervisors_ask(client, worker):
    worker._do("ready", ())
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/ready").json() == {"status": "ready"}
    before = series(client.get("/metrics").text)
    for _ in range(3):
        client.post("/api/v1/faces?name=b.jpg", content=b"broken")
    client.get("/no-such-place")
    after = series(client.get("/metrics").text)
    key = 'illures_requests_total{method="POST",route="/api/v1/faces",status="422"}'
    assert after[key] - before.get(key, 0) == 3
    key = 'illures_request_seconds_count{route="/api/v1/faces"}'
    assert after[key] - before.get(key, 0) == 3
    assert not any("no-such-place" in name for name in after)  # strangers make no series
    assert after["illures_worker_ready"] == 1 and after["illures_worker_starts_total"] >= 1


def series(text: str) -> dict[str, float]:
    """Samples by name and labels; every line must be one of the format's."""
    line = re.compile(r'# (HELP|TYPE) \w+ .+|(\w+(?:\{(?:\w+="[^"]*",?)*\})?) (\d[\d.e+-]*)')
    found = [line.fullmatch(each) for each in text.splitlines()]
    assert all(found), text
    return {each[2]: float(each[3]) for each in found if each[2]}


def test_the_schema_and_its_page(client):
    schema = client.get("/openapi.json").json()
    for path in ("/api/v1/faces", "/api/v1/decompose", "/api/v1/relight"):
        about = schema["paths"][path]["post"]
        assert set(about["requestBody"]["content"]) == {"image/*", "application/zip"}
        assert {"413", "422", "429", "503"} <= set(about["responses"])
    html = client.get("/docs").text
    for path in schema["paths"]:
        assert f"<code>{path}</code>" in html
    assert "<script" not in html and not re.search(r"https?://(?!127\.0\.0\.1)", html)
    assert client.get("/static/rest.css").headers["content-type"].startswith("text/css")


def test_named_lights(client):
    assert [entry["name"] for entry in client.get("/api/v1/lights").json()] == list(PRESETS)


def test_the_number_of_lights_is_bounded_whatever_they_are_called(client):
    many = ["all", *(f"{azimuth},10" for azimuth in range(0, 80, 10))]
    answer = client.post("/api/v1/relight", params={"light": many}, content=b"never read")
    assert answer.status_code == 422 and answer.json()["error"] == "light: 31 lights; at most 24"
    answer = client.post("/api/v1/relight", params={"light": "all"}, content=b"no photo")
    assert answer.status_code == 422 and "lights" not in answer.json()["error"]  # the photo is what is wrong
