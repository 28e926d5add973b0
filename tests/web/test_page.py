"""The studio as a user meets it, in a real Chromium: open, light, paint, save, begin anew."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from illures.relighting.light import Light
from illures.relighting.presets import PRESETS

EXAMPLE = "astronaut.jpg"
# Drawing takes most of the time in software: as small a window as the desktop's layout goes into.
WINDOW = {"width": 900, "height": 600}
# Longest that any one step may take on a busy machine without graphics.
PATIENCE_MS = 120_000


@pytest.fixture(scope="module")
def shots(tmp_path_factory) -> Path:
    """Where screenshots go: CI keeps the folder that it names."""
    folder = Path(os.environ.get("ILLURES_SCREENSHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def page(browser, address):
    context = browser.new_context(viewport=WINDOW, color_scheme="dark", accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda message: message.type == "error" and page.faults.append(message.text))
    yield page
    context.close()


# Pixels of the small picture of the relit view, which is drawn anew when the light has changed.
THUMB = """() => [...document.querySelector('[data-view="relit"] canvas').getContext("2d")
  .getImageData(32, 24, 64, 48).data]"""


def start(page, address) -> None:
    page.goto(address)
    page.wait_for_selector("body[data-ready]")


def open_file(page, path: str | dict) -> None:
    page.set_input_files("#photo-file", path)
    page.wait_for_selector("#busy", state="hidden")
    page.wait_for_selector("body[data-state=work]")
    settle(page)


def settle(page, wait_ms: int = 450) -> None:
    """Until thumbnails are drawn, and the picture sharply, by the page's own clock: a busy machine takes longer."""
    drawn = page.evaluate(
        """([ms, most]) => new Promise((done) => {
          setTimeout(() => done(false), most);  // evaluate() itself waits for ever
          setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(() => done(true))), ms);
        })""",
        [wait_ms, PATIENCE_MS],
    )
    assert drawn, "the browser drew no frame"


@pytest.fixture(scope="module")
def opened(page, address, tmp_path_factory, example):
    """The page with the example open."""
    start(page, address)
    path = tmp_path_factory.mktemp("photos") / EXAMPLE
    path.write_bytes(example)
    open_file(page, str(path))
    return page


@pytest.fixture
def studio(opened):
    """The same, under the photo's own light."""
    opened.click("#tab-light")
    opened.click('[data-view="relit"]')
    opened.locator('#looks [data-name="own"]').evaluate("(item) => item.click()")
    settle(opened)
    yield opened
    assert not opened.faults and opened.locator(".toast").count() == 0


def canvas(page) -> np.ndarray:
    """What the stage shows, without the handles over it."""
    page.evaluate("document.querySelector('#overlay').style.visibility = 'hidden'")
    shot = page.locator("#view").screenshot()
    page.evaluate("document.querySelector('#overlay').style.visibility = ''")
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(float)


def halves(image: np.ndarray) -> tuple[float, float]:
    """Brightness of the left and of the right cheek; the stage shows the face in its middle."""
    height, width = image.shape[:2]
    rows, reach = slice(int(0.5 * height), int(0.62 * height)), int(0.16 * min(height, width))
    middle = width // 2
    return image[rows, middle - reach : middle].mean(), image[rows, middle : middle + reach].mean()


