"""The losses L_s and L_g: masked L1 terms on albedo, normal, light, residual and image.

Source: SfSNet section 4.2 (L1 on normal, albedo and reconstruction, L2 on light) and the method's L_g, which adds the
residual. The light is compared by the shading that it gives, which weighs its coefficients as the image does.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from illures.data.cache import Batch
from illures.math.color import linear_to_srgb
from illures.model.network import Estimate
from illures.render import render, shade


@dataclass(frozen=True)
class LossWeights:
    """Weight of each term.

    Attributes:
        normal: L1 of normals plus one minus their cosine.
        albedo: L1 of sRGB-encoded albedo.
        light: L1 of the shading that the light gives to the true normals.
        residual: L1 of the linear residual.
        image: L1 of the linear image that is put together again.
    """

    normal: float = 1.0
    albedo: float = 1.0
    light: float = 0.5
    residual: float = 1.0
    image: float = 0.5


@dataclass(frozen=True)
class Losses:
    """The terms, unweighted, each a scalar; attribute names as in `LossWeights`."""

    normal: Float[Tensor, ""]
    albedo: Float[Tensor, ""]
    light: Float[Tensor, ""]
    residual: Float[Tensor, ""]
    image: Float[Tensor, ""]

    def total(self, weights: LossWeights) -> Float[Tensor, ""]:
        """The weighted sum."""
        terms = [getattr(weights, f.name) * getattr(self, f.name) for f in fields(self)]
        return torch.stack(terms).sum()


def supervised(estimate: Estimate, truth: Batch) -> Losses:
    """L_s or L_g of a batch; `truth.image` is what the estimate should add up to."""
    mask = truth.mask
    residual = truth.image - render(truth.albedo, truth.normal, truth.light[:, None])
    cosine = (estimate.normal * truth.normal).sum(dim=-1, keepdim=True)
    return Losses(
        normal=_masked_mean((estimate.normal - truth.normal).abs() + (1 - cosine), mask),
        albedo=_masked_mean((linear_to_srgb(estimate.albedo) - linear_to_srgb(truth.albedo)).abs(), mask),
        light=_masked_mean((shade(truth.normal, estimate.light[:, None] - truth.light[:, None])).abs(), mask),
        residual=_masked_mean((estimate.residual - residual).abs(), mask),
        image=_masked_mean((estimate.render() - truth.image).abs(), mask),
    )


def _masked_mean(value: Float[Tensor, "batch h w 3"], mask: Float[Tensor, "batch h w 1"]) -> Float[Tensor, ""]:
    return (value * mask).sum() / (3 * mask.sum()).clamp(min=1)
