"""Environment maps: read, checked and rotated, for rendering and relighting alike.

Convention: maps are [128, 256, 3] linear radiance in the camera frame (x right, y up, z toward the viewer), laid out as
`math.sh.directions`: row 0 is up, the middle column is in front of the camera (-z), the outer columns are behind the
camera (+z, light that falls on a face from the front), the left half is at image left.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float

from illures.errors import InputError
from illures.io.decoding import decoding, read_codes, read_npy
from illures.io.exr import MOST_VALUES, read_exr_linear
from illures.io.headers import header_size
from illures.math.color import luminance
from illures.math.sampling import remap
from illures.math.sh import directions, solid_angle

HEIGHT, WIDTH = 128, 256
# The sun in measured maps reaches 1e9; beyond this limit, float32 sums lose their precision.
_BRIGHTEST = 1e12
SUFFIXES = (".npy", ".hdr", ".exr")
DIRECTIONS = directions(HEIGHT, WIDTH).astype(np.float32)
SOLID_ANGLE = solid_angle(HEIGHT, WIDTH).astype(np.float32)


def mean_luminance(radiance: Float[np.ndarray, "128 256 3"]) -> float:
    """Mean over the sphere."""
    return float((luminance(radiance) * SOLID_ANGLE).sum() / (4 * np.pi))


def load_hdris(folder: Path) -> dict[str, Float[np.ndarray, "128 256 3"]]:
    """All .npy, .hdr and .exr maps of a folder, by file name, at mean luminance 1.

    Raises:
        InputError: the folder holds none, or one is not a map of finite, non-negative radiance.
    """
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{folder}: no environment maps; expected .npy, .hdr or .exr files")
    return {path.stem: load_hdri(path) for path in files}


def load_hdri(path: Path) -> Float[np.ndarray, "128 256 3"]:
    """One latitude-longitude map (row 0 up, twice as wide as high), at mean luminance 1; see `load_hdris`."""
    with np.errstate(over="ignore"):  # overflow is refused below
        pixels = _read(path).astype(np.float32)
    if pixels.ndim != 3 or pixels.shape[2] < 3:
        raise InputError(f"{path}: shape {pixels.shape}; an environment map is [height, width, 3]")
    height, width = pixels.shape[:2]
    if abs(width - 2 * height) > 2:
        rule = "an environment map covers the whole sphere and is twice as wide as high"
        raise InputError(f"{path}: {width} x {height} pixels; {rule}")
    pixels = np.ascontiguousarray(pixels[..., :3])
    if not pixels.size or not (pixels.min() >= 0 and pixels.max() <= _BRIGHTEST):  # NaN fails too
        raise InputError(f"{path}: radiance must be finite, not negative and at most {_BRIGHTEST:g}")
    radiance = np.asarray(cv2.resize(pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.float32)
    if mean_luminance(radiance) <= 0:
        raise InputError(f"{path}: the environment map is black")
    return radiance / np.float32(mean_luminance(radiance))


def rotated(radiance: Float[np.ndarray, "128 256 3"], rotation: Float[np.ndarray, "3 3"]) -> np.ndarray:
    """Rotate an environment: radiance of direction d moves to R @ d (bilinear)."""
    source = DIRECTIONS @ rotation.astype(np.float32)  # rows are R^T d
    theta = np.arccos(np.clip(source[..., 1], -1, 1))
    phi = np.arctan2(-source[..., 0], source[..., 2]) % (2 * np.pi)
    row = theta * (HEIGHT / np.pi) - 0.5
    column = phi * (WIDTH / (2 * np.pi)) - 0.5 + 1  # one wrapped column on either side
    padded = np.pad(radiance, ((0, 0), (1, 1), (0, 0)), mode="wrap")
    maps = column.astype(np.float32), row.astype(np.float32)
    return remap(padded, *maps, cv2.BORDER_REPLICATE)


def _read(path: Path) -> np.ndarray:
    """Pixels of a map file, RGB."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return read_npy(path)
    if suffix == ".exr":
        return read_exr_linear(path)
    if suffix != ".hdr":
        raise InputError(f"{path}: suffix {path.suffix or 'missing'}; must be .hdr, .exr or .npy")
    width, height = header_size(path)
    if 3 * width * height > MOST_VALUES:
        raise InputError(f"{path}: {width} x {height} pixels; at most {MOST_VALUES // 3_000_000} megapixels are read")
    with decoding(path, "a Radiance file"):
        pixels = read_codes(path) if width else None
        if pixels is None or pixels.ndim != 3:
            raise ValueError("not a Radiance file")
        return pixels[..., 2::-1]
