"""The network in a real Chromium by onnxruntime-web: its maps are those of ONNX Runtime, nothing is fetched."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from illures.faces.context import photo_context, thumbnail
from illures.faces.crop import warp
from illures.io.photos import as_float, read_photo
from illures.model.predictor import Predictor
from illures.model.weights import FAST, read_weights

ROOT = Path(__file__).parents[2]
SIZE = 128
EYES = ((203.6, 100.9), (246.6, 103.2))  # of the bundled photo [px]
PATIENCE_MS = 120_000


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if shutil.which("npm") is None:
        pytest.skip("no npm on this machine; the browser demo is not tested")
    folder = tmp_path_factory.mktemp("browser")
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "browser_demo.py"), str(folder)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode and "npm" in done.stderr:
        pytest.skip("npm can't fetch onnxruntime-web here; the browser demo is not tested")
    assert done.returncode == 0, done.stderr

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    Quiet.extensions_map |= {".mjs": "text/javascript", ".wasm": "application/wasm"}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture(scope="module")
def page(browser, site):
    context = browser.new_context(viewport={"width": 900, "height": 1000})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.asked, page.faults = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda message: message.type == "error" and page.faults.append(message.text))
    page.goto(f"{site}/index.html")
    page.wait_for_selector("body[data-ready]")
    yield page
    context.close()


def click(page, x: float, y: float) -> None:
    """On a pixel of the photo, which is drawn at another size."""
    box = page.locator("#photo").bounding_box()
    page.mouse.click(box["x"] + (x + 0.5) / 512 * box["width"], box["y"] + (y + 0.5) / 512 * box["height"])


@pytest.fixture(scope="module")
def found(page, example):
    """What the page found in the bundled photo."""
    page.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": example})
    page.wait_for_selector("body[data-state=photo]")
    for eye in EYES:
        click(page, *eye)
    page.wait_for_selector("body[data-state=done]")
    if folder := os.environ.get("ILLURES_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / "browser-demo.png"))
    return page.evaluate(
        """() => Object.fromEntries(Object.entries(window.illures).filter(([name]) => name !== "photo")
             .map(([name, values]) => [name, Array.from(values)]))"""
    )


def expected(eyes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrix, crop and context for clicked eyes: by the eyes and a mouth at the mean face's place, see `crop.py`."""
    from importlib.resources import files

    from illures.faces.crop import alignment

    photo = read_photo(str(files("illures") / "assets" / "astronaut.jpg"))
    left, right = (np.array(eye) for eye in eyes)
    across = right - left
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = left, right
    points[[48, 54]] = (left + right) / 2 + 1.1 * np.array([-across[1], across[0]])
    matrix = alignment(points, SIZE)
    image = as_float(warp(photo, matrix, SIZE, 4))
    return matrix, image, photo_context(as_float(thumbnail(photo)), photo.shape[:2], matrix, SIZE)


def test_its_maps_are_those_of_the_package(found):
    _, image, context = expected(found["eyes"])
    np.testing.assert_allclose(np.reshape(found["image"], image.shape), image, rtol=0, atol=0.02)
    predictor = Predictor(read_weights(FAST))
    assert predictor.size == SIZE
    ours = predictor(image[None], np.zeros_like(image)[None], context[None])[0]
    for name, most in (("albedo", 0.01), ("normal", 0.02), ("light", 0.02), ("residual", 0.01)):
        theirs = np.reshape(found[name], getattr(ours, name).shape)
        assert np.abs(theirs - getattr(ours, name)).mean() < most, name
    assert np.reshape(found["albedo"], (SIZE, SIZE, 3))[50:80, 50:80].mean() > 0.05


def test_the_order_of_the_clicks_does_not_count(page, found):
    for eye in reversed(EYES):
        click(page, *eye)
    page.wait_for_function("document.body.dataset.state === 'done'")
    again = page.evaluate("() => Array.from(window.illures.albedo)")
    np.testing.assert_allclose(again, found["albedo"], rtol=0, atol=1e-5)


def test_nothing_comes_from_elsewhere(page, found, site):
    assert len(page.asked) >= 7 and all(url.startswith((site, "blob:", "data:")) for url in page.asked)
    assert page.faults == []


def test_what_is_no_picture(page, found):
    page.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"text"})
    page.wait_for_function("document.getElementById('words').textContent.includes('a.jpg')")
    assert "can't read" in page.text_content("#words")
