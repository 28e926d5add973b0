"""ICC colour profiles of photos, turned into sRGB.

Convention: pixels go in and out encoded (not linear), integers over their whole range. 8-bit pixels go through
LittleCMS; it cannot take 16-bit RGB from pillow, so 16-bit pixels go through the profile's own matrix and curves.
Source of the tag layouts: ICC.1:2022, sections 7.3, 10.6 (curveType), 10.18 (parametricCurveType), 10.31 (XYZType).
"""

from __future__ import annotations

import io
import struct

import numpy as np
from jaxtyping import Float, UInt16
from PIL import Image, ImageCms

from illures.io.decoding import note
from illures.math.color import linear_to_srgb

# Columns: XYZ (D50) of the sRGB primaries, as every sRGB profile stores them (IEC 61966-2-1, Bradford-adapted).
_SRGB_TO_D50 = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])


# All errors that a damaged profile can raise, in LittleCMS and in this module.
_BROKEN = (ImageCms.PyCMSError, OSError, ValueError, TypeError, LookupError, ArithmeticError, struct.error)


def to_srgb(image: Image.Image, name: str = "image") -> Image.Image:
    """Convert an 8-bit pillow image from the profile that it carries; mode "RGB", or "RGBA" where it has alpha.

    An image with no profile is taken to be sRGB (CMYK: pillow's plain formula). So is one with a broken profile, with
    a note that names `name`.
    """
    alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
    color = image.convert("RGB" if image.mode == "RGBA" else "L") if alpha else image
    profile = image.info.get("icc_profile")
    if profile and not is_srgb(profile):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            color = ImageCms.profileToProfile(color, source, target, outputMode="RGB") or color
        except _BROKEN:  # the profile is unusable
            _note_broken(name)
    color = color.convert("RGB")
    if alpha:
        color.putalpha(alpha)
    return color


def is_srgb(profile: bytes) -> bool:
    """Whether a profile names itself sRGB, so that nothing needs converting."""
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except _BROKEN:
        return False
    return "srgb" in name.lower()


def to_srgb16(
    codes: UInt16[np.ndarray, "height width 3"], profile: bytes, name: str = "image"
) -> UInt16[np.ndarray, "height width 3"]:
    """Convert 16-bit RGB from a matrix-and-curves profile; colours outside sRGB are clipped.

    A broken profile, or one of another kind (lookup tables, grey), leaves the pixels as they are, with a note that
    names `name`: no 16-bit camera file was seen with one.
    """
    try:
        curves, matrix = _curves_and_matrix(_tags(profile))
    except _BROKEN:
        _note_broken(name)
        return codes

    out = np.empty_like(codes)
    for start in range(0, len(codes), 256):  # in bands, so that no float copy of a whole photo is made
        band = codes[start : start + 256]
        linear = np.stack([curve[band[..., i]] for i, curve in enumerate(curves)], axis=-1) @ matrix.T
        out[start : start + 256] = np.round(linear_to_srgb(np.clip(linear, 0, 1)) * 65535)
    return out


def _note_broken(name: str) -> None:
    note(name, "its colour profile is broken or of an unknown kind; its colours are taken as sRGB")


def _curves_and_matrix(tags: dict[str, bytes]) -> tuple[list[Float[np.ndarray, " n"]], Float[np.ndarray, "3 3"]]:
    """Linear values of all 16-bit codes, for each channel, and the matrix from there to linear sRGB."""
    levels = np.linspace(0, 1, 65536)
    with np.errstate(all="ignore"):
        curves = [_curve(tags[name], levels).astype(np.float32) for name in ("rTRC", "gTRC", "bTRC")]
        primaries = np.stack([_xyz(tags[name]) for name in ("rXYZ", "gXYZ", "bXYZ")], axis=1)
        matrix = (np.linalg.inv(_SRGB_TO_D50) @ primaries).astype(np.float32)
    if not np.isfinite(np.concatenate([*curves, matrix.ravel()])).all():
        raise ValueError("curves are not numbers")
    return curves, matrix


def _tags(profile: bytes) -> dict[str, bytes]:
    """Tag table: a count at byte 128, then (signature, offset, size) each."""
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        entries = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(min(count, 100))]
    except struct.error:
        return {}
    return {name.decode("latin1"): profile[offset : offset + size] for name, offset, size in entries}


def _xyz(tag: bytes) -> Float[np.ndarray, "3"]:
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes, levels: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Linear value of each encoded level in [0, 1]."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return levels
        table = np.frombuffer(tag, ">u2", count, 12)
        if count == 1:
            return levels ** (table[0] / 256)
        return np.interp(levels, np.linspace(0, 1, count), table / 65535)
    (kind,) = struct.unpack_from(">H", tag, 8)
    gamma, *rest = np.array(struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)) / 65536
    a, b, c, d, e, f = (*rest, *[0.0] * (6 - len(rest))) if rest else (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    if kind in (1, 2):  # the straight part is the constant c of the standard (0 for kind 1), below -b/a
        return np.where(levels >= -b / a, np.clip(a * levels + b, 0, None) ** gamma + c, c)
    return np.where(levels >= d, np.clip(a * levels + b, 0, None) ** gamma + e, c * levels + f)
