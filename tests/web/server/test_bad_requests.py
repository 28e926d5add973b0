"""What the studio's server refuses: damaged and hostile files, wrong lights, too much of anything."""

import io
import struct
import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from illures.web.server.app import create_app
from studio_client import LIMITS, LOCAL


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


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n0 0 64 64 rectfill\nshowpage\n%%EOF\n"  # a program

HOSTILE = {
    "empty.jpg": (lambda example: b"", "empty"),
    "cut.jpg": (lambda example: example[:20_000], "can't be read"),
    "noise.jpg": (lambda example: np.random.default_rng(0).bytes(5000), "not an image"),
    "drawing.png": (
        lambda example: b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>',
        "not an image",
    ),
    "page.jpg": (lambda example: b"<!doctype html><script>alert(1)</script>", "not an image"),
    "postscript.jpg": (lambda example: EPS, "not an image"),
    "postscript.eps": (lambda example: EPS, "not an image"),
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
    "text", ["ffconcat version 1.0\nfile b.mp4\n", "#EXTM3U\n#EXTINF:1,\nb.mp4\n", "[playlist]\nFile1=b.mp4\n"]
)
def test_playlists_are_no_clips(client, text):
    answer = client.post("/api/clips?name=a.mp4", content=text.encode())
    assert answer.status_code == 422 and answer.json()["error"].startswith("a.mp4: a playlist")


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