def drag(page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """In parts of the stage."""
    box = page.locator("#stage").bounding_box()
    points = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in (start, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=4)
    page.mouse.up()
    settle(page)


def test_the_light_follows_the_pointer(studio, shots):
    before = halves(canvas(studio))
    drag(studio, (0.5, 0.5), (0.24, 0.5))
    left = halves(canvas(studio))
    drag(studio, (0.4, 0.5), (0.76, 0.5))
    right = halves(canvas(studio))
    assert left[0] > left[1] + 15 and right[1] > right[0] + 15
    assert int(studio.get_attribute(".lamp", "aria-valuenow")) > 30
    studio.screenshot(path=str(shots / "studio-dark.png"))
    studio.focus("#stage")
    for _ in range(12):
        studio.keyboard.press("Shift+ArrowLeft")
    settle(studio)
    assert int(studio.get_attribute(".lamp", "aria-valuenow")) < -30
    keyed = halves(canvas(studio))
    assert keyed[0] > keyed[1]
    while studio.is_enabled("#undo"):
        studio.locator("#undo").evaluate("(button) => button.click()")
    settle(studio)
    assert np.abs(np.array(halves(canvas(studio))) - before).max() < 1


def test_every_look_and_view(studio):
    """Each preset changes the picture and is marked as chosen; each view shows another one."""
    seen = []
    for name in ["own", *PRESETS]:
        studio.locator(f'#looks [data-name="{name}"]').evaluate("(item) => item.click()")
        assert studio.get_attribute(f'#looks [data-name="{name}"]', "aria-checked") == "true"
        settle(studio, 220)
        seen.append(np.array(studio.evaluate(THUMB), float))
    far = np.array([[np.abs(a - b).mean() if a is not b else 99 for a in seen] for b in seen])
    assert far.min() > 0.2
    pictures = {}
    for name in ("relit", "photo", "albedo", "normal", "shading", "residual"):
        studio.click(f'[data-view="{name}"]')
        settle(studio, 120)
        pictures[name] = canvas(studio)
    for a in pictures:
        for b in pictures:
            assert a == b or np.abs(pictures[a] - pictures[b]).mean() > 1


def test_paint_and_undo(studio):
    studio.click("#tab-paint")
    before = canvas(studio)
    studio.fill("#paint-colour", "#2040ff")
    drag(studio, (0.44, 0.58), (0.56, 0.58))
    painted = canvas(studio)
    spot = (
        slice(int(0.57 * len(before)), int(0.59 * len(before))),
        slice(int(0.48 * before.shape[1]), int(0.52 * before.shape[1])),
    )
    change = (painted - before)[spot].mean((0, 1))
    assert change[0] < -15 and change[2] > change[0] + 30
    studio.keyboard.press("Control+z")
    settle(studio)
    assert np.abs(canvas(studio) - before).max() <= 2
    studio.keyboard.press("Control+Shift+z")
    settle(studio)
    assert np.abs(canvas(studio) - painted).max() <= 2
    studio.click("#clear-paint")
    settle(studio)
    assert np.abs(canvas(studio) - before).max() <= 2


def test_painting_by_keys(studio):
    studio.click("#tab-paint")
    studio.fill("#paint-colour", "#2040ff")
    before = canvas(studio)
    studio.focus("#stage")
    studio.keyboard.press("ArrowRight")
    studio.keyboard.press("Space")
    settle(studio)
    change = canvas(studio) - before
    change = np.sort(change[..., 2] - change[..., 0], axis=None)
    assert change[-20] > 60 and np.median(change) == 0
    studio.keyboard.press("Control+z")
    settle(studio)
    assert np.abs(canvas(studio) - before).max() <= 2


def test_files(studio, tmp_path):
    """The relit photo, the light, everything; and the light back again."""
    studio.locator('#looks [data-name="split"]').evaluate("(item) => item.click()")
    studio.click("#tab-save")

    def fetch(button: str) -> Path:
        with studio.expect_download() as info:
            studio.click(button)
        path = tmp_path / info.value.suggested_filename
        info.value.save_as(path)
        return path

    photo = fetch("#save-relit")
    assert photo.name == "astronaut-relit.jpg" and Image.open(photo).size == (512, 512)
    assert Image.open(fetch('[data-map="normal"]')).size == (512, 512)
    light = fetch("#save-light")
    assert Light.from_json(light).lamps[0].direction[0] > 0.9
    with zipfile.ZipFile(fetch("#save-zip")) as archive:
        assert "astronaut/relit.png" in archive.namelist()
        assert json.loads(archive.read("astronaut/light.json"))["lamps"]
    shown = canvas(studio)
    studio.click("#tab-light")
    studio.locator('#looks [data-name="own"]').evaluate("(item) => item.click()")
    with studio.expect_file_chooser() as chooser:
        studio.click("#from-json")
    chooser.value.set_files(str(light))
    studio.locator("#look-name", has_text="astronaut-light.json").wait_for()
    settle(studio)
    assert np.abs(canvas(studio) - shown).mean() < 2


def test_before_and_after_and_shadows(studio):
    studio.locator('#looks [data-name="rembrandt"]').evaluate("(item) => item.click()")
    settle(studio)
    live = canvas(studio)
    with studio.expect_response("**/file"):
        studio.locator("#shadows").evaluate("(box) => box.click()")
    studio.wait_for_selector("#rendering", state="hidden")
    settle(studio)
    settle(studio)
    rendered = canvas(studio)
    assert np.abs(rendered - live).mean() > 0.5
    studio.click("#compare")
    settle(studio)
    split = canvas(studio)
    middle = split.shape[1] // 2
    assert np.abs(split[:, middle + 30 :] - rendered[:, middle + 30 :]).mean() < 0.5
    assert np.abs(split[:, : middle - 30] - rendered[:, : middle - 30]).mean() > 0.5
    studio.focus("#split")
    studio.keyboard.press("End")
    assert studio.get_attribute("#split", "aria-valuenow") == "100"


def test_bad_file_then_reload(page, address, tmp_path, shots, example):
    start(page, address)
    page.set_input_files(
        "#photo-file", {"name": "evil.png", "mimeType": "image/png", "buffer": b"<svg onload=alert(1)>"}
    )
    toast = page.locator(".toast.bad")
    toast.wait_for()
    assert "evil.png: not an image" in toast.inner_text()
    assert page.get_attribute("body", "data-state") == "empty"
    page.faults.clear()  # the browser logs the status 422
    toast.locator("button").click()
    open_file(page, {"name": EXAMPLE, "mimeType": "image/jpeg", "buffer": example})
    page.reload()
    page.wait_for_selector("#choose")
    assert page.get_attribute("body", "data-state") == "empty" and not page.faults
    page.screenshot(path=str(shots / "studio-empty.png"))


def test_on_a_phone(browser, address, shots, example):
    """Nothing is wider than the screen, names are there for screen readers, and a finger moves the lamp."""
    context = browser.new_context(viewport={"width": 390, "height": 780}, has_touch=True, color_scheme="light")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    start(page, address)
    open_file(page, {"name": EXAMPLE, "mimeType": "image/jpeg", "buffer": example})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator("#stage").bounding_box()
    page.touchscreen.tap(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    settle(page)
    assert page.locator(".lamp").count() == 1
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, [role]")].filter((item) => item.checkVisibility()
          && !item.ariaHidden
          && !(item.getAttribute("aria-label") || item.getAttribute("aria-labelledby") || item.textContent.trim()
            || item.labels?.length || ["alert", "status"].includes(item.role))).map((item) => item.outerHTML)"""
    )
    assert nameless == []
    page.screenshot(path=str(shots / "studio-phone.png"))
    page.set_viewport_size({"width": 320, "height": 568})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    context.close()
