"""IlluRes-SfSNet: SfSNet and IlluResNet together, so that the gradients of the image I_g reach both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from illures.math import sh
from illures.math.color import srgb_to_linear
from illures.math.quotient import albedo_of
from illures.model.config import NetworkConfig
from illures.model.illuresnet import IlluResNet
from illures.model.sfsnet import CompactSfSNet, Intrinsics, SfSNet
from illures.render import render, shade
from illures.types import Region

_START_TRUST = 2.5  # initial logit of the weight of the quotient
_SOFT = 0.15  # of the mean radiance: shading below it is compressed to stay above 0
_LEAST_RADIANCE = 0.01
_CONSTANT = float(sh.basis(np.zeros(3))[0])  # the first basis function
_LARGEST_LOG = 4.0  # of the factor on shading


@dataclass(frozen=True)
class Estimate:
    """A decomposed batch: `render()` reconstructs the image.

    Attributes:
        albedo: linear, in [0, 1].
        normal: unit vectors, camera frame.
        light: SH coefficients of the radiance.
        residual: signed, linear.
        illumination: E, the image of a surface of albedo 1, linear; None in the direct form.
        regions: logits of the classes of `types.Region`; None for networks without them.
    """

    albedo: Float[Tensor, "batch height width 3"]
    normal: Float[Tensor, "batch height width 3"]
    light: Float[Tensor, "batch 9 3"]
    residual: Float[Tensor, "batch height width 3"]
    illumination: Float[Tensor, "batch height width 3"] | None = None
    regions: Float[Tensor, "batch height width classes"] | None = None

    def float(self) -> Estimate:
        """The same in float32, for all computation after the network."""
        return self.each(lambda value: value.float())

    def __getitem__(self, which: slice) -> Estimate:
        """Some images of the batch."""
        return self.each(lambda value: value[which])

    def each(self, change: Callable[[Tensor], Tensor]) -> Estimate:
        """Apply a function to all maps."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        changed: dict[str, Any] = {name: None if value is None else change(value) for name, value in values.items()}
        return Estimate(**changed)

    def local(self) -> Float[Tensor, "batch height width 3"]:
        """I_l: the image without shadow, highlight and bounce light."""
        return render(self.albedo, self.normal, self.light[:, None])

    def render(self) -> Float[Tensor, "batch height width 3"]:
        """I_g: the local image and the residual."""
        return render(self.albedo, self.normal, self.light[:, None], self.residual)


def joined(parts: Sequence[Estimate]) -> Estimate:
    """Concatenate estimates of parts of a batch."""
    columns: dict[str, Any] = {f.name: [getattr(part, f.name) for part in parts] for f in fields(Estimate)}
    whole: dict[str, Any] = {name: None if v[0] is None else torch.cat(v) for name, v in columns.items()}
    return Estimate(**whole)


