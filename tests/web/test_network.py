"""The server on a network: a line to wait in, bodies that trickle, bombs, the token, good-bye, a killed worker."""

import asyncio
import io
import os
import re
import signal
import struct
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from clips import write_clip
from event_loop import run_coroutine
from illures.errors import InputError
from illures.io.exr import write_exr
from illures.web.serve import _token, serve
from illures.web.server.app import create_app
from illures.web.server.guard import cookie_name
from illures.web.server.intake import Gate, Refusal
from illures.web.server.limits import Limits

LOCAL = "http://127.0.0.1:8000"
TOKEN = "a-token-of-enough-letters"


def test_a_small_crowd_is_served_in_its_order():
    """40 at once, 2 at a time: none is refused, none overtakes, never more than 2 are in."""
    gate, order, most = Gate(Limits(at_work=2, waiting=64)), [], 0

    async def visit(number: int) -> None:
        nonlocal most
        async with gate.entered():
            most = max(most, gate.inside)
            await asyncio.sleep(0.001)
            order.append(number)

    async def crowd() -> None:
        await asyncio.gather(*(visit(i) for i in range(40)))

    run_coroutine(crowd())
    assert order == list(range(40)) and most == 2 and gate.inside == gate.waiting == 0


def test_a_full_line_and_a_long_wait():
    gate = Gate(Limits(at_work=1, waiting=1, wait_s=0.05))

    async def tries() -> list[int]:
        async def late() -> int:
            with pytest.raises(Refusal) as refused:
                async with gate.entered():
                    pass
            return refused.value.status_code

        async with gate.entered():
            return await asyncio.gather(late(), late())

    assert sorted(run_coroutine(tries())) == [429, 503]
    assert gate.inside == gate.waiting == 0


def test_who_leaves_the_line_takes_no_place():
    """Also one that leaves in the moment in which its turn comes."""
    gate = Gate(Limits(at_work=1))

    async def wait() -> None:
        async with gate.entered():
            pass

    async def scene() -> None:
        async with gate.entered():
            gone, served = asyncio.ensure_future(wait()), asyncio.ensure_future(wait())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert gate.waiting == 2
        gone.cancel()  # its turn has come, and it has not noticed
        await asyncio.wait([gone, served], timeout=5)
        assert gone.cancelled() and served.done() and not served.exception()

    run_coroutine(scene())
    assert gate.inside == gate.waiting == 0


