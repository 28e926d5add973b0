"""Pictures of the studio for docs/studio.md: its page in Chromium, with the public photo. Run by docs_pictures.py."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

Picture = UInt8[np.ndarray, "rows columns 3"]

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# Drawing goes without a graphics processor, so that every machine makes the same pictures.
SOFTWARE = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 180_000
# Until thumbnails and a sharp picture are drawn, by the page's own clock.
AT_REST = "() => new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 800))"
# Strokes on the cheeks, in parts of the stage from its middle.
PAINT = (
    ("#2b5fa8", ((-0.115, 0.02), (-0.075, 0.06), (-0.115, 0.1))),
    ("#e8c33c", ((0.07, 0.02), (0.11, 0.06), (0.07, 0.1))),
)


def missing() -> str:
    """What stops these pictures from being made; empty where nothing does."""
    if find_spec("playwright") is None:
        return "Playwright is not installed (it is in the extra dev)"
    return "" if chromium() else "there is no Chromium (apt-get install chromium)"


def chromium() -> str | None:
    """Path of the browser."""
    return next((path for path in map(shutil.which, CHROMIUM) if path), None)


def shots() -> Iterator[tuple[str, Picture]]:
    """Name and screenshot, one after the other."""
    from playwright.sync_api import sync_playwright

    with serving() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=SOFTWARE)
        yield "studio-empty", screenshot(page_of(browser, address, "light"))
        page = opened(browser, address, "dark")
        yield "studio-light", dragged(page)
        yield "studio-compare", compared(page)
        yield "studio-paint", painted(opened(browser, address, "light"))
        yield "studio-phone", phone(opened(browser, address, "light", PHONE, has_touch=True, device_scale_factor=2))
        browser.close()


@contextmanager
def serving() -> Iterator[str]:
    """The address of a studio that runs meanwhile."""
    command = [sys.executable, "-m", "illures", "studio", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[2]
        finally:
            process.terminate()
            process.communicate()  # reads its last words; into a closed pipe they would end as BrokenPipeError


def page_of(
    browser: Any, address: str, scheme: Literal["light", "dark"], size: dict[str, int] = DESKTOP, **options: Any
) -> Any:
    """The page with nothing open, in a window of `size`."""
    context = browser.new_context(viewport=size, color_scheme=scheme, **options)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    return page


def opened(*arguments: Any, **options: Any) -> Any:
    """The page with the example open; arguments as for `page_of`."""
    page = page_of(*arguments, **options)
    page.click("#example")
    page.wait_for_selector("body[data-state=work]")
    page.wait_for_selector("#busy", state="hidden")
    page.evaluate(AT_REST)
    return page


def dragged(page: Any) -> Picture:
    """A lamp dragged to image right and up."""
    stroke(page, ((0.0, 0.0), (0.24, -0.14)))
    return screenshot(page)


def compared(page: Any) -> Picture:
    """Golden hour with new shadows, beside the photo as it was."""
    press(page, '#looks [data-name="golden-hour"]')
    with page.expect_response("**/file"):
        press(page, "#shadows")
    page.wait_for_selector("#rendering", state="hidden")
    page.click("#compare")
    return screenshot(page)


def painted(page: Any) -> Picture:
    """Paint on both cheeks."""
    page.click("#tab-paint")
    for _ in range(2):
        page.click("#zoom-in")
    page.locator("#paint-opacity").fill("0.75")
    for colour, points in PAINT:
        page.fill("#paint-colour", colour)
        stroke(page, points)
    return screenshot(page)


def phone(page: Any) -> Picture:
    """Split light on a small screen."""
    press(page, '#looks [data-name="split"]')
    return screenshot(page)


def stroke(page: Any, points: tuple[tuple[float, float], ...]) -> None:
    """Drag over the stage; points in parts of its size, from its middle."""
    box = page.locator("#stage").bounding_box()
    places = [(box["x"] + (0.5 + u) * box["width"], box["y"] + (0.5 + v) * box["height"]) for u, v in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()
    page.evaluate(AT_REST)


def press(page: Any, selector: str) -> None:
    """Click what may be scrolled out of sight, and leave the scrolling as it is."""
    page.locator(selector).evaluate("(item) => item.click()")


def screenshot(page: Any) -> Picture:
    """The whole window."""
    page.evaluate(AT_REST)
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