def network_inputs(
    config: NetworkConfig,
    image: Float[Tensor, "batch height width 3"],
    guide: Float[Tensor, "batch height width 3"],
    context: Float[Tensor, "batch h w 4"],
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The inputs that a network of this configuration uses, channel first; None for the others."""
    taken = (image, guide if config.guide else None, context if config.context else None)
    first, second, third = (None if value is None else value.permute(0, 3, 1, 2) for value in taken)
    assert first is not None
    return first, second, third


class IlluResSfSNet(nn.Module):
    """Image → albedo, normal, light, residual; in the quotient form illumination; classes if configured."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        inputs = 6 if config.guide else 3
        self._quotient = config.albedo == "quotient"
        further = self._quotient + (len(Region) if config.regions else 0)
        self.sfsnet: SfSNet | CompactSfSNet = (
            SfSNet(inputs) if config.form == "published" else CompactSfSNet(inputs, config, further)
        )
        self.illuresnet = IlluResNet(
            inputs,
            self.sfsnet.features,
            self.sfsnet.feature_stride,
            config.residual_width,
            config.residual_blocks,
            self._quotient,
            config.tint,
            config.fine_width,
        )

    def forward(
        self,
        image: Float[Tensor, "batch 3 height width"],
        guide: Float[Tensor, "batch 3 height width"] | None = None,
        context: Float[Tensor, "batch 4 h w"] | None = None,
        *,
        with_residual: bool = True,
    ) -> Estimate:
        """Decompose aligned crops.

        Args:
            image: sRGB-encoded, in [0, 1]; sides multiples of 16.
            guide: normals of the dense face mesh in the camera frame, zero where there is none; required by networks
                with `guide=True`, forbidden for others.
            context: thumbnail of the whole photo and the crop's place in it (`faces.context`); likewise for
                `context=True`.
            with_residual: False leaves IlluResNet out (the first training stage): a residual of zero, or in the
                quotient form an illumination of f(N, L).
        """
        for name, value in (("guide", guide), ("context", context)):
            if (value is not None) != getattr(self.config, name):
                wanted = getattr(self.config, name)
                raise ValueError(f"this network has {name}={wanted}, was called with {name}={value is not None}")
        x = (image - 0.5) * 4  # about unit variance over photos of faces
        if guide is not None:
            x = torch.cat([x, guide], dim=1)
        found = self.sfsnet(x, guide, context)
        predicted = self.illuresnet(x, found.features, found.stem) if with_residual else torch.zeros_like(found.albedo)
        regions = found.further[..., int(self._quotient) :] if self.config.regions else None
        if not self._quotient:
            return Estimate(found.albedo, found.normal, found.light, predicted, None, regions)
        with torch.autocast(image.device.type, enabled=False):  # physical quantities are computed in float32
            return _quotient(image.float(), found, predicted.float(), regions)


def _quotient(image: Tensor, found: Intrinsics, predicted: Tensor, regions: Tensor | None) -> Estimate:
    """Albedo by the quotient: A = w · I / E + (1 - w) · A_direct, R = I - A ∘ f(N, L).

    `predicted`: log factor on shading, and exponents of red and blue for networks with them.
    """
    log_factor, tint = predicted.split([3, predicted.shape[-1] - 3], dim=-1)
    linear, light, normal = srgb_to_linear(image.permute(0, 2, 3, 1)), found.light.float(), found.normal
    shading = shade(normal, light[:, None])
    illumination = positive(shading, light[:, None]) * log_factor.clamp(-_LARGEST_LOG, _LARGEST_LOG).exp()
    if tint.shape[-1]:
        illumination = tinted(illumination, light[:, None], tint)
    trust = torch.sigmoid(found.further[..., :1] + _START_TRUST)
    albedo = trust * albedo_of(linear, illumination) + (1 - trust) * found.albedo
    return Estimate(albedo, normal, light, linear - albedo * shading, illumination, regions)


def positive(
    shading: Float[Tensor, "batch height width 3"], light: Float[Tensor, "batch 1 9 3"]
) -> Float[Tensor, "batch height width 3"]:
    """Smooth soft floor that keeps shading above 0: second-order SH ring below it on the far side of a hard light."""
    mean = _mean_radiance(light)
    return 0.5 * (shading + (shading.square() + (_SOFT * mean).square()).sqrt())


def tinted(
    illumination: Float[Tensor, "batch height width 3"],
    light: Float[Tensor, "batch 1 9 3"],
    exponents: Float[Tensor, "batch height width 2"],
) -> Float[Tensor, "batch height width 3"]:
    """Illumination whose red and blue change by powers of its brightness over the mean radiance; green stays."""
    green = illumination[..., 1:2].log() - _mean_radiance(light)[..., 1:2].log()
    red, blue = (exponents * green.clamp(-_LARGEST_LOG, _LARGEST_LOG)).exp().split(1, dim=-1)
    return illumination * torch.cat([red, torch.ones_like(red), blue], dim=-1)


def _mean_radiance(light: Float[Tensor, "batch 1 9 3"]) -> Float[Tensor, "batch 1 1 3"]:
    return (light[..., :1, :] * _CONSTANT).clamp(min=_LEAST_RADIANCE)
