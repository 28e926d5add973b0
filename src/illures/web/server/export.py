"""Files that the studio saves: the relit photo at full resolution, its maps, and a ZIP file of all."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8

import illures
from illures.decompose.decomposition import Decomposition
from illures.decompose.folder import CONVENTION
from illures.decompose.photo_maps import photo_maps
from illures.errors import InputError
from illures.faces import at_size, warped
from illures.io.decoding import decode_codes, decoding
from illures.io.formats import MAPS, Format, MapName, png_of
from illures.io.photos import Photo, as_float, as_linear, encoded
from illures.math.sampling import warp_affine
from illures.relighting.composite import PhotoRelighter, shouldered
from illures.relighting.light import Light
from illures.relighting.photo_grid import encoded as codes_of
from illures.relighting.photo_grid import finer, over_bands
from illures.relighting.surface import reduced, surface_of
from illures.web.server.facemaps import FaceMaps, compose, mean_basis, painted, split_paint

What = Literal["relit", "albedo", "normal", "shading", "residual", "reconstruction", "mask", "matte", "zip"]
Kind = Literal["jpg", "png", "png16"]
TYPES = {"jpg": "image/jpeg", "png": "image/png", "png16": "image/png", "zip": "application/zip"}
JPEG_QUALITY = 95

Paint = UInt8[np.ndarray, "rows columns 4"]


@dataclass(frozen=True)
class Look:
    """Settings of the studio for one face.

    Attributes:
        light: the new light, upright.
        kept: share of the residual that is kept, in [0, 1].
        shadows: recompute cast shadows and highlights, as `illures relight` does; `kept` is then ignored.
        match: scale the background by the new light over the old.
        paint: paint on the albedo, over the whole photo at any resolution (sRGB and opacity); None for none.
    """

    light: Light
    kept: float = 1.0
    shadows: bool = False
    match: bool = False
    paint: Paint | None = None


def relit(photo: Photo, faces: Sequence[Decomposition], index: int, look: Look) -> Photo:
    """Relight one face of a photo. The result has the size and type of the photo.

    Args:
        photo: sRGB-encoded.
        faces: all faces of the photo, at the network's resolution.
        index: index of the face.
        look: settings.
    """
    face, others = faces[index], [other.crop for other in faces if other is not faces[index]]
    maps = FaceMaps(photo, face, others)
    if look.shadows:
        return _rendered(photo, face, maps, look)
    gain = _gain(face, maps, look.light) if look.match else None
    light = np.asarray(look.light.sh, np.float32)
    out = photo.copy()
    if gain is not None:
        over_bands(slice(0, len(photo)), lambda rows: _expose(out, photo, rows, gain))
    x0, y0, x1, y1 = maps.rect

    def lay(rows: slice) -> None:
        band = maps.band(rows)
        linear = compose(band, light, look.kept, _paint_over(look.paint, photo, rows, (x0, x1)), gain)
        touched = band.around[..., None] > 0
        np.copyto(out[rows, x0:x1], codes_of(linear, photo.dtype), where=touched)

    over_bands(slice(y0, y1), lay)
    return out


def all_files(photo: Photo, faces: Sequence[Decomposition], index: int, look: Look, kind: Kind, name: str) -> bytes:
    """Make a ZIP file of the relit photo, the maps at the photo's size, the paint, and the light as JSON."""
    stem = name.rpartition(".")[0] or name
    files = {f"relit.{kind[:3]}": picture(relit(deep(photo, kind), faces, index, look), kind)}
    format = Format("png16" if kind == "png16" else "png")
    maps = photo_maps(photo, list(faces), format)
    for map_name in MAPS:
        files[f"{map_name}.png"] = png_of(map_name, maps.take(map_name))
    if look.paint is not None:
        files["paint.png"] = encoded(look.paint, ".png")
        files["albedo-painted.png"] = encoded(_painted_albedo(photo, faces, index, look.paint, format), ".png")
    files["light.json"] = light_json(look.light)
    about = {
        "photo": name,
        "face": index + 1,
        "residual": "recomputed" if look.shadows else f"{look.kept:.3g} of it kept",
        "background": "matched" if look.match else "kept",
        "maps": format.describe(),
        "illures": illures.__version__,
    }
    files["studio.json"] = (json.dumps(about, ensure_ascii=False, indent=1) + "\n").encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(f"{stem}/{path}", (2026, 1, 1, 0, 0, 0)), data)
    return buffer.getvalue()


def map_file(
    photo: Photo, faces: Sequence[Decomposition], index: int, name: MapName, kind: Kind, paint: Paint | None
) -> bytes:
    """Encode a map at the photo's size, as `illures decompose` does; the albedo with the paint.

    Raises:
        InputError: `kind` is "jpg", which maps are not written as.
    """
    if kind == "jpg":
        raise InputError(f"{name}: maps are written as PNG, of 8 or 16 bits")
    format = Format(kind)
    if name == "albedo" and paint is not None:
        return encoded(_painted_albedo(photo, faces, index, paint, format), ".png")
    return png_of(name, photo_maps(photo, list(faces), format).take(name))


