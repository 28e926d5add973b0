"""Environments: photographed ones from files, procedural studios, skies and lamps, all as latitude-longitude maps.

Convention: maps are [128, 256, 3] linear radiance in the camera frame (x right, y up, z toward the viewer), laid out as
`math.sh.directions`: row 0 is up, the middle column is what the camera looks at (-z), the outer columns lie behind the
camera (+z, light that falls on a face from the front), the left half is at image left.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float

from illures.errors import InputError
from illures.math.color import luminance
from illures.math.sh import directions

HEIGHT, WIDTH = 128, 256
_DIRECTIONS = directions(HEIGHT, WIDTH).astype(np.float32)
_EDGES = np.cos(np.pi * np.arange(HEIGHT + 1) / HEIGHT)
_SOLID_ANGLE = ((_EDGES[:-1] - _EDGES[1:]) * 2 * np.pi / WIDTH)[:, None].astype(np.float32)

_LAMP_OVER_MEAN = 3.0  # texels brighter than this many times the mean are sampled as lamps
_LAMP_SHARE = 0.02  # of the energy; lamps with less stay in the lookup
_LAMP_SAMPLES = 4096


@dataclass(frozen=True)
class Lamps:
    """Equally likely samples of the bright texels: unit directions, and radiance divided by density."""

    direction: Float[np.ndarray, "samples 3"]
    radiance: Float[np.ndarray, "samples 3"]


@dataclass(frozen=True)
class Environment:
    """An environment split for `transport.Transport.light`.

    Attributes:
        radiance: all of it.
        smooth: without what lamps have above the threshold.
        bounced: with the lamps blurred; lights what surfaces send on to others.
        lamps: samples of `radiance - smooth`, or None.
    """

    radiance: Float[np.ndarray, "128 256 3"]
    smooth: Float[np.ndarray, "128 256 3"]
    bounced: Float[np.ndarray, "128 256 3"]
    lamps: Lamps | None


def split(radiance: Float[np.ndarray, "128 256 3"]) -> Environment:
    """Separate the lamps of an environment from the rest, so that the noise of either is bounded."""
    bright = luminance(radiance)
    limit = _LAMP_OVER_MEAN * mean_luminance(radiance)
    share = np.clip(1 - limit / np.maximum(bright, 1e-12), 0, None)
    lamp = radiance * share[..., None]
    energy = luminance(lamp) * _SOLID_ANGLE
    if energy.sum() < _LAMP_SHARE * (bright * _SOLID_ANGLE).sum():
        return Environment(radiance, radiance, radiance, None)
    smooth = radiance - lamp
    # About 10 degrees at the equator; the blur stretches near the poles, which diffuse bounces do not show.
    flux = cv2.GaussianBlur(np.pad(lamp * _SOLID_ANGLE[..., None], ((0, 0), (32, 32), (0, 0)), mode="wrap"), (0, 0), 7)
    bounced = smooth + flux[:, 32:-32] / _SOLID_ANGLE[..., None]
    return Environment(radiance, smooth, bounced, _lamps(lamp, energy))


def scaled(environment: Environment, factor: float) -> Environment:
    """The same environment `factor` times as bright."""
    lamps = environment.lamps
    if lamps is not None:
        lamps = Lamps(lamps.direction, lamps.radiance * factor)
    gain = np.float32(factor)
    return Environment(environment.radiance * gain, environment.smooth * gain, environment.bounced * gain, lamps)


def mean_luminance(radiance: Float[np.ndarray, "128 256 3"]) -> float:
    """Mean over the sphere."""
    return float((luminance(radiance) * _SOLID_ANGLE).sum() / (4 * np.pi))


def load_hdris(folder: Path) -> dict[str, Float[np.ndarray, "128 256 3"]]:
    """All .npy, .hdr and .exr maps of a folder, by file name, at mean luminance 1.

    Raises:
        InputError: the folder holds none, or one is not a map of finite, non-negative radiance.
    """
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".npy", ".hdr", ".exr"))
    if not files:
        raise InputError(f"{folder}: no environment maps; expected .npy, .hdr or .exr files")
    return {path.stem: load_hdri(path) for path in files}


def load_hdri(path: Path) -> Float[np.ndarray, "128 256 3"]:
    """One latitude-longitude map (row 0 up), at mean luminance 1; see `load_hdris`."""
    try:
        pixels = _read(path).astype(np.float32)
    except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
        raise InputError(f"{path}: cannot be read as an environment map ({error})") from error
    if pixels.ndim != 3 or pixels.shape[2] < 3:
        raise InputError(f"{path}: shape {pixels.shape}; an environment map is [height, width, 3]")
    pixels = np.ascontiguousarray(pixels[..., :3])
    if not np.isfinite(pixels).all() or pixels.min() < 0:
        raise InputError(f"{path}: radiance must be finite and not negative")
    radiance = np.asarray(cv2.resize(pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.float32)
    if mean_luminance(radiance) <= 0:
        raise InputError(f"{path}: the environment map is black")
    return radiance / np.float32(mean_luminance(radiance))


def rotated(radiance: Float[np.ndarray, "128 256 3"], rotation: Float[np.ndarray, "3 3"]) -> np.ndarray:
    """Turn an environment: what was seen in direction d is then seen in R @ d (bilinear)."""
    source = _DIRECTIONS @ rotation.astype(np.float32)  # rows are R^T d
    theta = np.arccos(np.clip(source[..., 1], -1, 1))
    phi = np.arctan2(-source[..., 0], source[..., 2]) % (2 * np.pi)
    row = theta * (HEIGHT / np.pi) - 0.5
    column = phi * (WIDTH / (2 * np.pi)) - 0.5 + 1  # one wrapped column on either side
    padded = np.pad(radiance, ((0, 0), (1, 1), (0, 0)), mode="wrap")
    maps = column.astype(np.float32), row.astype(np.float32)
    return cv2.remap(padded, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def random_environment(
    rng: np.random.Generator, hdris: list[Float[np.ndarray, "128 256 3"]]
) -> Float[np.ndarray, "128 256 3"]:
    """A photographed environment (half of them, if there are any), studio, lamp or sky; mean luminance 1."""
    kinds = ["hdri", "studio", "lamp", "sky"] if hdris else ["studio", "lamp", "sky"]
    shares = [0.5, 0.25, 0.18, 0.07] if hdris else [0.5, 0.3, 0.2]
    kind = rng.choice(kinds, p=shares)
    if kind == "hdri":
        radiance = random_turn(rng, hdris[rng.integers(len(hdris))])
    else:
        radiance = {"studio": studio, "lamp": lamp, "sky": sky}[kind](rng)
    return radiance / np.float32(mean_luminance(radiance))


def random_turn(rng: np.random.Generator, radiance: Float[np.ndarray, "128 256 3"]) -> np.ndarray:
    """Turn to any azimuth, tilt a little (cameras are held a little askew)."""
    azimuth, tilt, lean = rng.uniform(0, 2 * np.pi), *np.deg2rad(rng.normal(0, 8, 2))
    matrix = cv2.Rodrigues(np.array([tilt, 0, lean]))[0] @ cv2.Rodrigues(np.array([0, azimuth, 0.0]))[0]
    return rotated(radiance, matrix)


def studio(rng: np.random.Generator) -> Float[np.ndarray, "128 256 3"]:
    """Key light, and perhaps fill and rim lights: soft boxes of any size on a dim ambient."""
    radiance = _ambient(rng, rng.uniform(0.05, 0.6))
    for k in range(rng.integers(1, 5)):
        azimuth = rng.normal(0, 55) if k < 2 else rng.uniform(-180, 180)
        direction = _direction(azimuth, rng.normal(20, 28))
        power = 1.0 if k == 0 else rng.uniform(0.1, 0.8)
        radiance += _spot(direction, rng.uniform(8, 45), power, rng.uniform(0.1, 0.8)) * _tint(rng, 0.15)
    return radiance


def lamp(rng: np.random.Generator) -> Float[np.ndarray, "128 256 3"]:
    """One or two small bright lamps, as flashes, bulbs and windows far away are, on little ambient."""
    radiance = _ambient(rng, rng.uniform(0.01, 0.3))
    for _ in range(rng.choice([1, 2], p=[0.75, 0.25])):
        direction = _direction(rng.normal(0, 50), rng.normal(15, 28))
        radiance += _spot(direction, rng.uniform(1.5, 7), rng.uniform(0.3, 1), 0.3) * _tint(rng, 0.2)
    return radiance


def sky(rng: np.random.Generator) -> Float[np.ndarray, "128 256 3"]:
    """Gradient from horizon to zenith, ground, and a sun of 1 to 12 degrees (clear to hazy) or none."""
    height = _DIRECTIONS[..., 1:2]
    zenith = np.array([0.35, 0.55, 1.0]) * rng.uniform(0.5, 1) + rng.uniform(0, 0.4)
    horizon = np.array([0.9, 0.95, 1.0]) * rng.uniform(0.6, 1.4)
    ground = rng.uniform(0.05, 0.45) * _tint(rng, 0.15)
    up = horizon + (zenith - horizon) * np.clip(height, 0, 1) ** 0.5
    radiance = np.where(height > 0, up, ground).astype(np.float32)
    if rng.random() < 0.75:
        warm = np.array([1.0, 0.88, 0.7]) ** rng.uniform(0, 1.5)
        sun = _spot(_direction(rng.uniform(-180, 180), rng.uniform(8, 65)), rng.uniform(1, 12), 1.0, 0.4)
        radiance += sun * warm.astype(np.float32) * rng.uniform(0.3, 3)
    return radiance


def _ambient(rng: np.random.Generator, level: float) -> Float[np.ndarray, "128 256 3"]:
    """Dim light from all sides, brighter on a random one."""
    axis = rng.normal(size=3)
    side = 1 + rng.uniform(0, 0.9) * (_DIRECTIONS @ (axis / np.linalg.norm(axis)).astype(np.float32))
    return (level * side)[..., None].astype(np.float32) * _tint(rng, 0.12)


def _direction(azimuth_deg: float, elevation_deg: float) -> Float[np.ndarray, "3"]:
    """Azimuth 0 is the viewer's side, positive is image right."""
    azimuth, elevation = np.deg2rad([azimuth_deg, np.clip(elevation_deg, -60, 85)])
    return np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])


