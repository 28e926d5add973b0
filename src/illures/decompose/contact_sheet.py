"""The contact sheet of a photo, and the light probe."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from illures.decompose.maps import Maps
from illures.faces import to_photo
from illures.io.formats import SHADING_SCALE
from illures.io.photos import Photo, as_float
from illures.math.color import linear_to_srgb
from illures.render import shade
from illures.types import FaceCrop

TILE = 192
GAP = 8
LABEL = 22
BACKGROUND = (24, 24, 24)
TEXT = (225, 225, 225)
# The residual is small against the image; the sheet shows it multiplied by this, around mid grey.
RESIDUAL_GAIN = 2.0
# Maps are undefined outside the head; the sheet darkens them there by this factor.
OUTSIDE = 0.25


def probe(light: Float[np.ndarray, "9 3"], size: int = TILE) -> UInt8[np.ndarray, "size size 4"]:
    """A white matte sphere under the light, seen from the camera; encoded as the shading in PNG, RGBA."""
    half = size / 2
    y, x = np.mgrid[:size, :size].astype(np.float32)
    x, y = (x + 0.5 - half) / (half - 1), -(y + 0.5 - half) / (half - 1)
    radius = np.sqrt(x * x + y * y)
    z = np.sqrt(np.clip(1 - radius * radius, 0, None))
    inward = np.maximum(radius, 1)  # pixels beyond the rim take the rim's normal
    normal = np.stack([x / inward, y / inward, z], axis=-1)
    alpha = np.clip((1 - radius) * (half - 1) + 0.5, 0, 1)
    rgb = linear_to_srgb(np.clip(shade(normal, light.astype(np.float32)) / SHADING_SCALE, 0, 1))
    return _codes(np.concatenate([rgb, alpha[..., None]], axis=-1))


def contact_sheet(photo: Photo, faces: Sequence[Maps], title: str) -> UInt8[np.ndarray, "rows columns 3"]:
    """The photo with the crops drawn in, beside labelled tiles: two rows for each face, faces in a grid."""
    blocks = max(1, round((len(faces) / 2) ** 0.5))  # of 4 x 2 tiles side by side: about as wide as high
    across = 4 * blocks
    rows = []
    for first in range(0, len(faces), blocks):
        some = [_tiles(face, number) for number, face in enumerate(faces[first : first + blocks], first + 1)]
        rows += [[tile for tiles in some for tile in tiles[half : half + 4]] for half in (0, 4)]
    pitch = TILE + LABEL + GAP
    left = 2 * (TILE + LABEL) + GAP - LABEL
    thumbnail = _thumbnail(photo, [face.crop for face in faces], left)
    height = GAP + max(LABEL + thumbnail.height + GAP, pitch * len(rows))
    sheet = Image.new("RGB", (GAP + left + GAP + (TILE + GAP) * across, height), BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)

    draw.text((GAP, GAP), _shorten(title, 48), TEXT, font)
    sheet.paste(thumbnail, (GAP, GAP + LABEL))
    for i, row in enumerate(rows):
        y = GAP + i * pitch
        for j, (label, tile) in enumerate(row):
            x = GAP + left + GAP + j * (TILE + GAP)
            draw.text((x, y), label, TEXT, font)
            sheet.paste(Image.fromarray(tile), (x, y + LABEL))
    return np.asarray(sheet)


def face_sheet(face: Maps) -> UInt8[np.ndarray, "rows columns 3"]:
    """One face's labelled tiles, without the photo; shown in notebooks."""
    pitch = TILE + LABEL + GAP
    sheet = Image.new("RGB", (GAP + 4 * (TILE + GAP), GAP + 2 * pitch), BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for k, (label, tile) in enumerate(_tiles(face, 1)):
        x, y = GAP + k % 4 * (TILE + GAP), GAP + k // 4 * pitch
        draw.text((x, y), label.removeprefix("1  "), TEXT, font)
        sheet.paste(Image.fromarray(tile), (x, y + LABEL))
    return np.asarray(sheet)


def png(picture: UInt8[np.ndarray, "rows columns channels"]) -> bytes:
    """A picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "png")
    return buffer.getvalue()


def _tiles(face: Maps, number: int) -> list[tuple[str, UInt8[np.ndarray, "TILE TILE 3"]]]:
    def encode(linear: np.ndarray) -> np.ndarray:
        return linear_to_srgb(np.clip(linear, 0, 1))

    ball = probe(face.light).astype(np.float32) / 255
    ball = ball[..., :3] * ball[..., 3:] + np.float32(BACKGROUND[0] / 255) * (1 - ball[..., 3:])
    shown = OUTSIDE + (1 - OUTSIDE) * face.head[..., None]
    pictures = {
        f"{number}  input": encode(face.image),
        "albedo": shown * encode(face.albedo),
        "normal": shown * (face.normal + 1) / 2,
        f"shading / {SHADING_SCALE:.2g}": shown * encode(face.shading / SHADING_SCALE),
        "reconstruction": shown * encode(face.reconstruct()),
        f"residual x {RESIDUAL_GAIN:.2g}": shown * (0.5 + RESIDUAL_GAIN / 2 * face.residual),
        "mask": np.repeat(face.mask[..., None], 3, axis=-1),
        "light": ball,
    }
    return [(label, _codes(cv2.resize(picture, (TILE, TILE)))) for label, picture in pictures.items()]


def _thumbnail(photo: Photo, crops: list[FaceCrop], side: int) -> Image.Image:
    """The whole photo fitted into a square of this side, with outline and number of each crop."""
    height, width = photo.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    image = Image.fromarray(_codes(as_float(cv2.resize(photo, size, interpolation=shrink))))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    for number, crop in enumerate(crops, 1):
        edge = crop.size - 0.5
        square = np.array([[-0.5, -0.5], [edge, -0.5], [edge, edge], [-0.5, edge], [-0.5, -0.5]])
        corners = [(float(x), float(y)) for x, y in (to_photo(square, crop) + 0.5) * scale]
        draw.line(corners, (0, 0, 0), 4)
        draw.line(corners, (255, 220, 60), 2)
        x, y = np.clip(corners[0], 2, np.array(size) - 18)
        draw.text(
            (float(x) + 3, float(y) + 1), str(number), (255, 220, 60), font, stroke_width=2, stroke_fill=(0, 0, 0)
        )
    return image


def _codes(values: np.ndarray) -> np.ndarray:
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
