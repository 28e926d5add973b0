"""One view of a synthetic set: draw expression, pose and lights, render, expose, composite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float

from illures.data.context import WIDE, WIDE_PX
from illures.data.shards import IMAGE_RANGE, ViewRecord
from illures.math.color import EXPOSURE_SPREAD, luminance, photographed_luminance
from illures.math.normals import normalize, turn
from illures.math.sh import project_environment, rotate
from illures.render import shade
from illures.synth import lighting
from illures.synth.heads.expressions import Weights, exaggerated, random_deformation, random_expression
from illures.synth.heads.motion import random_motion
from illures.synth.lighting import Environment
from illures.synth.renderer.denoise import denoised
from illures.synth.renderer.scene import Jitter, Pose, View, merge, place
from illures.synth.renderer.transport import Transport
from illures.synth.sets import Recipe, fingerprint
from illures.types import Head

_BACKGROUND_LIMIT = 4.0  # linear; backgrounds are clipped at this value
_PERSON, _POSE, _EXPRESSION, _LIGHT, _VIEW = range(1, 6)  # streams of random numbers
_GUIDE_SAMPLES = 24  # paths per pixel for sets with only albedo and normals

# Linear radiance at places x, y in pixels of the crop, which may lie far outside of it.
Backdrop = Callable[[np.ndarray, np.ndarray], np.ndarray]


@runtime_checkable
class Posable(Protocol):
    """A person without an expression (see `person.Person`)."""

    @property
    def tone(self) -> float:
        """Luminance of the skin's albedo."""
        ...

    def head(self, expression: Weights, occluders: np.random.Generator | None = None) -> Head:
        """The head with an expression, and perhaps with an occluder."""
        ...


@dataclass(frozen=True)
class Lit:
    """A light for all views of a person: exposed environment and its SH coefficients."""

    environment: Environment
    coefficients: Float[np.ndarray, "9 3"]


class Studio:
    """Data shared by all views of a worker.

    Args:
        recipe: of the set.
        people: makes a person by number.
        hdris: environment maps at mean luminance 1; may be empty.

    Attributes:
        person: the person of a number.
        lights: the lights that fall on a person.
    """

    def __init__(
        self, recipe: Recipe, people: Callable[[int], Posable], hdris: list[Float[np.ndarray, "128 256 3"]]
    ) -> None:
        self.recipe = recipe
        self.fingerprint = fingerprint(recipe)
        self._hdris = hdris
        # Views of a person follow each other.
        self.person = lru_cache(maxsize=1)(people)
        self.lights = lru_cache(maxsize=1)(self._lights)

    def _lights(self, identity: int) -> tuple[Lit, ...]:
        made = []
        for k in range(self.recipe.lights):
            rng = np.random.default_rng([self.recipe.seed, _LIGHT, identity, k])
            environment = lighting.split(lighting.random_environment(rng, self._hdris))
            coefficients = project_environment(environment.radiance)
            gain = random_exposure(coefficients, self.person(identity).tone, rng)
            made.append(Lit(lighting.scaled(environment, gain), (coefficients * gain).astype(np.float32)))
        return tuple(made)


def render_view(studio: Studio, index: int) -> ViewRecord:
    """View `index` of the set; reproducible to the byte."""
    recipe = studio.recipe
    identity, place_in_grid = divmod(index, recipe.views_per_identity)
    pose, expression = divmod(place_in_grid, recipe.expressions)
    rng = np.random.default_rng([recipe.seed, _VIEW, index])
    weights = _expression(recipe, np.random.default_rng([recipe.seed, _EXPRESSION, identity, expression]))
    occluders = rng if rng.random() < recipe.occluders else None
    head = studio.person(identity).head(weights, occluders)
    posed = _pose(recipe, identity * recipe.poses + pose, np.random.default_rng([recipe.seed, _POSE, identity, pose]))
    view = place(head.landmarks, posed, recipe.size, random_jitter(rng))
    samples, depth = (recipe.samples, recipe.depth) if recipe.transport else (min(recipe.samples, _GUIDE_SAMPLES), 0)
    transport = Transport(merge(head, view), view, samples, depth, seed=int(rng.integers(2**30)))
    falling, upright = studio.lights(identity), view.to_crop_frame
    photos = [_photo(recipe, transport, view, lit, rng) for lit in falling] if recipe.transport else []
    return ViewRecord(
        albedo=transport.guides.albedo,
        normal=turn(transport.guides.normal, upright),
        mask=transport.guides.mask,
        landmarks=view.landmarks,
        region=transport.guides.region,
        images=tuple(image for image, _ in photos),
        contexts=tuple(context for _, context in photos),
        lights=tuple(rotate(lit.coefficients, upright) for lit in falling),
        lightings=tuple(identity * recipe.lights + k for k in range(recipe.lights)),
        identity=identity,
        expression=identity * recipe.expressions + expression,
        pose=identity * recipe.poses + pose,
        seed=recipe.seed,
        recipe=studio.fingerprint,
    )


def random_pose(rng: np.random.Generator, recipe: Recipe) -> Pose:
    """Mostly toward the camera, at the distance of a phone or of a portrait lens."""
    yaw = rng.normal(0, recipe.yaw_sigma_deg)
    pitch = rng.normal(0, recipe.pitch_limit_deg / 2.5)
    roll = rng.normal(0, recipe.roll_limit_deg / 2)
    return _camera(rng, recipe, (yaw, pitch, roll))


def random_jitter(rng: np.random.Generator) -> Jitter:
    """Alignment errors like those of landmarks on real photos: at most 8 % in scale, 4 % in position, 6 degrees."""
    scale, right, down, turn = rng.uniform(-1, 1, 4)
    return Jitter(1 + 0.08 * scale, (0.04 * right, 0.04 * down), 6 * turn)


