"""The supervised losses L_s and L_g: weighted norms of (truth - estimate), one number an image.

Source: SfSNet section 4.2 (L1 on normal, albedo and reconstruction, L2 on light) and the method's L_g, which adds image
and residual; illumination, classes and detail are ours. Each image counts alike, however large its face, so that a
batch may be cut anywhere and its parts averaged. The terms of real videos are in `train.cost`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from illures.data.cache import UNKNOWN, Batch
from illures.math.color import linear_to_srgb, srgb_to_linear
from illures.math.quotient import BLACK
from illures.model.network import Estimate
from illures.render import shade
from illures.types import Region

_EYES = 2.0  # additional weight of pixels on and near an eye, relative to those of the face
_NEAR = 16  # near an eye: within this part of the image's side
# A quotient says nothing where the image is burnt or black, or where the albedo is.
_BURNT, _DARK, _DARK_ALBEDO = 0.97, 0.002, 0.01


@dataclass(frozen=True)
class LossWeights:
    """Weight of each term, the method's λ.

    Attributes:
        local: λ_l, L1 of the linear local image I_l = A ∘ f(N, L).
        albedo: λ_a, L1 of sRGB-encoded albedo.
        normal: λ_n, L1 of normals plus one minus their cosine.
        light: λ_h, square of the shading that the light's error gives to the true normals: ‖L‖², its coefficients
            weighed as an image weighs them; over that of the true light where its mean is above 1.
        image: λ_g, L1 of the reconstructed linear image I_g.
        residual: λ_r, L1 of the linear residual.
        align_albedo: λ_ab of L_a, the change of albedo from frame to frame (`train.consistency`).
        align_normal: λ_no of L_n, that of normals.
        collapse: penalty of uninformative maps of frames without truth, such as constant albedo.
        illumination: L1 of log E, in the quotient form.
        regions: cross-entropy of the classes, for networks that predict them.
        detail: L1 of the gradients of normals: lids, nostrils and lips weigh as much as cheeks do.
        drift: change of albedo and normals between two lights of one view; above 0, each group shows half as many
            views, each twice.
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
    illumination: float = 0.3
    regions: float = 0.1
    detail: float = 0.0
    drift: float = 0.0


