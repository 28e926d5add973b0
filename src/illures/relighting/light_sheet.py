"""A contact sheet of the named lights: a ball and a face under each."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from illures.decompose.contact_sheet import BACKGROUND, GAP, LABEL, TEXT
from illures.decompose.decomposition import Decomposition
from illures.io.photos import Photo
from illures.math.color import linear_to_srgb
from illures.relighting.composite import PhotoRelighter
from illures.relighting.light import Light
from illures.relighting.shading import facing_disc
from illures.relighting.sources import Source
from illures.render import shade

TILE = 176
BALL = 64
# Displayed brightness of the brightest spot of the ball, linear.
BRIGHTEST = 0.85


def light_sheet(
    photo: Photo, faces: Sequence[Decomposition], lights: Sequence[Source], across: int = 6
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Tiles of the largest face of a photo under each light, a matte ball in the corner.

    Args:
        photo: sRGB-encoded, 8 bits.
        faces: of the photo, at least one.
        lights: by name.
        across: tiles in a row.
    """
    window = _window(photo, faces[0])
    relighter = PhotoRelighter(photo, faces[:1])
    pitch = TILE + GAP
    rows = -(-len(lights) // across)
    sheet = Image.new("RGB", (GAP + pitch * across, GAP + (pitch + LABEL) * rows), BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for k, source in enumerate(lights):
        x, y = GAP + pitch * (k % across), GAP + (pitch + LABEL) * (k // across)
        light = source.on(faces[0])
        tile = cv2.resize(relighter(light)[window], (TILE, TILE), interpolation=cv2.INTER_AREA)
        picture = ball(light, BALL)
        corner, alpha = tile[-BALL:, :BALL], picture[..., 3:] / np.float32(255)
        corner[:] = np.round(corner + alpha * (picture[..., :3] - corner.astype(np.float32)))
        draw.text((x, y), source.name, TEXT, font)
        sheet.paste(Image.fromarray(tile), (x, y + LABEL))
    return np.asarray(sheet)


def ball(light: Light, size: int) -> UInt8[np.ndarray, "size size 4"]:
    """A matte ball under a light, with exact shading of lamps and its own exposure; RGBA."""
    half = size / 2
    y, x = (np.mgrid[:size, :size].astype(np.float32) + np.float32(0.5 - half)) / np.float32(half - 1)
    radius = np.sqrt(x * x + y * y)
    inward = np.maximum(radius, 1)
    normal = np.stack([x / inward, -y / inward, np.sqrt(np.clip(1 - radius * radius, 0, None))], axis=-1)
    shading = shade(normal, light.ambient.astype(np.float32))
    for lamp in light.lamps:
        facing = facing_disc(normal @ lamp.direction.astype(np.float32), lamp.radius_deg)
        shading = shading + facing[..., None] * lamp.irradiance.astype(np.float32)
    alpha = np.clip((1 - radius) * (half - 1) + 0.5, 0, 1)
    rgb = linear_to_srgb(np.clip(BRIGHTEST * shading / max(float(shading.max()), 1e-6), 0, 1))
    return np.round(np.concatenate([rgb, alpha[..., None]], axis=-1) * 255).astype(np.uint8)


def _window(photo: Photo, face: Decomposition) -> tuple[slice, slice]:
    """A square of the photo around the head."""
    points = face.crop.face.landmarks[:, :2]
    centre = (points.min(0) + points.max(0)) / 2
    half = min(0.9 * float(np.ptp(points, axis=0).max()), min(photo.shape[:2]) / 2)
    height, width = photo.shape[:2]
    x, y = (float(np.clip(c, half, limit - half)) for c, limit in zip(centre, (width, height), strict=True))
    return slice(round(y - half), round(y + half)), slice(round(x - half), round(x + half))
