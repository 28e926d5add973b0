"""Preview of a set: a contact sheet of random views, and statistics of skin, poses and lights."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from illures.data.shards import ViewRecord, read_views, samples, shard_paths
from illures.decompose.contact_sheet import BACKGROUND, GAP, LABEL, TEXT, probe
from illures.errors import InputError
from illures.faces.atlas import head_rotation
from illures.faces.contour import draw_contour, points68
from illures.io.files import check_writable, write_whole
from illures.math import sh
from illures.math.color import individual_typology_angle_deg, linear_to_srgb, luminance

_MOST_VIEWS = 2000  # used for statistics
_TILE = 96
_ACROSS = 3  # views in a row of the contact sheet
_IMAGES = 2  # of a view, on the sheet
_PANEL = (300, 190)
_FILL = (110, 160, 220)
_BALL = 0.6  # mean radiance of a light on its sphere
# Name, range of the histogram, unit and the meaning of its sign.
_PANELS = {
    "ita_deg": ((-90.0, 90.0), "skin tone: ITA [deg], light is right"),
    "yaw_deg": ((-90.0, 90.0), "yaw [deg], to image right"),
    "pitch_deg": ((-60.0, 60.0), "pitch [deg], down"),
    "roll_deg": ((-30.0, 30.0), "roll in the crop [deg], counter-clockwise"),
    "exposure": ((0.0, 1.0), "exposure: mean luminance of the face"),
    "residual_share": ((0.0, 1.0), "residual: |R| / |I| on the face"),
    "light_azimuth_deg": ((-180.0, 180.0), "light's azimuth [deg], from image right"),
    "light_elevation_deg": ((-90.0, 90.0), "light's elevation [deg], from above"),
}


@dataclass
class _Survey:
    """Statistics and sample views of a set.

    Attributes:
        values: of each quantity, one a view or one a sample.
        lights: SH coefficients of each sample.
        people: numbers of the people in the sample.
        shown: random views for the sheet.
    """

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    lights: list[Float[np.ndarray, "9 3"]] = field(default_factory=list)
    people: set[int] = field(default_factory=set)
    shown: list[ViewRecord] = field(default_factory=list)
    views: int = 0


def preview(folder: Path, output: Path | None = None, count: int = 64) -> Path:
    """Draw sheet.png (random views) and statistics.png, and write the numbers to statistics.json.

    Args:
        folder: of shards.
        output: folder for the three; None: `folder`/preview.
        count: views on the sheet.

    Returns:
        The folder of the files.

    Raises:
        InputError: there are no shards, one can't be read, or `output` can't be written.
    """
    if count < 1:
        raise InputError(f"count = {count}: must be at least 1")
    survey = _survey(folder, count)
    output = output or folder / "preview"
    check_writable(output)
    write_whole(output / "sheet.png", _png(_sheet(survey.shown)))
    write_whole(output / "statistics.png", _png(_statistics(survey)))
    write_whole(output / "statistics.json", (json.dumps(_numbers(survey), indent=2) + "\n").encode())
    return output


def head_angles_deg(landmarks: Float[np.ndarray, "478 3"]) -> tuple[float, float, float]:
    """Yaw, pitch and roll as `scene.Pose` counts them, of the rotation that fits the canonical face mesh.

    Args:
        landmarks: x right, y down, z toward the viewer, in one scale (weak perspective).
    """
    rotation = head_rotation(landmarks)
    # R = roll · pitch · yaw: its last row is free of roll, its middle column of yaw.
    yaw = np.arctan2(-rotation[2, 0], rotation[2, 2])
    pitch = np.arcsin(np.clip(rotation[2, 1], -1, 1))
    roll = np.arctan2(-rotation[0, 1], rotation[1, 1])
    return float(np.rad2deg(yaw)), float(np.rad2deg(pitch)), float(np.rad2deg(roll))


def _survey(folder: Path, count: int) -> _Survey:
    """Measure the views of random shards, and keep `count` of them at random."""
    rng = np.random.default_rng(0)
    survey = _Survey()
    for path in rng.permutation(np.array(shard_paths(folder), dtype=object)):
        for view in read_views([path]):
            _measure(view, survey)
            survey.views += 1
            # Reservoir sampling: each view so far is shown with equal chance.
            place = len(survey.shown) if survey.views <= count else int(rng.integers(survey.views))
            if place < count:
                survey.shown[place : place + 1] = [view]
        if survey.views >= _MOST_VIEWS:
            break
    return survey


def _measure(view: ViewRecord, survey: _Survey) -> None:
    """Add a view to the values."""
    survey.people.add(view.identity)
    values = survey.values
    for name, angle in zip(("yaw_deg", "pitch_deg", "roll_deg"), head_angles_deg(view.landmarks), strict=True):
        values[name].append(angle)
    if not view.mask.any():
        return
    skin = view.albedo[view.mask].mean(0, keepdims=True)
    values["ita_deg"].append(float(individual_typology_angle_deg(skin)[0]))
    for sample in samples(view):
        image = sample.image[view.mask]
        survey.lights.append(sample.light)
        values["exposure"].append(float(luminance(image).mean()))
        share = np.linalg.norm(sample.residual[view.mask]) / max(float(np.linalg.norm(image)), 1e-6)
        values["residual_share"].append(float(share))
        x, y, z = sh.main_direction(sample.light)
        values["light_azimuth_deg"].append(float(np.rad2deg(np.arctan2(x, z))))
        values["light_elevation_deg"].append(float(np.rad2deg(np.arcsin(y))))


def _numbers(survey: _Survey) -> dict[str, object]:
    """The statistics in plain numbers."""
    facts: dict[str, object] = {"views": survey.views, "people": len(survey.people), "samples": len(survey.lights)}
    for name, values in survey.values.items():
        low, median, high = np.percentile(values, [5, 50, 95])
        found = {"mean": np.mean(values), "sd": np.std(values), "p5": low, "median": median, "p95": high}
        facts[name] = {key: round(float(value), 4) for key, value in found.items()}
    return facts


def _sheet(views: list[ViewRecord]) -> UInt8[np.ndarray, "rows columns 3"]:
    """Strips of tiles, one a view."""
    strips = [np.concatenate(list(_strip(view)), axis=1) for view in views]
    height, width = _TILE + GAP, max(strip.shape[1] for strip in strips) + GAP
    rows = -(-len(strips) // _ACROSS)
    sheet = np.full((rows * height + GAP, _ACROSS * width + GAP, 3), BACKGROUND, np.uint8)
    for k, strip in enumerate(strips):
        top, left = GAP + k // _ACROSS * height, GAP + k % _ACROSS * width
        sheet[top : top + _TILE, left : left + strip.shape[1]] = strip
    return sheet


def _strip(view: ViewRecord) -> Iterator[UInt8[np.ndarray, "tile tile 3"]]:
    """Images, albedo, normal, residual of the first image, and the outline of the mask with the contour."""
    lit = list(samples(view))[:_IMAGES]
    for sample in lit:
        yield _tile(linear_to_srgb(np.clip(sample.image, 0, 1)))
    albedo = linear_to_srgb(np.clip(view.albedo, 0, 1))
    yield _tile(albedo)
    yield _tile((view.normal + 1) / 2)
    if lit:
        yield _tile((128 + 127 * lit[0].residual) / 255)
    marked = _tile(0.6 * (linear_to_srgb(np.clip(lit[0].image, 0, 1)) if lit else albedo))
    mask = cv2.resize(view.mask.astype(np.uint8), (_TILE, _TILE), interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(marked, outlines, -1, (255, 200, 60), 1)
    # Pixel centres are at integers.
    points = (points68(view.landmarks) + 0.5) * (_TILE / view.mask.shape[0]) - 0.5
    lines = draw_contour(points.astype(np.float32), _TILE)[..., None]
    yield np.round(marked * (1 - lines) + np.array([90, 255, 160]) * lines).astype(np.uint8)


def _tile(encoded: np.ndarray) -> UInt8[np.ndarray, "tile tile 3"]:
    """Resize values in [0, 1] to a tile."""
    interpolation = cv2.INTER_AREA if encoded.shape[0] > _TILE else cv2.INTER_LINEAR
    tile = cv2.resize(encoded.astype(np.float32), (_TILE, _TILE), interpolation=interpolation)
    return np.round(255 * np.clip(tile, 0, 1)).astype(np.uint8)


def _statistics(survey: _Survey) -> UInt8[np.ndarray, "rows columns 3"]:
    """Histograms, where the lights come from, and some of them on a sphere."""
    panels = [_histogram(survey.values[name], *about) for name, about in _PANELS.items() if survey.values.get(name)]
    if survey.lights:
        panels += [_disc(survey.lights), _probes(survey.lights)]
    across, (width, height) = min(len(panels), 4), _PANEL
    rows = -(-len(panels) // across)
    sheet = Image.new("RGB", (across * (width + GAP) + GAP, rows * (height + GAP) + GAP + LABEL), BACKGROUND)
    title = f"{survey.views} views of {len(survey.people)} people, {len(survey.lights)} samples"
    ImageDraw.Draw(sheet).text((GAP, GAP), title, TEXT, ImageFont.load_default(14))
    for k, panel in enumerate(panels):
        sheet.paste(panel, (GAP + k % across * (width + GAP), GAP + LABEL + k // across * (height + GAP)))
    return np.asarray(sheet)


def _panel(title: str) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    panel = Image.new("RGB", _PANEL, (36, 36, 36))
    draw = ImageDraw.Draw(panel)
    draw.text((6, 3), title, TEXT, ImageFont.load_default(12))
    return panel, draw


def _histogram(values: list[float], span: tuple[float, float], title: str, bins: int = 36) -> Image.Image:
    """Bars over the span; values outside of it are in the outermost bars."""
    panel, draw = _panel(title)
    width, height = _PANEL
    font = ImageFont.load_default(11)
    counts, _ = np.histogram(np.clip(values, *span), bins, span)
    floor, pitch = height - 18, (width - 12) / bins
    for k, share in enumerate(counts / max(counts.max(), 1)):
        if share > 0:
            left = 6 + k * pitch
            draw.rectangle((left, floor - share * (floor - 40), left + pitch - 1.5, floor), _FILL)
    draw.text((6, 19), f"{np.mean(values):.3g} ± {np.std(values):.2g}", TEXT, font)
    for x, value, anchor in ((6, span[0], "la"), (width / 2, sum(span) / 2, "ma"), (width - 6, span[1], "ra")):
        draw.text((x, floor + 3), f"{value:g}", TEXT, font, anchor=anchor)
    return panel


def _disc(lights: list[Float[np.ndarray, "9 3"]]) -> Image.Image:
    """Directions of lights in an equal-area view of the sphere from the camera; the rim is behind the head."""
    panel, draw = _panel("lights come from: middle = camera, ring = side")
    centre, radius = np.array([_PANEL[0] / 2, _PANEL[1] / 2 + 8]), _PANEL[1] / 2 - 14
    for share in (1, np.sqrt(0.5)):
        box = np.concatenate([centre - share * radius, centre + share * radius])
        draw.ellipse(tuple(box.tolist()), outline=(90, 90, 90))
    for light in lights:
        x, y, z = sh.main_direction(light)
        place = np.array([x, -y]) / max(np.hypot(x, y), 1e-9) * np.sqrt((1 - z) / 2)
        spot = centre + radius * place
        draw.ellipse(tuple(np.concatenate([spot - 1.5, spot + 1.5]).tolist()), fill=_FILL)
    return panel


def _probes(lights: list[Float[np.ndarray, "9 3"]], rows: int = 3, columns: int = 6) -> Image.Image:
    """Random lights on a white sphere, each at its own brightness."""
    panel, _ = _panel("lights on a white sphere")
    size = 46
    chosen = np.random.default_rng(0).permutation(len(lights))[: rows * columns]
    for k, number in enumerate(chosen):
        light = lights[number]
        level = max(float(luminance(light[0]) / np.sqrt(4 * np.pi)), 1e-6)  # mean radiance
        ball = Image.fromarray(probe((_BALL * light / level).astype(np.float32), size), "RGBA")
        panel.paste(ball, (8 + k % columns * (size + 2), 24 + k // columns * (size + 6)), ball)
    return panel


def _png(pixels: UInt8[np.ndarray, "rows columns 3"]) -> bytes:
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, "PNG")
    return memory.getvalue()
