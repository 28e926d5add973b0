"""Other details for a rendered person: texture of the skin, brows and eyes.

Measured on photometric stereo of real faces (Extended Yale B, dev): the albedo of real skin has more fine detail than
that of renders, by 0.02 to 0.04 in each octave of log albedo, and brows are lit as the skin around them, where those of
renders shine. The whites of eyes in photos look greyer, and irises are far less dark. A network that saw renders alone
takes pores and spots for shading, and draws brows too dark, eyes too white and irises black.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from illures.data.pixels import BURNT, MELANIN, box_mean, burnt, softened
from illures.types import Region

# Log albedo toward more melanin and toward more haemoglobin, in units of green.
_PIGMENTS = np.array([MELANIN, [0.25, 1.0, 0.85]])
_TEXTURE = 0.07  # largest standard deviation of log albedo that is added in an octave
_COARSEST, _PIXELS = 8, 0.6  # cells of the coarsest octave; share of that strength in single pixels
_AROUND = 0.06  # of the side: how far the skin around brows and beards is looked at
_LEAST_SKIN = 0.02  # share of skin there
_MATTE = (0.4, 1.0)  # how far the light on brows and beards becomes that of the skin around
_PALER = (-0.1, 0.5)  # how far their albedo does
_WHITES = (0.35, 0.8)  # factor on the whites of eyes
_WHITE = 0.5  # albedo from which an eye is white
_EVEN = (0.0, 0.6)  # how far the albedo of an eye becomes its mean, in log
_MOST = 1.6  # largest change of log albedo by that: pupils stay dark
_LEAST = 0.004

Maps = Float[Tensor, "batch height width 3"]


def retexture(
    image: Maps, albedo: Maps, region: UInt8[Tensor, "batch height width 1"], rng: np.random.Generator, chance: float
) -> tuple[Maps, Maps]:
    """Images and albedo of people with other details; both linear.

    Args:
        image: the renders.
        albedo: theirs.
        region: classes of `types.Region`.
        rng: draws the details.
        chance: that a person gets others.
    """
    chosen = np.flatnonzero(rng.random(len(image)) < chance)
    if not len(chosen):
        return image, albedo
    image, albedo = image.clone(), albedo.clone()
    which = torch.from_numpy(chosen)
    old, seen, classes = albedo[which].clamp(min=_LEAST), image[which], region[which]
    parts = (Region.SKIN, Region.LIPS, Region.FACIAL_HAIR, Region.EYES)
    shares = softened((classes == torch.tensor(parts)).float())
    share = dict(zip(parts, shares.split(1, dim=-1), strict=True))
    size = image.shape[1]

    def drawn(bounds: tuple[float, float]) -> Float[Tensor, "chosen 1 1 1"]:
        return torch.from_numpy(rng.uniform(*bounds, (len(chosen), 1, 1, 1))).float()

    texture = torch.stack([_texture(size, rng) for _ in chosen])
    gain = texture * (share[Region.SKIN] + 0.5 * share[Region.LIPS])
    white = (old[..., 1:2] / _WHITE).clamp(max=1) * share[Region.EYES]
    gain = gain + (1 - white * (1 - drawn(_WHITES))).log()
    to_mean = (_mean(old.log(), share[Region.EYES]) - old.log()).clamp(max=_MOST)
    gain = gain + drawn(_EVEN) * share[Region.EYES] * to_mean
    light = (seen.clamp(min=_LEAST) / old).log()
    skin = (classes == int(Region.SKIN)).float() * (seen.amax(dim=-1, keepdim=True) < BURNT)
    around, enough = _around(torch.cat([light, old.log()], dim=-1), skin)
    hair = share[Region.FACIAL_HAIR] * enough
    gain = gain + drawn(_PALER) * hair * (around[..., 3:] - old.log())
    matte = drawn(_MATTE) * hair * (around[..., :3] - light)
    new = (old * gain.exp()).clamp(_LEAST, 0.95)
    albedo[which] = torch.where(albedo[which] > 0, new, albedo[which])
    image[which] = (seen * ((new / old).log() + matte).mul(1 - burnt(seen)).exp()).clamp(0, 1)
    return image, albedo


def _texture(size: int, rng: np.random.Generator) -> Float[Tensor, "size size 3"]:
    """Random log albedo of skin: noise of each octave from a few cells to single pixels, in the colours of pigments."""
    total, cells = torch.zeros(1, 3, size, size), _COARSEST
    while cells <= size:
        strength = rng.uniform(0, _TEXTURE) * (_PIXELS if cells == size else 1) * rng.dirichlet((1.0, 1.0))
        noise = (rng.standard_normal((cells, cells, 2)) * strength) @ _PIGMENTS
        field = torch.from_numpy(noise).float().permute(2, 0, 1)[None]
        total = total + interpolate(field, size=(size, size), mode="bilinear", align_corners=False)
        cells *= 2
    return total[0].permute(1, 2, 0)


def _mean(values: Maps, weight: Float[Tensor, "batch height width 1"]) -> Float[Tensor, "batch 1 1 3"]:
    """Weighted mean of each image; 0 where nothing has weight."""
    total = (values * weight).sum(dim=(1, 2), keepdim=True)
    return total / weight.sum(dim=(1, 2), keepdim=True).clamp(min=1e-6)


def _around(
    values: Float[Tensor, "batch height width channels"], known: Float[Tensor, "batch height width 1"]
) -> tuple[Float[Tensor, "batch height width channels"], Float[Tensor, "batch height width 1"]]:
    """Mean of known values nearby (about a Gaussian: three boxes at half the size), and 1 where enough are known."""
    size = values.shape[1:3]
    both = avg_pool2d(torch.cat([values * known, known], dim=-1).permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    reach = max(round(_AROUND * both.shape[1] / 2), 1)
    for _ in range(3):
        both = box_mean(both, reach)
    both = interpolate(both.permute(0, 3, 1, 2), size=size, mode="bilinear").permute(0, 2, 3, 1)
    share = both[..., -1:]
    return both[..., :-1] / share.clamp(min=1e-6), (share > _LEAST_SKIN).float()
