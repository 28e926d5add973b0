"""Apply edited albedo, edited normals or a retouch to a photo; the edit is lit as the face is.

For an edited albedo A' the photo is I' = I + (A' - A) ∘ S + min(R, 0) (A' / A - 1): shadow darkens the edit as it
darkened the skin, and highlights stay on top. Pixels that were not edited stay identical.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float

from illures.decompose.decomposition import Decomposition
from illures.decompose.full_resolution import prepare
from illures.decompose.photo_maps import photo_maps
from illures.editing.retouch import Retouch, tone_gain
from illures.errors import InputError
from illures.faces import bounds, inside, regions, warped
from illures.faces.atlas import head_axes
from illures.io.decoding import decoding, read_codes
from illures.io.formats import Format, Normals, NormalSpace
from illures.io.headers import header_size
from illures.io.photos import Photo, as_linear
from illures.math.normals import normalize
from illures.relighting.composite import PhotoRelighter
from illures.relighting.exposure import matched
from illures.relighting.light import Light
from illures.relighting.photo_grid import encoded, over_bands
from illures.relighting.weight import photo_weight
from illures.render import shade

# Differences of up to this many codes (of 255) are rounding by the editor.
ROUNDING = 1.01
# Albedo is floored at this value as a divisor.
_DARKEST = 0.004


def apply_albedo(photo: Photo, faces: Sequence[Decomposition], edited: Path) -> Photo:
    """Apply an albedo that was edited in another program.

    Args:
        photo: sRGB-encoded.
        faces: of the photo, at the network's resolution.
        edited: an edited copy of the photo-size `albedo.png` that `illures decompose` wrote (8 or 16 bits).

    Raises:
        InputError: the file can't be read, or has another size than the photo.
    """
    codes, format = _read_map(edited, photo)
    maps = photo_maps(photo, list(faces), format)
    changed = _changed(codes, maps.albedo)
    out = photo.copy()

    def lay(rows: slice) -> None:
        where = changed[rows]
        if not where.any():
            return
        old, new = (format.decode("albedo", c[rows]) for c in (maps.albedo, codes))
        shading, residual = format.decode("shading", maps.shading[rows]), format.decode("residual", maps.residual(rows))
        linear = as_linear(photo[rows]) + albedo_change(old, new, shading, residual)
        np.copyto(out[rows], encoded(linear, photo.dtype), where=where[..., None])

    over_bands(slice(0, len(photo)), lay)
    return out


def apply_normal(
    photo: Photo,
    faces: Sequence[Decomposition],
    edited: Path,
    normals: Normals = "opengl",
    normal_space: NormalSpace = "camera",
) -> Photo:
    """Apply normals that were edited in another program: the face is shaded again under its own light.

    Args:
        photo: sRGB-encoded.
        faces: of the photo, at the network's resolution.
        edited: an edited copy of the photo-size `normal.png` that `illures decompose` wrote (8 or 16 bits).
        normals: with which it wrote them.
        normal_space: likewise.

    Raises:
        InputError: the file can't be read, or has another size than the photo.
    """
    codes, format = _read_map(edited, photo)
    format = replace(format, normals=normals, normal_space=normal_space)
    before = photo_maps(photo, list(faces), format).normal
    changed = _changed(codes, before)
    out = photo.copy()
    for face in faces:
        fields = prepare(face)
        back = np.eye(3) if normal_space == "camera" else head_axes(face.crop).T
        x0, y0, x1, y1 = inside(bounds(face.crop), photo)

        def lay(rows: slice) -> None:
            here = rows, slice(x0, x1)  # noqa: B023 (used up before the next face)
            where = changed[here]
            if not where.any():
                return
            image = as_linear(out[here])
            mask = warped(fields.mask, fields.crop, (x0, rows.start), where.shape)  # noqa: B023
            old, new = (normalize(format.decode("normal", c[here]) @ back) for c in (before, codes))  # noqa: B023
            shades = [np.maximum(shade(n, fields.light), fields.floor) for n in (old, new)]  # noqa: B023
            ratio = 1 + mask[..., None] * (shades[1] / shades[0] - 1)
            np.copyto(out[here], encoded(image * ratio, photo.dtype), where=where[..., None])

        over_bands(slice(y0, y1), lay)
    return out


def retouched(photo: Photo, faces: Sequence[Decomposition], steps: Sequence[Retouch]) -> Photo:
    """Retouch each face, one step after the other.

    Args:
        photo: sRGB-encoded.
        faces: of the photo, at the network's resolution.
        steps: see `illures.editing.retouch`.
    """
    out = photo.copy()
    for face in faces:
        before = face.photo_resolution(photo)
        after = before
        for step in steps:
            after = step(after)
        change = albedo_change(before.albedo, after.albedo, before.shading, before.residual)
        change += after.residual - before.residual
        x0, y0, x1, y1 = inside(bounds(face.crop), photo)
        left, top = (int(v) for v in -before.crop.matrix[:, 2])
        part = change[y0 - top : y1 - top, x0 - left : x1 - left]
        touched = np.abs(part).max(axis=-1, keepdims=True) > 1e-5
        np.copyto(out[y0:y1, x0:x1], encoded(as_linear(out[y0:y1, x0:x1]) + part, out.dtype), where=touched)
    return out


def evenly_lit(photo: Photo, faces: Sequence[Decomposition], strength: float) -> Photo:
    """Soften harsh light: relight each face under its own light with less difference between directions.

    Args:
        photo: sRGB-encoded.
        faces: of the photo, at the network's resolution.
        strength: 0 keeps the light, 1 makes it the same from all directions.
    """
    out = photo
    for face in faces:
        light = Light.like(face).sh
        flat = light * np.repeat([1.0, 1 - strength, 1 - strength], [1, 3, 5])[:, None]
        softer = PhotoRelighter(out, [face])(matched(Light(flat), face))
        # Relighting removes old shadows at any strength, so its result is blended with the photo.
        out = _mixed(out, softer, strength)
    return out


def toned(photo: Photo, faces: Sequence[Decomposition], shift_deg: float) -> Photo:
    """Lighten (+) or darken (-) the skin, with neck and ears, by a shift of the individual typology angle.

    Args:
        photo: sRGB-encoded.
        faces: of the photo, at the network's resolution.
        shift_deg: from -90 to 90; "light" and "tan" differ by about 25 degrees.
    """
    out = photo.copy()
    for face in faces:
        gain = np.log(tone_gain(face, shift_deg)).astype(np.float32)
        others = [other.crop for other in faces if other is not face]
        (x0, y0, x1, y1), share = photo_weight(photo, face, others, "skin")
        points = face.crop.face.landmarks[:, :2] - [x0, y0]
        side = max(x1 - x0, y1 - y0)
        kept = 1 - regions.eyes_and_mouth(points.astype(np.float32), side)[: y1 - y0, : x1 - x0]
        weight = share.astype(np.float32) / np.float32(255) * kept
        part = as_linear(out[y0:y1, x0:x1]) * np.exp(weight[..., None] * gain)
        np.copyto(out[y0:y1, x0:x1], encoded(part, out.dtype), where=weight[..., None] > 0)
    return out


def albedo_change(
    old: Float[np.ndarray, "h w 3"],
    new: Float[np.ndarray, "h w 3"],
    shading: Float[np.ndarray, "h w 3"],
    residual: Float[np.ndarray, "h w 3"],
) -> Float[np.ndarray, "h w 3"]:
    """Change of the linear image for a change of albedo; exactly 0 where the albedo is the same."""
    shadow = np.minimum(residual, 0) / np.maximum(old, _DARKEST)
    lit = np.maximum(shading + shadow, 0)  # light within the shadow
    return np.asarray((new - old) * lit)


def _mixed(old: Photo, new: Photo, share: float) -> Photo:
    out = old.copy()

    def mix(rows: slice) -> None:
        linear = as_linear(old[rows])
        moved = (old[rows] != new[rows]).any(axis=-1, keepdims=True)
        out[rows] = np.where(moved, encoded(linear + share * (as_linear(new[rows]) - linear), old.dtype), old[rows])

    over_bands(slice(0, len(old)), mix)
    return out


def _read_map(path: Path, photo: Photo) -> tuple[np.ndarray, Format]:
    """Codes of an edited map, and their format."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    (height, width), (columns, rows) = photo.shape[:2], header_size(path)
    if columns and (rows, columns) != (height, width):  # before a bomb of another size is decoded
        raise InputError(f"{path}: {columns} x {rows} pixels, but the photo has {width} x {height}")
    with decoding(path):
        codes = read_codes(path)
    if codes is None or codes.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: can't be read; an edited map is a PNG or TIFF of 8 or 16 bits")
    if codes.ndim != 3 or codes.shape[2] not in (3, 4):
        raise InputError(f"{path}: has {codes.shape[2] if codes.ndim == 3 else 1} channels; must be RGB")
    if codes.shape[:2] != photo.shape[:2]:
        rows, columns = codes.shape[:2]
        raise InputError(f"{path}: {columns} x {rows} pixels, but the photo has {width} x {height}")
    rgb = cv2.cvtColor(codes, cv2.COLOR_BGR2RGB if codes.shape[2] == 3 else cv2.COLOR_BGRA2RGB)
    return rgb, Format("png" if rgb.dtype == np.uint8 else "png16")


def _changed(codes: np.ndarray, before: np.ndarray) -> np.ndarray:
    limit = ROUNDING * np.iinfo(codes.dtype).max / 255
    return np.asarray(np.abs(codes.astype(np.int32) - before).max(axis=-1) > limit)