def picture(photo: Photo, kind: Kind) -> bytes:
    """Encode a photo as a file."""
    if kind == "jpg":
        return encoded(eight(photo), ".jpg", [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded(eight(photo) if kind == "png" else deep(photo, kind), ".png")


def light_json(light: Light) -> bytes:
    """Encode a light as JSON, which `Light.from_json` and `illures relight --light` read."""
    content = {"convention": CONVENTION, **light.to_dict()}
    return (json.dumps(content, indent=1) + "\n").encode()


def read_paint(data: bytes) -> Paint:
    """Decode paint from a PNG file with alpha.

    Raises:
        InputError: the data is not an 8-bit PNG file with alpha.
    """
    with decoding("paint", "a PNG file"):
        codes = decode_codes(data) if data else None
    if codes is None or codes.dtype != np.uint8 or codes.ndim != 3 or codes.shape[2] != 4:
        raise InputError("paint: must be a PNG file with colour and alpha, 8 bits each")
    return np.asarray(cv2.cvtColor(codes, cv2.COLOR_BGRA2RGBA))


def _rendered(photo: Photo, face: Decomposition, maps: FaceMaps, look: Look) -> Photo:
    """Relight with cast shadows and highlights. Paint receives the diffuse light that is not occluded."""
    out = PhotoRelighter(photo, [face], background="match" if look.match else "keep")(look.light)
    if look.paint is None:
        return out
    surface = surface_of(reduced(face), "recompute")
    diffuse = finer(surface.under(look.light).diffuse)
    grid = at_size(face.crop, len(diffuse))
    x0, y0, x1, y1 = maps.rect

    def lay(rows: slice) -> None:
        paint = _paint_over(look.paint, photo, rows, (x0, x1))
        if paint is None or not paint[..., 3].any():
            return
        band = maps.band(rows)
        lit = warped(diffuse, grid, (x0, rows.start), band.head.shape)
        change = (painted(band, paint)[0] - band.albedo) * lit * band.around[..., None]
        touched = (paint[..., 3:] > 0) & (band.around[..., None] > 0)
        np.copyto(out[rows, x0:x1], codes_of(as_linear(out[rows, x0:x1]) + change, out.dtype), where=touched)

    over_bands(slice(y0, y1), lay)
    return out


def _expose(out: Photo, photo: Photo, rows: slice, gain: np.ndarray) -> None:
    linear = as_linear(photo[rows])
    out[rows] = codes_of(shouldered(linear * gain, linear), photo.dtype)


def _gain(face: Decomposition, maps: FaceMaps, light: Light) -> Float[np.ndarray, "3"]:
    """Mean shading of the face under a light, divided by that under its own light."""
    mean = mean_basis(face)
    old = np.maximum(mean @ maps.light, 1e-3)
    return np.asarray(np.clip(mean @ np.asarray(light.sh, np.float64) / old, 0, 20), np.float32)


def _paint_over(paint: Paint | None, photo: Photo, rows: slice, columns: tuple[int, int]) -> Paint | None:
    """Resample the paint to the photo's pixels, over a part of the photo."""
    if paint is None:
        return None
    height, width = photo.shape[:2]
    down, across = paint.shape[0] / height, paint.shape[1] / width
    # Pixel centres are at integers. Colours are premultiplied by opacity, or those of bare pixels would bleed in.
    move = np.array(
        [[across, 0, (columns[0] + 0.5) * across - 0.5], [0, down, (rows.start + 0.5) * down - 0.5]], np.float64
    )
    size = columns[1] - columns[0], rows.stop - rows.start
    if paint.shape[:2] == photo.shape[:2]:
        return paint[rows, slice(*columns)]
    weighed = paint.astype(np.float32)
    weighed[..., :3] *= weighed[..., 3:] / np.float32(255)
    fine = warp_affine(weighed, move, size, cv2.BORDER_REPLICATE)
    cover = fine[..., 3:]
    colour = fine[..., :3] * (255 / np.maximum(cover, 1e-3))
    return np.round(np.clip(np.concatenate([colour, cover], axis=-1), 0, 255)).astype(np.uint8)


def _painted_albedo(
    photo: Photo, faces: Sequence[Decomposition], index: int, paint: Paint, format: Format
) -> np.ndarray:
    codes = photo_maps(photo, list(faces), format).albedo
    face = faces[index]
    maps = FaceMaps(photo, face, [other.crop for other in faces if other is not face])
    x0, y0, x1, y1 = maps.rect

    def lay(rows: slice) -> None:
        over = _paint_over(paint, photo, rows, (x0, x1))
        if over is None or not over[..., 3].any():
            return
        colour, cover = split_paint(over)
        cover = cover * maps.band(rows).around[..., None]
        old = format.decode("albedo", codes[rows, x0:x1])
        new = old + cover * (colour - old)
        np.copyto(codes[rows, x0:x1], format.quantise("albedo", new), where=cover > 0)

    over_bands(slice(y0, y1), lay)
    return codes


def deep(photo: Photo, kind: Kind) -> Photo:
    """Convert to 16 bits if `kind` requires it: a relit 8-bit photo has more than 256 levels."""
    if kind != "png16" or photo.dtype == np.uint16:
        return photo
    if photo.dtype == np.uint8:
        return photo.astype(np.uint16) * np.uint16(257)
    return np.round(as_float(photo) * 65535).astype(np.uint16)


def eight(photo: Photo) -> Photo:
    """Convert to 8 bits."""
    return photo if photo.dtype == np.uint8 else np.round(as_float(photo) * 255).astype(np.uint8)
