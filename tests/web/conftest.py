"""The studio's server with the real network, in this process, and its page in a real Chromium."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import uvicorn

from illures.web.server.app import create_app
from illures.web.server.limits import Limits
from illures.web.server.worker import Worker

EXAMPLE = Path(str(files("illures") / "assets" / "astronaut.jpg"))
# Bytes and pixels enough for these tests, so that a fault shows early; time for a busy machine.
LIMITS = Limits(photo_bytes=8_000_000, clip_bytes=8_000_000, pixels=16_000_000, work_s=400)


@pytest.fixture(scope="session")
def example() -> bytes:
    return EXAMPLE.read_bytes()


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    worker = Worker(LIMITS)
    yield worker
    worker.close()


@pytest.fixture(scope="session")
def address(worker: Worker) -> Iterator[str]:
    """Of a server that runs in a thread."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    app = create_app(LIMITS, worker=worker)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    for _ in range(3000):
        if server.started:
            break
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.02)
    else:
        raise TimeoutError("the server did not start within a minute")
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine; the studio's page is not tested (apt-get install chromium)")
    software = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=software, timeout=180_000)
        yield browser
        browser.close()
