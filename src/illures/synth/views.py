"""One view of a synthetic set: draw expression, pose and lights, render, expose, composite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float

from illures.data.shards import IMAGE_RANGE, ViewRecord
from illures.math.color import luminance
from illures.math.normals import turn
from illures.math.sh import project_environment, rotate
from illures.render import shade
from illures.synth import lights
from illures.synth.denoise import denoised
from illures.synth.expressions import Weights, exaggerated, random_deformation, random_expression
from illures.synth.lights import Environment
from illures.synth.motion import random_motion
from illures.synth.recipes import Recipe, fingerprint
from illures.synth.scene import Jitter, Pose, View, merge, place
from illures.synth.transport import Transport
from illures.types import Head

_BACKGROUND_LIMIT = 4.0  # linear; brighter backgrounds carry nothing
_PERSON, _POSE, _EXPRESSION, _LIGHT, _VIEW = range(1, 6)  # streams of random numbers
_GUIDE_SAMPLES = 24  # paths a pixel where there is albedo and normal alone


@runtime_checkable
class Posable(Protocol):
    """A person whose expression is open (see `dress.Person`)."""

    @property
    def tone(self) -> float:
        """Luminance of the skin's albedo."""
        ...

    def head(self, expression: Weights, obstacles: np.random.Generator | None = None) -> Head:
        """The head with an expression, and perhaps with something before it."""
        ...


@dataclass(frozen=True)
class Lit:
    """A light as it falls on all views of a person: exposed environment and its SH coefficients."""

    environment: Environment
    coefficients: Float[np.ndarray, "9 3"]


class Studio:
    """What all views of a worker share.

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
            environment = lights.split(lights.random_environment(rng, self._hdris))
            coefficients = project_environment(environment.radiance)
            gain = random_exposure(coefficients, self.person(identity).tone, rng)
            made.append(Lit(lights.scaled(environment, gain), (coefficients * gain).astype(np.float32)))
        return tuple(made)


def render_view(studio: Studio, index: int) -> ViewRecord:
    """View `index` of the set; the same bytes whenever and wherever it is made."""
    recipe = studio.recipe
    identity, place_in_grid = divmod(index, recipe.views_per_identity)
    pose, expression = divmod(place_in_grid, recipe.expressions)
    rng = np.random.default_rng([recipe.seed, _VIEW, index])
    weights = _expression(recipe, np.random.default_rng([recipe.seed, _EXPRESSION, identity, expression]))
    obstacles = rng if rng.random() < recipe.obstacles else None
    head = studio.person(identity).head(weights, obstacles)
    posed = _pose(recipe, pose, np.random.default_rng([recipe.seed, _POSE, identity, pose]))
    view = place(head.landmarks, posed, recipe.size, random_jitter(rng))
    samples, depth = (recipe.samples, recipe.depth) if recipe.transport else (min(recipe.samples, _GUIDE_SAMPLES), 0)
    transport = Transport(merge(head, view), view, samples, depth, seed=int(rng.integers(2**30)))
    falling, upright = studio.lights(identity), view.to_crop_frame
    return ViewRecord(
        albedo=transport.guides.albedo,
        normal=turn(transport.guides.normal, upright),
        mask=transport.guides.mask,
        landmarks=view.landmarks,
        images=tuple(_photo(recipe, transport, view, lit, rng) for lit in falling) if recipe.transport else (),
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
    """As far off as landmarks of real photos put the crop: 8 % in scale, 4 % in place, 6 degrees at most."""
    scale, right, down, turn = rng.uniform(-1, 1, 4)
    return Jitter(1 + 0.08 * scale, (0.04 * right, 0.04 * down), 6 * turn)


def _expression(recipe: Recipe, rng: np.random.Generator) -> Weights:
    """A random expression of the recipe's kind."""
    if recipe.motion == "talking":
        return random_motion(rng)[0]
    return {"posed": random_expression, "exaggerated": exaggerated, "deformed": random_deformation}[recipe.motion](rng)


def _pose(recipe: Recipe, pose: int, rng: np.random.Generator) -> Pose:
    """Of talking people for every other pose where the recipe asks for them, else over the recipe's whole range."""
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
    """Gain that puts a face of luminance `tone` near 0.28, dark skin a little lower, with errors as cameras make.

    Expression and pose do not enter, so that equal lights of a person are equal in all views.
    """
    irradiance = float(np.mean(np.maximum(luminance(shade(_FACE_NORMALS, light)), 0)))
    # A camera brings a dark face halfway up to a light one.
    target = 0.28 * np.sqrt(np.clip(tone, 0.05, 0.6) / 0.35) * np.exp(rng.normal(0, 0.4))
    return float(np.clip(target, 0.04, 0.7) / max(tone * irradiance, 1e-3))


def _face_normals() -> Float[np.ndarray, "normals 3"]:
    """Directions as face normals point: within 70 degrees of the viewer, dense in the middle."""
    tilt, turn = np.meshgrid(np.deg2rad([10, 25, 40, 55, 70]), np.linspace(0, 2 * np.pi, 12, endpoint=False))
    x, y, z = np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)
    return np.stack([x, y, z], -1).reshape(-1, 3).astype(np.float32)


_FACE_NORMALS = _face_normals()


def _photo(
    recipe: Recipe, transport: Transport, view: View, lit: Lit, rng: np.random.Generator
) -> Float[np.ndarray, "size size 3"]:
    """The view under a light, with a background."""
    guides = transport.guides
    surface = transport.light(lit.environment, recipe.shadow_samples)
    if recipe.denoise:
        surface = denoised(surface, guides)
    background = _background(lit.environment.radiance, view, rng)
    image = surface + (1 - guides.coverage[..., None]) * background
    return np.clip(image, 0, IMAGE_RANGE).astype(np.float32)


def _background(
    radiance: Float[np.ndarray, "128 256 3"], view: View, rng: np.random.Generator
) -> Float[np.ndarray, "size size 3"]:
    """What stands behind the head: the environment out of focus, a wall, or smooth clutter."""
    size, kind = view.size, rng.random()
    if kind < 0.5:
        y, x = np.mgrid[:size, :size].astype(np.float32)
        a, b, c, d, e, f = view.plane.ravel().astype(np.float32)
        px, py = a * x + b * y + c, -(d * x + e * y + f)
        column = (np.arctan2(-px, -np.ones_like(px)) % (2 * np.pi)) * (lights.WIDTH / (2 * np.pi)) - 0.5
        row = np.arccos(py / np.sqrt(px * px + py * py + 1)) * (lights.HEIGHT / np.pi) - 0.5
        picture = cv2.remap(np.minimum(radiance, _BACKGROUND_LIMIT), column, row, cv2.INTER_LINEAR)
    elif kind < 0.75:
        level = np.exp(rng.normal(np.log(0.15), 0.9)) * np.exp(rng.normal(0, 0.15, 3))
        ramp = np.linspace(-1, 1, size) * rng.uniform(0, 0.4)
        picture = level * (1 + ramp[:, None, None] * np.ones((1, size, 1)))
    else:
        coarse = np.exp(rng.normal(np.log(0.15), 0.8, (rng.integers(2, 12), rng.integers(2, 12), 3)))
        picture = cv2.resize(coarse.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 0, _BACKGROUND_LIMIT).astype(np.float32)
