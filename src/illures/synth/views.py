"""One view of a synthetic set: draw pose and lights, render, expose, composite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from illures.data.shards import IMAGE_RANGE, ViewRecord
from illures.math.color import luminance
from illures.math.sh import project_environment
from illures.synth import lights
from illures.synth.recipes import Recipe, fingerprint
from illures.synth.scene import Jitter, Pose, View, merge, place
from illures.synth.transport import Guides, Transport
from illures.types import Head

_BACKGROUND_LIMIT = 4.0  # linear; brighter backgrounds carry nothing

# Makes the head of a person (by number), with an expression drawn from the generator.
Heads = Callable[[int, np.random.Generator], Head]


@dataclass(frozen=True)
class Studio:
    """What all views of a worker share.

    Attributes:
        recipe: of the set.
        heads: makes them.
        hdris: environment maps at mean luminance 1; may be empty.
    """

    recipe: Recipe
    heads: Heads
    hdris: list[Float[np.ndarray, "128 256 3"]]


def render_view(studio: Studio, index: int) -> ViewRecord:
    """View `index` of the set; the same bytes whenever and wherever it is made."""
    recipe = studio.recipe
    rng = np.random.default_rng([recipe.seed, index])
    identity = index % recipe.identities
    head = studio.heads(identity, rng)
    view = place(head.landmarks, random_pose(rng, recipe), recipe.size, random_jitter(rng))
    samples, depth = (recipe.samples, recipe.depth) if recipe.lights else (min(recipe.samples, 24), 0)
    transport = Transport(merge(head, view), view, samples, depth, seed=int(rng.integers(2**30)))
    lit = [_lit(studio, transport, view, rng) for _ in range(recipe.lights)]
    return ViewRecord(
        albedo=transport.guides.albedo,
        normal=transport.guides.normal,
        mask=transport.guides.mask,
        landmarks=view.landmarks,
        images=tuple(image for image, _ in lit),
        lights=tuple(light for _, light in lit),
        lightings=tuple(index * recipe.lights + k for k in range(recipe.lights)),
        identity=identity,
        expression=index,
        pose=index,
        seed=recipe.seed,
        recipe=fingerprint(recipe),
    )


def random_pose(rng: np.random.Generator, recipe: Recipe) -> Pose:
    """Mostly toward the camera, at the distance of a phone or of a portrait lens."""
    yaw = np.clip(rng.normal(0, recipe.yaw_sigma_deg), -recipe.yaw_limit_deg, recipe.yaw_limit_deg)
    pitch = np.clip(rng.normal(0, recipe.pitch_limit_deg / 2.5), -recipe.pitch_limit_deg, recipe.pitch_limit_deg)
    roll = np.clip(rng.normal(0, recipe.roll_limit_deg / 2), -recipe.roll_limit_deg, recipe.roll_limit_deg)
    distance = float(np.exp(rng.uniform(np.log(0.4), np.log(2.0))))
    right, up = np.clip(rng.normal(0, 5, 2), -12, 12)
    return Pose(float(yaw), float(pitch), float(roll), distance, (float(right), float(up)))


def random_jitter(rng: np.random.Generator) -> Jitter:
    """As far off as landmarks of real photos put the crop: 8 % in scale, 4 % in place, 6 degrees at most."""
    scale, right, down, turn = rng.uniform(-1, 1, 4)
    return Jitter(1 + 0.08 * scale, (0.04 * right, 0.04 * down), 6 * turn)


def _lit(
    studio: Studio, transport: Transport, view: View, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "size size 3"], Float[np.ndarray, "9 3"]]:
    """The view under one random light, exposed, with a background; and the light's coefficients."""
    guides = transport.guides
    environment = lights.split(lights.random_environment(rng, studio.hdris))
    surface = transport.light(environment, studio.recipe.shadow_samples)
    if studio.recipe.denoise:
        surface = denoised(surface, guides)
    gain = _exposure(surface, guides, rng)
    background = _background(environment.radiance * gain, view, rng)
    image = surface * gain + (1 - guides.coverage[..., None]) * background
    light = project_environment(environment.radiance * gain)
    return np.clip(image, 0, IMAGE_RANGE).astype(np.float32), light


def denoised(image: Float[np.ndarray, "size size 3"], guides: Guides) -> Float[np.ndarray, "size size 3"]:
    """Open Image Denoise with the guides, which are noise-free enough to be trusted."""
    import pyoidn

    albedo = guides.albedo * guides.coverage[..., None]
    clean = pyoidn.denoise(image, albedo, guides.normal, hdr=True, clean_aux=True, quality="fast")
    return np.maximum(clean, 0)


def _exposure(image: Float[np.ndarray, "size size 3"], guides: Guides, rng: np.random.Generator) -> float:
    """Gain that puts the face's mean luminance near 0.28, dark skin a little lower, with errors as cameras make."""
    mask = guides.mask if guides.mask.any() else guides.coverage > 0.5
    if not mask.any():
        return 1.0
    seen = float(luminance(image[mask]).mean())
    skin = float(luminance(guides.albedo[mask]).mean())
    # A camera brings a dark face halfway up to a light one.
    target = 0.28 * np.sqrt(np.clip(skin, 0.05, 0.6) / 0.35) * np.exp(rng.normal(0, 0.4))
    return float(np.clip(target, 0.04, 0.7) / max(seen, 1e-4))


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
