"""Environments for rendering: rotated HDRIs, procedural studios, skies and lamps; separation of lamps.

Convention: latitude-longitude maps as in `illures.io.environment_maps`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from illures.io.environment_maps import DIRECTIONS, HEIGHT, SOLID_ANGLE, WIDTH, mean_luminance, rotated
from illures.math.color import luminance

_LAMP_OVER_MEAN = 3.0  # texels brighter than this many times the mean are sampled as lamps
_LAMP_SHARE = 0.02  # share of the energy; weaker lamps stay in the lookup
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
        radiance: total.
        smooth: radiance without the excess of lamps over the threshold.
        bounced: radiance with blurred lamps, for light bounced between surfaces.
        lamps: samples of `radiance - smooth`, or None.
    """

    radiance: Float[np.ndarray, "128 256 3"]
    smooth: Float[np.ndarray, "128 256 3"]
    bounced: Float[np.ndarray, "128 256 3"]
    lamps: Lamps | None


def split(radiance: Float[np.ndarray, "128 256 3"]) -> Environment:
    """Separate the lamps of an environment from the rest, which bounds the noise of both."""
    bright = luminance(radiance)
    limit = _LAMP_OVER_MEAN * mean_luminance(radiance)
    share = np.clip(1 - limit / np.maximum(bright, 1e-12), 0, None)
    lamp = radiance * share[..., None]
    energy = luminance(lamp) * SOLID_ANGLE
    if energy.sum() < _LAMP_SHARE * (bright * SOLID_ANGLE).sum():
        return Environment(radiance, radiance, radiance, None)
    smooth = radiance - lamp
    # About 10 degrees at the equator; the blur stretches near the poles, which diffuse bounces do not show.
    flux = cv2.GaussianBlur(np.pad(lamp * SOLID_ANGLE[..., None], ((0, 0), (32, 32), (0, 0)), mode="wrap"), (0, 0), 7)
    bounced = smooth + flux[:, 32:-32] / SOLID_ANGLE[..., None]
    return Environment(radiance, smooth, bounced, _lamps(lamp, energy))


def scaled(environment: Environment, factor: float) -> Environment:
    """The same environment `factor` times as bright."""
    lamps = environment.lamps
    if lamps is not None:
        lamps = Lamps(lamps.direction, lamps.radiance * factor)
    gain = np.float32(factor)
    return Environment(environment.radiance * gain, environment.smooth * gain, environment.bounced * gain, lamps)


def random_environment(
    rng: np.random.Generator, hdris: list[Float[np.ndarray, "128 256 3"]]
) -> Float[np.ndarray, "128 256 3"]:
    """An HDRI (nearly half of the time, if there are any), studio, lamps, flash or sky; luminance 1."""
    kinds = ["hdri", "studio", "lamp", "flash", "sky"] if hdris else ["studio", "lamp", "flash", "sky"]
    shares = [0.45, 0.22, 0.14, 0.12, 0.07] if hdris else [0.45, 0.2, 0.17, 0.18]
    kind = rng.choice(kinds, p=shares)
    if kind == "hdri":
        radiance = random_turn(rng, hdris[rng.integers(len(hdris))])
    else:
        radiance = {"studio": studio, "lamp": lamp, "flash": flash, "sky": sky}[kind](rng)
    return radiance / np.float32(mean_luminance(radiance))


def random_turn(rng: np.random.Generator, radiance: Float[np.ndarray, "128 256 3"]) -> np.ndarray:
    """Rotate to a random azimuth, and tilt a little (as hand-held cameras)."""
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


def flash(rng: np.random.Generator) -> Float[np.ndarray, "128 256 3"]:
    """One hard flash from any side of the front in a dark room; at times a second lamp of another colour."""
    radiance = _ambient(rng, np.exp(rng.uniform(np.log(0.003), np.log(0.1))))
    for power in (1.0, rng.uniform(0.05, 0.6)) if rng.random() < 0.3 else (1.0,):
        direction = _direction(rng.uniform(-95, 95), np.rad2deg(np.arcsin(rng.uniform(-0.6, 0.95))))
        radiance += _spot(direction, rng.uniform(1.5, 4), power, 0.3) * _tint(rng, 0.15 if power == 1 else 0.6)
    return radiance


def sky(rng: np.random.Generator) -> Float[np.ndarray, "128 256 3"]:
    """Gradient from horizon to zenith, ground, and a sun of 1 to 12 degrees (clear to hazy) or none."""
    height = DIRECTIONS[..., 1:2]
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
    side = 1 + rng.uniform(0, 0.9) * (DIRECTIONS @ (axis / np.linalg.norm(axis)).astype(np.float32))
    return (level * side)[..., None].astype(np.float32) * _tint(rng, 0.12)


def _direction(azimuth_deg: float, elevation_deg: float) -> Float[np.ndarray, "3"]:
    """Azimuth 0 is the viewer's side, positive is image right."""
    azimuth, elevation = np.deg2rad([azimuth_deg, np.clip(elevation_deg, -60, 85)])
    return np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])


def _spot(direction: np.ndarray, radius_deg: float, power: float, softness: float) -> Float[np.ndarray, "128 256 1"]:
    """A disc with a soft rim; `power` is its contribution to the mean over the sphere."""
    angle = np.rad2deg(np.arccos(np.clip(DIRECTIONS @ direction.astype(np.float32), -1, 1)))
    # A rim of a texel at least, so that a small lamp keeps its shape wherever it falls on the grid.
    rim = max(softness * radius_deg, 1.5)
    disc = 1 / (1 + np.exp(np.clip((angle - radius_deg) / (rim / 4), -60, 60)))
    total = (disc * SOLID_ANGLE).sum() / (4 * np.pi)
    return (disc * (power / total))[..., None].astype(np.float32)


def _tint(rng: np.random.Generator, strength: float) -> Float[np.ndarray, "3"]:
    """Colour of luminance 1, mostly between candle and sky; sometimes any gel."""
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
    # A fixed seed, which only affects the position of a sample within its texel.
    jitter = np.random.default_rng(0).random((2, _LAMP_SAMPLES))
    theta = np.pi * (texel // WIDTH + jitter[0]) / HEIGHT
    phi = 2 * np.pi * (texel % WIDTH + jitter[1]) / WIDTH
    direction = np.stack([-np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], axis=1)
    weight = np.broadcast_to(SOLID_ANGLE, energy.shape).ravel()[texel] / probability[texel]
    value = radiance.reshape(-1, 3)[texel] * weight[:, None]
    return Lamps(direction.astype(np.float32), value.astype(np.float32))
