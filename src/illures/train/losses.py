"""The supervised losses L_s and L_g: masked norms of (truth - estimate), one number an image.

Source: SfSNet section 4.2 (L1 on normal, albedo and reconstruction, L2 on light) and the method's L_g, which adds image
and residual. Each image counts alike, however large its mask, so that a batch may be cut anywhere and its parts
averaged. What frames of real videos cost is in `train.cost`.
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
    """Weight of each term, the method's λ.

    Attributes:
        local: λ_l, L1 of the linear local image I_l = A ∘ f(N, L).
        albedo: λ_a, L1 of sRGB-encoded albedo.
        normal: λ_n, L1 of normals plus one minus their cosine.
        light: λ_h, square of the shading that the light's error gives to the true normals: ‖L‖², its coefficients
            weighed as an image weighs them.
        image: λ_g, L1 of the linear image I_g that is put together again.
        residual: λ_r, L1 of the linear residual.
        align_albedo: λ_ab of L_a, the change of albedo from frame to frame (`train.consistency`).
        align_normal: λ_no of L_n, that of normals.
        collapse: what maps of frames without truth cost when they say less than faces do, such as constant albedo.
    """

    local: float = 0.5
    albedo: float = 1.0
    normal: float = 1.0
    light: float = 0.1
    image: float = 0.5
    residual: float = 1.0
    align_albedo: float = 1.0
    align_normal: float = 1.0
    collapse: float = 1.0


@dataclass(frozen=True)
class Losses:
    """The supervised terms, unweighted, of each image; attribute names as in `LossWeights`."""

    local: Float[Tensor, " batch"]
    albedo: Float[Tensor, " batch"]
    normal: Float[Tensor, " batch"]
    light: Float[Tensor, " batch"]
    image: Float[Tensor, " batch"]
    residual: Float[Tensor, " batch"]

    def total(self, weights: LossWeights) -> Float[Tensor, ""]:
        """The weighted sum, mean over the images."""
        terms = [getattr(weights, f.name) * getattr(self, f.name) for f in fields(self)]
        return torch.stack(terms).sum(dim=0).mean()


def supervised(estimate: Estimate, truth: Batch) -> Losses:
    """All terms of L_g; those of L_s are among them. `truth.image` is what the estimate should add up to."""
    mask = truth.mask
    local = render(truth.albedo, truth.normal, truth.light[:, None])
    cosine = (estimate.normal * truth.normal).sum(dim=-1, keepdim=True)
    return Losses(
        local=masked_mean((estimate.local() - local).abs(), mask),
        albedo=masked_mean((linear_to_srgb(estimate.albedo) - linear_to_srgb(truth.albedo)).abs(), mask),
        normal=masked_mean((estimate.normal - truth.normal).abs() + (1 - cosine), mask),
        light=masked_mean(shade(truth.normal, estimate.light[:, None] - truth.light[:, None]).square(), mask),
        image=reconstruction(estimate, truth.image, mask),
        residual=masked_mean((estimate.residual - (truth.image - local)).abs(), mask),
    )


def reconstruction(
    estimate: Estimate, image: Float[Tensor, "batch h w 3"], mask: Float[Tensor, "batch h w 1"]
) -> Float[Tensor, " batch"]:
    """‖I_g - Ī_g‖ of each image: L1 of linear values."""
    return masked_mean((estimate.render() - image).abs(), mask)


def masked_mean(value: Float[Tensor, "batch h w 3"], mask: Float[Tensor, "batch h w 1"]) -> Float[Tensor, " batch"]:
    """Mean over the masked pixels of each image; 0 where the mask is empty."""
    return (value * mask).sum(dim=(1, 2, 3)) / (3 * mask.sum(dim=(1, 2, 3))).clamp(min=1)
