"""Two lights at once: renders of one view under two lights, added with gains of their own colour.

Light is additive: the sum of two renders is the render under the sum of their lights, with every shadow, highlight and
bounce. So three traced lights of a view give any mixture of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

_BURNT = 0.98
_FEW = 0.06  # of the surface's pixels: largest share that may be clipped, or highlights of the sum would be flat
_COLOUR = 0.25  # standard deviation of the log gain of each channel


@dataclass(frozen=True)
class Lit:
    """Views under a light each, linear.

    Attributes:
        image: the renders.
        light: SH coefficients of the radiance.
        around: what lies round the crops.
    """

    image: Float[Tensor, "batch height width 3"]
    light: Float[Tensor, "batch 9 3"]
    around: Float[Tensor, "batch wide wide 3"]


def mixed(
    first: Lit, second: Lit, surface: Float[Tensor, "batch height width 1"], rng: np.random.Generator, chance: float
) -> Lit:
    """Add the second light of some views to their first.

    Args:
        first: under one light.
        second: the same views under another one; where it is the same light, nothing changes but colour.
        surface: 1 where the view shows a surface.
        rng: draws shares and colours.
        chance: that lights are mixed.
    """
    count = len(first.image)
    share = torch.from_numpy(rng.uniform(0, 1, (count, 1))).float()
    tint = torch.from_numpy(np.exp(rng.normal(0, _COLOUR, (2, count, 3)))).float()
    gains = torch.stack([1 - share, share]) * tint
    gains = gains / gains.amax(dim=(0, 2)).clamp(min=1)[None, :, None]  # a single light is never brightened
    chosen = torch.from_numpy(rng.random(count) < chance) & ~_burnt(first, surface) & ~_burnt(second, surface)

    def sum_of(one: Tensor, other: Tensor) -> Tensor:
        shape = (count, *[1] * (one.ndim - 2), 3)
        added = one * gains[0].view(shape) + other * gains[1].view(shape)
        return torch.where(chosen.view(-1, *[1] * (one.ndim - 1)), added, one)

    return Lit(
        image=sum_of(first.image, second.image).clamp(max=1),
        light=sum_of(first.light, second.light),
        around=sum_of(first.around, second.around),
    )


def _burnt(lit: Lit, surface: Float[Tensor, "batch height width 1"]) -> Bool[Tensor, " batch"]:
    burnt = (lit.image.amax(dim=-1, keepdim=True) > _BURNT) * surface
    return burnt.sum(dim=(1, 2, 3)) > _FEW * surface.sum(dim=(1, 2, 3))