def _spot(direction: np.ndarray, radius_deg: float, power: float, softness: float) -> Float[np.ndarray, "128 256 1"]:
    """A disc with a soft rim; `power` is what it adds to a mean over the sphere."""
    angle = np.rad2deg(np.arccos(np.clip(_DIRECTIONS @ direction.astype(np.float32), -1, 1)))
    # A rim of a texel at least, so that a small lamp keeps its shape wherever it falls on the grid.
    rim = max(softness * radius_deg, 1.5)
    disc = 1 / (1 + np.exp(np.clip((angle - radius_deg) / (rim / 4), -60, 60)))
    total = (disc * _SOLID_ANGLE).sum() / (4 * np.pi)
    return (disc * (power / total))[..., None].astype(np.float32)


def _tint(rng: np.random.Generator, strength: float) -> Float[np.ndarray, "3"]:
    """Colour of luminance 1, mostly on the way from candle to sky; now and then any gel."""
    if rng.random() < 0.08:
        color = np.exp(rng.normal(0, 0.5, 3))
    else:
        color = np.exp(rng.normal(0, strength) * np.array([1.5, 0.1, -1.8]) + rng.normal(0, 0.03, 3))
    return (color / luminance(color)).astype(np.float32)


def _lamps(radiance: Float[np.ndarray, "128 256 3"], energy: Float[np.ndarray, "128 256"]) -> Lamps:
    """Stratified samples in proportion to the energy of the texels, spread over each texel."""
    probability = energy.astype(np.float64).ravel() / energy.sum(dtype=np.float64)
    at = (np.arange(_LAMP_SAMPLES) + 0.5) / _LAMP_SAMPLES
    texel = np.minimum(np.searchsorted(np.cumsum(probability), at), probability.size - 1)
    # A fixed seed: only where in its texel a sample lies hangs on it.
    jitter = np.random.default_rng(0).random((2, _LAMP_SAMPLES))
    theta = np.pi * (texel // WIDTH + jitter[0]) / HEIGHT
    phi = 2 * np.pi * (texel % WIDTH + jitter[1]) / WIDTH
    direction = np.stack([-np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], axis=1)
    weight = np.broadcast_to(_SOLID_ANGLE, energy.shape).ravel()[texel] / probability[texel]
    value = radiance.reshape(-1, 3)[texel] * weight[:, None]
    return Lamps(direction.astype(np.float32), value.astype(np.float32))


def _read(path: Path) -> np.ndarray:
    """Pixels of a map file, RGB."""
    if path.suffix.lower() == ".npy":
        return np.load(path, allow_pickle=False)
    if path.suffix.lower() == ".hdr":
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if pixels is None:
            raise OSError("not a Radiance file")
        return pixels[..., ::-1]
    import OpenEXR

    channels = OpenEXR.File(str(path)).channels()
    if "RGB" in channels or "RGBA" in channels:
        return channels.get("RGB", channels.get("RGBA")).pixels[..., :3]
    return np.stack([channels[name].pixels for name in "RGB"], axis=-1)
