"""Shading of a face under a light, without albedo: diffuse shading with shadows, and highlights.

The diffuse part of ambient light is `render.shade` minus self-occlusion. Lamps are shaded exactly, not by their SH
(which is smooth and rings), and get a highlight: the GGX lobe of Walter et al. 2007 with Schlick's Fresnel term.

Convention: all arguments are in one frame and on one grid, linear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from illures.math.color import mean_colour
from illures.math.normals import normalize
from illures.relighting.lamps import Lamp
from illures.relighting.light import Light
from illures.relighting.shadows import Occlusion
from illures.render import shade

# Reflectance of skin at normal incidence (index of refraction 1.4), and roughness of its lobe.
F0 = 0.028
ROUGHNESS = 0.32
# Likewise for the film of water on lips (index of refraction 1.33), which covers part of them.
WET_F0, WET_ROUGHNESS = 0.01, 0.14
# Shading is floored at this part of its mean over the face, as SH rings below zero and light bounces.
FLOOR = 0.1
# Occluded light is replaced by this share of light that bounces off other skin.
BOUNCED = 0.1

Field = Float[np.ndarray, "size size 3"]


@dataclass(frozen=True)
class Appearance:
    """A light on a face: `image = albedo ∘ diffuse + specular`."""

    diffuse: Field
    specular: Field


def appearance(
    normal: Field,
    mask: Float[np.ndarray, "size size"],
    light: Light,
    occlusion: Occlusion | None,
    wet: Float[np.ndarray, "size size"],
) -> Appearance:
    """Shade a face under a light.

    Args:
        normal: unit normals.
        mask: of the face; the floor is relative to the mean over it.
        light: in the frame of the normals.
        occlusion: self-occlusion of the face; None: no shadows and highlights, `diffuse` is f(N, L).
        wet: share of lips, whose film of water has sharp highlights.
    """
    if occlusion is None:
        return Appearance(floored(shade(normal, light.sh.astype(np.float32)), mask), np.zeros_like(normal))
    ambient = light.ambient.astype(np.float32)
    even, lost = shade(normal, ambient), hidden(occlusion, ambient)
    diffuse = even - lost
    specular = ambient_specular(normal, ambient) * np.clip(1 - lost / np.maximum(even, 1e-4), 0, 1)
    for lamp in light.lamps:
        direction = lamp.direction.astype(np.float32)
        seen = 1 - occlusion.shadow(lamp.direction, lamp.radius_deg)
        facing = facing_disc(normal @ direction, lamp.radius_deg)
        strength = lamp.irradiance.astype(np.float32)
        diffuse = diffuse + (facing * (1 - (1 - seen) * (1 - BOUNCED / 3)))[..., None] * strength
        shine = highlight(normal, lamp)
        for lips in _box(wet):
            shine[lips] += wet[lips] * highlight(normal[lips], lamp, WET_F0, WET_ROUGHNESS)
        specular = specular + (seen * shine)[..., None] * strength
    return Appearance(floored(diffuse, mask), specular)


def _box(share: Float[np.ndarray, "size size"]) -> list[tuple[slice, slice]]:
    """The bounding box of a region; empty if there is no region."""
    rows, columns = (np.flatnonzero((share > 0.1).any(axis=axis)) for axis in (1, 0))
    return [(slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))] if len(rows) else []


def hidden(occlusion: Occlusion, light: Float[np.ndarray, "9 3"]) -> Field:
    """Shading lost to occluders under an SH light, minus the light that they reflect."""
    return np.asarray((1 - BOUNCED) * (occlusion.hidden @ light.astype(np.float32)))


def floored(shading: Field, mask: Float[np.ndarray, "size size"]) -> Field:
    """Soft floor on shading at a part of its mean over the face, per channel."""
    least = np.maximum(FLOOR * mean_colour(shading, mask), 1e-4).astype(np.float32)
    return np.asarray((shading + np.sqrt(shading * shading + 4 * least * least)) / 2)


def facing_disc(cosine: Float[np.ndarray, "*grid"], radius_deg: float) -> Float[np.ndarray, "*grid"]:
    """max(cosine, 0) averaged over the disc of a lamp, which sets gradually at the horizon."""
    sine = max(float(np.sin(np.deg2rad(min(radius_deg, 90.0)))), 0.03)
    rising = np.clip(cosine + sine, 0, None) ** 2 / (4 * sine)
    return np.where(cosine > sine, cosine, rising)


def ambient_specular(normal: Float[np.ndarray, "rows columns 3"], ambient: Float[np.ndarray, "9 3"]) -> Field:
    """Specular reflection of ambient light, seen from the camera (+z): strong at grazing angles and on dark hair.

    The split sum of Karis ("Physically Based Shading on Mobile", 2014): the reflectance of the lobe for even light,
    times the light from the mirrored direction, blurred as by a matte surface.
    """
    facing = np.clip(normal[..., 2:], 0, 1)
    mirrored = 2 * facing * normal - np.array([0, 0, 1], np.float32)
    rough = float(np.sqrt(ROUGHNESS))
    x, y, z, w = rough * np.array([-1, -0.0275, -0.572, 0.022]) + np.array([1, 0.0425, 1.04, -0.04])
    edge = np.minimum(x * x, np.exp2(-9.28 * facing)) * x + y
    reflectance = F0 * (z - 1.04 * edge) + (w + 1.04 * edge)
    return np.asarray(np.clip(shade(mirrored, ambient), 0, None) * reflectance, np.float32)


def highlight(
    normal: Float[np.ndarray, "rows columns 3"], lamp: Lamp, f0: float = F0, roughness: float = ROUGHNESS
) -> Float[np.ndarray, "rows columns"]:
    """Specular reflection of a lamp of irradiance pi: pi D F G (n·l) / (4 (n·l) (n·v)), seen from the camera (+z)."""
    half = normalize(lamp.direction + np.array([0.0, 0.0, 1.0])).astype(np.float32)
    alpha2 = roughness**2 + (np.deg2rad(lamp.radius_deg) / 2) ** 2  # a larger lamp, a wider highlight
    to_half, to_lamp = np.clip(normal @ half, 0, 1), normal @ lamp.direction.astype(np.float32)
    to_eye = np.clip(normal[..., 2], 0.15, 1)
    lobe = alpha2 / (np.pi * (to_half * to_half * (alpha2 - 1) + 1) ** 2)
    fresnel = f0 + (1 - f0) * (1 - float(np.clip(half[2], 0, 1))) ** 5
    lit = facing_disc(to_lamp, lamp.radius_deg)
    # Smith's shadowing, height-correlated, over 4 (n·l) (n·v) (Heitz 2014).
    visible = 0.5 / (
        lit * np.sqrt(to_eye * to_eye * (1 - alpha2) + alpha2) + to_eye * np.sqrt(lit * lit * (1 - alpha2) + alpha2)
    )
    return np.asarray(np.pi * lobe * fresnel * visible * lit, dtype=np.float32)