@dataclass(frozen=True)
class Losses:
    """The supervised terms, unweighted, of each image; names as in `LossWeights`, None where there is no such term."""

    local: Float[Tensor, " batch"]
    albedo: Float[Tensor, " batch"]
    normal: Float[Tensor, " batch"]
    light: Float[Tensor, " batch"]
    image: Float[Tensor, " batch"]
    residual: Float[Tensor, " batch"]
    detail: Float[Tensor, " batch"]
    illumination: Float[Tensor, " batch"] | None = None
    regions: Float[Tensor, " batch"] | None = None

    def named(self) -> dict[str, Float[Tensor, " batch"]]:
        """The terms that there are."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def total(self, weights: LossWeights) -> Float[Tensor, ""]:
        """The weighted sum, mean over the images."""
        terms = [getattr(weights, name) * value for name, value in self.named().items()]
        return torch.stack(terms).sum(dim=0).mean()


def supervised(
    estimate: Estimate, truth: Batch, seen: Float[Tensor, "batch h w 3"] | None = None, head: float = 0.0
) -> Losses:
    """All terms of L_g; those of L_s are among them. `truth.image` is what the estimate should add up to.

    Args:
        estimate: of the network.
        truth: of the renders.
        seen: the images as the network saw them, sRGB-encoded, which the quotient divides; None: `truth.image`.
        head: weight of pixels that show a surface outside of the face's mask; those of the mask count 1.
    """
    weight = pixel_weights(truth, head)
    shading, error = _shadings(truth.normal, truth.light, estimate.light - truth.light)
    local, ours = truth.albedo * shading, estimate.local()
    cosine = (estimate.normal * truth.normal).sum(dim=-1, keepdim=True)
    divided = truth.image if seen is None else srgb_to_linear(seen)
    told = estimate.illumination
    return Losses(
        local=masked_mean((ours - local).abs(), weight),
        albedo=masked_mean((linear_to_srgb(estimate.albedo) - linear_to_srgb(truth.albedo)).abs(), weight),
        normal=masked_mean((estimate.normal - truth.normal).abs() + (1 - cosine), weight),
        light=_light(error, shading, truth.mask),
        image=masked_mean((ours + estimate.residual - truth.image).abs(), weight),
        residual=masked_mean((estimate.residual - (truth.image - local)).abs(), weight),
        detail=_detail(estimate.normal, truth.normal, weight),
        illumination=None if told is None else _illumination(told, divided, truth.albedo, weight),
        regions=None if estimate.regions is None else _classes(estimate.regions, truth.region),
    )


def pixel_weights(truth: Batch, head: float) -> Float[Tensor, "batch h w 1"]:
    """Weight of each pixel: 1 on the face, `head` on other surfaces, more around the eyes where `head` is above 0."""
    if head == 0:  # as the method has it
        return truth.mask
    return truth.mask * (1 + _EYES * near_eyes(truth)) + head * truth.surface * (1 - truth.mask)


def light_drift(estimate: Estimate, truth: Batch, twins: int) -> Float[Tensor, " batch"]:
    """Change of albedo and normals from one light to another, of each image against its twin.

    It is the L1 of the difference of two errors, so that what is wrong under both lights counts nothing. Errors of
    albedo are those of its logarithm, less their common level: a scale is no pattern.

    Args:
        estimate: of the network.
        truth: runs of `twins` images, in which the k-th of the second half shows the view of the k-th of the first.
        twins: length of a run, even.
    """
    halves = torch.arange(len(truth.image), device=truth.image.device).view(-1, 2, twins // 2).unbind(dim=1)
    first, second = (half.flatten() for half in halves)
    weight = torch.minimum(truth.mask[first], truth.mask[second])
    error = estimate.albedo.clamp(min=_DARK_ALBEDO).log() - truth.albedo.clamp(min=_DARK_ALBEDO).log()
    change = error[first] - error[second]
    level = (change * weight).sum(dim=(1, 2, 3)) / (3 * weight.sum(dim=(1, 2, 3))).clamp(min=1)
    pattern = (change - level.view(-1, 1, 1, 1)).abs()
    found = masked_mean(pattern + (estimate.normal[first] - estimate.normal[second]).abs(), weight)
    return found.view(-1, 1, twins // 2).expand(-1, 2, -1).flatten()


def near_eyes(truth: Batch) -> Bool[Tensor, "batch h w 1"]:
    """Pixels of eyes and those near them."""
    eyes = ((truth.region == Region.EYES) & (truth.mask > 0)).float().permute(0, 3, 1, 2)
    reach = truth.mask.shape[1] // _NEAR
    return _widened(_widened(eyes, 2, reach), 3, reach).permute(0, 2, 3, 1) > 0


def _widened(mask: Float[Tensor, "batch 1 h w"], axis: int, reach: int) -> Float[Tensor, "batch 1 h w"]:
    """1 within `reach` pixels of the mask along an axis, by running sums: pooling takes a tenth of all training."""
    size, around = mask.shape[axis], (reach, reach) if axis == 3 else (0, 0, reach, reach)
    sums = pad(pad(mask, around).cumsum(dim=axis), (1, 0) if axis == 3 else (0, 0, 1, 0))
    return (sums.narrow(axis, 2 * reach + 1, size) > sums.narrow(axis, 0, size)).float()


def _shadings(
    normal: Float[Tensor, "batch h w 3"], *lights: Float[Tensor, "batch 9 3"]
) -> tuple[Float[Tensor, "batch h w 3"], ...]:
    """f(N, L) under several lights; the basis functions of the normals are computed once."""
    return shade(normal, torch.cat(lights, dim=-1)[:, None]).split(3, dim=-1)


def _light(
    error: Float[Tensor, "batch h w 3"], true: Float[Tensor, "batch h w 3"], mask: Tensor
) -> Float[Tensor, " batch"]:
    """‖L‖² over the face, of the shading by the error of the light and by the true one.

    Very bright lights do not count more: single images made up most of a step's gradient.
    """
    return masked_mean(error.square(), mask) / masked_mean(true.square(), mask).clamp(min=1)


def _illumination(told: Tensor, image: Tensor, albedo: Tensor, weight: Tensor) -> Float[Tensor, " batch"]:
    """L1 of log E, where the truth E = I / A is reliable."""
    clear = ((image < _BURNT) & (image > _DARK) & (albedo > _DARK_ALBEDO)).float()
    error = (told.log() - ((image + BLACK) / albedo.clamp(min=_DARK_ALBEDO)).log()).abs()
    return masked_mean(error * clear, weight)


def _classes(logits: Float[Tensor, "batch h w classes"], region: Tensor) -> Float[Tensor, " batch"]:
    target = region[..., 0].long()
    found = cross_entropy(logits.permute(0, 3, 1, 2), target, ignore_index=UNKNOWN, reduction="none")
    return found.sum(dim=(1, 2)) / (target != UNKNOWN).sum(dim=(1, 2)).clamp(min=1)


def _detail(ours: Tensor, true: Tensor, weight: Tensor) -> Float[Tensor, " batch"]:
    """L1 of differences between neighbours, over pairs of pixels of which both count."""
    terms = []
    for axis in (1, 2):
        change = ours.diff(dim=axis) - true.diff(dim=axis)
        count = weight.shape[axis] - 1
        both = torch.minimum(weight.narrow(axis, 0, count), weight.narrow(axis, 1, count))
        terms.append(masked_mean(change.abs(), both))
    return torch.stack(terms).sum(dim=0)


def reconstruction(
    estimate: Estimate, image: Float[Tensor, "batch h w 3"], mask: Float[Tensor, "batch h w 1"]
) -> Float[Tensor, " batch"]:
    """‖I_g - Ī_g‖ of each image: L1 of linear values."""
    return masked_mean((estimate.render() - image).abs(), mask)


def masked_mean(value: Float[Tensor, "batch h w 3"], mask: Float[Tensor, "batch h w 1"]) -> Float[Tensor, " batch"]:
    """Mean over the masked pixels of each image; 0 where the mask is empty."""
    weight = mask.reshape(len(mask), 1, -1)
    # A product of matrices: elementwise products with a mask of one channel are slow.
    sums = torch.bmm(weight, value.reshape(len(value), -1, 3)).sum(dim=(1, 2))
    return sums / (3 * weight.sum(dim=(1, 2))).clamp(min=1)