def asked(app, receive, path: str = "/api/photos", headers: tuple = ()) -> tuple[int, bytes]:
    """One POST by the bare protocol, so that a test can say when parts of the body come."""
    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    run_coroutine(app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize("pause_s, pieces", [(30, 100), (0.02, 10_000)], ids=["silence", "trickle"])
def test_bodies_that_come_too_slowly(pause_s, pieces):
    limits = Limits(grace_s=0.2, slowest_bytes_s=10_000)
    left = pieces

    async def receive() -> dict:
        nonlocal left
        await asyncio.sleep(pause_s)
        left -= 1
        return {"type": "http.request", "body": b"x\n", "more_body": left > 0}

    status, body = asked(create_app(limits), receive)
    assert status == 408 and b"too slow" in body and left > pieces / 2


def test_a_client_that_goes_away_is_no_fault():
    async def receive() -> dict:
        return {"type": "http.disconnect"}

    assert asked(create_app(), receive)[0] == 499


SIDE = (4200, 4000)  # 16.8 megapixels, above the limit of 16
# By Pillow's names: mode of the picture, and what keeps the making of the test's files quick.
BOMBS = {
    "JPEG": ("L", {}),
    "PNG": ("L", {}),
    "WEBP": ("L", {"method": 0}),
    "TIFF": ("L", {"compression": "tiff_deflate"}),
    "BMP": ("1", {}),
    "PPM": ("1", {}),
    "GIF": ("L", {}),
    "JPEG2000": ("L", {}),
    "AVIF": ("RGB", {}),
    "HEIF": ("RGB", {}),
}
# Those of which a large one takes long to make: what stands before the size in their header, and how that is written.
SIZES = {
    "GIF": (b"GIF87a", lambda w, h: struct.pack("<HH", w, h)),
    "JPEG2000": (b"ihdr", lambda w, h: struct.pack(">II", h, w)),
    "AVIF": (b"ispe" + bytes(4), lambda w, h: struct.pack(">II", w, h)),
    "HEIF": (b"ispe" + bytes(4), lambda w, h: struct.pack(">II", w, h)),
}


def bomb(kind: str) -> bytes:
    """A whole picture of one colour; of the kinds in `SIZES` a small one whose header lies."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    mode, options = BOMBS[kind]
    buffer = io.BytesIO()
    Image.new(mode, (64, 64) if kind in SIZES else SIDE).save(buffer, kind, **options)
    if kind not in SIZES:
        return buffer.getvalue()
    start, written = SIZES[kind]
    assert start + written(64, 64) in buffer.getvalue()
    return buffer.getvalue().replace(start + written(64, 64), start + written(*SIDE))


@pytest.mark.parametrize("kind", BOMBS)
def test_pictures_that_unfold_are_refused_by_their_header(client, worker, kind):
    worker._do("ready", ())
    before = peak_kb(worker._process.pid)
    answer = client.post(f"/api/photos?name=a.{kind.lower()}", content=bomb(kind))
    assert answer.status_code == 422 and "at most 16 megapixels" in answer.json()["error"]
    # Decoded, it would be 50 MB of codes at least.
    assert peak_kb(worker._process.pid) - before < 30_000


@pytest.mark.parametrize("kind", ["exr", "hdr"])
def test_maps_that_unfold(client, photo_id, kind, tmp_path):
    if kind == "exr":
        write_exr(tmp_path / "a.exr", np.zeros((2900, 5800, 3), np.float16))
        data = (tmp_path / "a.exr").read_bytes()
    else:
        data = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 30000 +X 60000\n" + bytes(4000)
    answer = client.post(f"/api/photos/{photo_id}/faces/0/light?kind=hdri&name=a.{kind}", content=data)
    assert answer.status_code == 422 and "megapixels" in answer.json()["error"]


def test_a_clip_whose_frames_unfold(client, worker, tmp_path):
    """A film of one colour: 4 KB, whose first frame would be 50 MB."""
    data = write_clip(tmp_path / "a.mp4", [np.zeros((*SIDE, 3), np.uint8)]).read_bytes()
    assert len(data) < 200_000
    small = write_clip(tmp_path / "b.mp4", [np.zeros((64, 64, 3), np.uint8)]).read_bytes()
    assert client.post("/api/clips?name=b.mp4", content=small).status_code == 201
    before = peak_kb(worker._process.pid)
    answer = client.post("/api/clips?name=a.mp4", content=data)
    assert answer.status_code == 422 and "at most 16 megapixels" in answer.json()["error"]
    assert peak_kb(worker._process.pid) - before < 30_000


def peak_kb(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])


@pytest.fixture(scope="module")
def client(worker) -> TestClient:
    limits = Limits(photo_bytes=20_000_000, pixels=16_000_000)
    return TestClient(create_app(limits, worker=worker), base_url=LOCAL)


@pytest.fixture(scope="module")
def photo_id(client, example) -> str:
    return client.post("/api/photos", content=example).json()["id"]


def test_the_token():
    """Asked of everything but /health and /ready; from the address once, then the cookie, or as a bearer's."""
    client = TestClient(create_app(token=TOKEN), base_url=LOCAL, follow_redirects=False)
    for path in ("/", "/static/js/main.js", "/api/info", "/metrics", "/?token=wrong", f"/api/info?token={TOKEN}"):
        answer = client.get(path)
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer", path
        assert "token" in answer.json()["error"] and TOKEN not in answer.text
    assert client.get("/health").status_code == 200 and client.get("/ready").status_code == 503
    for value in ("Bearer wrong", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer \xe9"):
        assert client.get("/api/info", headers={"authorization": value.encode("latin-1")}).status_code == 401
    assert client.get("/api/info", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    answer = client.get(f"/?token={TOKEN}")
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{cookie_name('127.0.0.1:8000')}={TOKEN};")
    assert "HttpOnly" in cookie and "SameSite" in cookie
    assert client.get("/").status_code == client.get("/api/info").status_code == 200  # the client keeps cookies
    assert client.post("/api/photos", headers={"origin": "http://evil.example"}).status_code == 403


def test_which_token():
    assert _token(None, "127.0.0.1") is None and _token(None, "localhost") is None and _token("off", "0.0.0.0") is None
    made = {_token(None, host) for host in ("0.0.0.0", "::", "192.168.1.7", "studio.example") for _ in range(3)}
    assert len(made) == 12 and all(len(token) >= 20 for token in made)
    assert _token(TOKEN, "127.0.0.1") == TOKEN
    for bad in ("", "short", "has a blank in it, and more", "umlaut-ä-umlaut-ä-umlaut"):
        with pytest.raises(InputError, match="token"):
            serve(token=bad)


@pytest.mark.parametrize("verb, ending", [("studio", signal.SIGINT), ("serve", signal.SIGTERM)])
def test_a_real_process(verb, ending, example, tmp_path):
    """Open to others it asks for the token and says what it opens; a killed worker leaves no warning; good-bye."""
    environment = os.environ | {"PYTHONWARNINGS": "default", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "illures", verb, "--host", "0.0.0.0", "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    try:
        first = process.stdout.readline()
        port, token = re.search(r":(\d+)/\?token=([\w-]+)", first).groups()
        said = process.stdout.readline() + process.stdout.readline()
        assert "Other machines" in said and "token" in said and "not encrypted" in said
        base, bearer = f"http://127.0.0.1:{port}", {"authorization": f"Bearer {token}"}
        path = "/api/photos" if verb == "studio" else "/api/v1/faces"
        with httpx.Client(base_url=base, timeout=120) as client:
            assert client.post(path, content=example).status_code == 401
            while process.poll() is None and client.get("/ready").status_code != 200:
                time.sleep(0.1)
            (worker,) = children(process.pid, "spawn_main")
            os.kill(worker, signal.SIGKILL)
            answer = client.post(path, content=example, headers=bearer)  # by a new worker
            assert answer.status_code in (200, 201) and len(answer.json()["faces"]) == 1
            assert "illures_worker_starts_total 2" in client.get("/metrics", headers=bearer).text
        process.send_signal(ending)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait(60)
    assert process.returncode == 0 and "good-bye" in out and "same command" not in out + err
    assert "Warning" not in err and "Traceback" not in err, err
    assert not list(tmp_path.glob("illures-*"))  # libraries leave what they like


def children(pid: int, word: str) -> list[int]:
    """Processes that this one started, in whose command line the word stands."""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, timeout=60
    ).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if word in line]
