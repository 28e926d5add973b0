"""How a light shows on a face, before albedo: matte shading with shadows, and highlights.

The diffuse part of light without lamps is the one equation, `render.shade`, less what the face hides from itself. A
lamp is shaded exactly, not by its SH (which is smooth and rings), and gets a highlight: the GGX lobe of Walter et al.
2007 with Schlick's Fresnel term.

Convention: everything in one frame and on one grid, linear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from illures.math.normals import normalize
from illures.relighting.lamps import Lamp
from illures.relighting.light import Light
from illures.relighting.shadows import Occlusion
from illures.render import shade

# Skin's reflectance straight on (index of refraction 1.4), and the width of its lobe.
F0 = 0.028
ROUGHNESS = 0.32
# Of the film of water on lips (index of refraction 1.33), which covers them in part.
WET_F0, WET_ROUGHNESS = 0.01, 0.14
# Shading counts as no less than this part of its mean over the face: SH rings below zero, and light bounces.
FLOOR = 0.1
# What is hidden from a surface is replaced by this much of light that other skin sends.
BOUNCED = 0.3

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
    """The face under a light.

    Args:
        normal: unit normals.
        mask: of the face; the floor is a part of the mean over it.
        light: in the frame of the normals.
        occlusion: what the face hides from itself; None leaves shadows and highlights out: `diffuse` is f(N, L).
        wet: share of lips, whose film of water mirrors sharply.
    """
    if occlusion is None:
        return Appearance(floored(shade(normal, light.sh.astype(np.float32)), mask), np.zeros_like(normal))
    ambient = light.ambient.astype(np.float32)
    diffuse = shade(normal, ambient) - hidden(occlusion, ambient)
    specular = np.zeros_like(normal)
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
    """The smallest rectangle around a region; none where there is no region."""
    rows, columns = (np.flatnonzero((share > 0.1).any(axis=axis)) for axis in (1, 0))
    return [(slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))] if len(rows) else []


def hidden(occlusion: Occlusion, light: Float[np.ndarray, "9 3"]) -> Field:
    """Shading that obstacles take of an SH light, less what they send themselves."""
    return np.asarray((1 - BOUNCED) * (occlusion.hidden @ light.astype(np.float32)))


def floored(shading: Field, mask: Float[np.ndarray, "size size"]) -> Field:
    """Shading kept above a part of its mean over the face, in each channel, with no crease."""
    mean = (shading * mask[..., None]).sum(axis=(0, 1)) / max(float(mask.sum()), 1e-6)
    least = np.maximum(FLOOR * mean, 1e-4).astype(np.float32)
    return np.asarray((shading + np.sqrt(shading * shading + 4 * least * least)) / 2)


def facing_disc(cosine: Float[np.ndarray, "*grid"], radius_deg: float) -> Float[np.ndarray, "*grid"]:
    """max(cosine, 0) averaged over a disc: a surface sees a lamp set bit by bit."""
    sine = max(float(np.sin(np.deg2rad(min(radius_deg, 90.0)))), 0.03)
    rising = np.clip(cosine + sine, 0, None) ** 2 / (4 * sine)
    return np.where(cosine > sine, cosine, rising)


def highlight(
    normal: Float[np.ndarray, "rows columns 3"], lamp: Lamp, f0: float = F0, roughness: float = ROUGHNESS
) -> Float[np.ndarray, "rows columns"]:
    """What skin mirrors of a lamp of irradiance pi: pi D F G (n·l) / (4 (n·l) (n·v)), seen from the camera (+z)."""
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