def _expression(recipe: Recipe, rng: np.random.Generator) -> Weights:
    """A random expression of the recipe's kind."""
    if recipe.motion == "talking":
        return random_motion(rng)[0]
    return {"posed": random_expression, "exaggerated": exaggerated, "deformed": random_deformation}[recipe.motion](rng)


def _pose(recipe: Recipe, pose: int, rng: np.random.Generator) -> Pose:
    """Of talking people for every other view where the recipe asks for them, else over the recipe's whole range."""
    if recipe.motion == "talking" and pose % 2 == 0:
        return _camera(rng, recipe, random_motion(rng)[1])
    return random_pose(rng, recipe)


def _camera(rng: np.random.Generator, recipe: Recipe, angles_deg: tuple[float, float, float]) -> Pose:
    """A head turned so, somewhere before the camera."""
    limits = recipe.yaw_limit_deg, recipe.pitch_limit_deg, recipe.roll_limit_deg
    yaw, pitch, roll = (float(np.clip(angle, -most, most)) for angle, most in zip(angles_deg, limits, strict=True))
    distance = float(np.exp(rng.uniform(np.log(0.4), np.log(2.0))))
    right, up = np.clip(rng.normal(0, 5, 2), -12, 12)
    return Pose(yaw, pitch, roll, distance, (float(right), float(up)))


def random_exposure(light: Float[np.ndarray, "9 3"], tone: float, rng: np.random.Generator) -> float:
    """Gain that makes a face of albedo `tone` as bright as in photos, with their spread.

    Expression and pose do not enter, so that equal lights of a person are equal in all views.
    """
    irradiance = float(np.mean(np.maximum(luminance(shade(_FACE_NORMALS, light)), 0)))
    target = photographed_luminance(np.clip(tone, 0.05, 0.6)) * np.exp(rng.normal(0, EXPOSURE_SPREAD))
    return float(np.clip(target, 0.04, 0.7) / max(tone * irradiance, 1e-3))


def _face_normals() -> Float[np.ndarray, "normals 3"]:
    """Directions as face normals point: within 70 degrees of the viewer, dense in the middle."""
    tilt, turn = np.meshgrid(np.deg2rad([10, 25, 40, 55, 70]), np.linspace(0, 2 * np.pi, 12, endpoint=False))
    x, y, z = np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)
    return np.stack([x, y, z], -1).reshape(-1, 3).astype(np.float32)


_FACE_NORMALS = _face_normals()


def _photo(
    recipe: Recipe, transport: Transport, view: View, lit: Lit, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "size size 3"], Float[np.ndarray, "wide wide 3"]]:
    """The view under a light with a background, and its surroundings under the same light."""
    guides = transport.guides
    surface = transport.light(lit.environment, recipe.shadow_samples)
    if recipe.denoise:
        surface = denoised(surface, guides)
    backdrop = _backdrop(lit, view, rng)
    pixels = np.arange(view.size, dtype=np.float32)
    image = surface + (1 - guides.coverage[..., None]) * backdrop(*np.meshgrid(pixels, pixels))
    wide = ((np.arange(WIDE_PX) + 0.5) / WIDE_PX - 0.5) * WIDE * view.size + (view.size - 1) / 2
    around = backdrop(*np.meshgrid(wide.astype(np.float32), wide.astype(np.float32)))
    return np.clip(image, 0, IMAGE_RANGE).astype(np.float32), around


def _backdrop(lit: Lit, view: View, rng: np.random.Generator) -> Backdrop:
    """The background by crop pixels: the environment out of focus, or lit walls and clutter."""
    size, kind = view.size, rng.random()
    if kind < 0.5:
        a, b, c, d, e, f = view.plane.ravel().astype(np.float32)
        radiance = np.minimum(lit.environment.radiance, _BACKGROUND_LIMIT)

        def picture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
            px, py = a * x + b * y + c, -(d * x + e * y + f)
            column = (np.arctan2(-px, -np.ones_like(px)) % (2 * np.pi)) * (lighting.WIDTH / (2 * np.pi)) - 0.5
            row = np.arccos(py / np.sqrt(px * px + py * py + 1)) * (lighting.HEIGHT / np.pi) - 0.5
            return cv2.remap(radiance, column, row, cv2.INTER_LINEAR)

        return picture
    # It faces the camera more or less, and gets the light that falls there.
    facing = normalize(np.append(rng.normal(0, 0.4, 2), 1.0).astype(np.float32))
    irradiance = np.maximum(shade(facing, lit.coefficients), 0.02 * np.abs(lit.coefficients[:1]).mean())
    count = 1 if kind < 0.75 else int(rng.integers(8, 32))
    spread = (0.9, 0.15) if count == 1 else (0.8, 0.3)
    tint = np.exp(rng.normal(0, spread[1], (count, count, 3)))
    albedo = np.exp(rng.normal(np.log(0.3), spread[0], (count, count, 1))) * tint
    ramp = np.exp(rng.normal(0, 0.25, 2) / (WIDE * size))
    coarse = (albedo.clip(0.02, 0.9) * irradiance).astype(np.float32)

    def clutter(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        at = [((v - (size - 1) / 2) / (WIDE * size) + 0.5) * count - 0.5 for v in (x, y)]
        found = cv2.remap(coarse, at[0], at[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        falls = (ramp[0] ** x * ramp[1] ** y).astype(np.float32)
        return np.clip(found * falls[..., None], 0, _BACKGROUND_LIMIT)

    return clutter
