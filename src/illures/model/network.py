"""IlluRes-SfSNet: SfSNet and IlluResNet together, so that the gradients of the image I_g reach both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from illures.model.config import NetworkConfig
from illures.model.illuresnet import IlluResNet
from illures.model.sfsnet import CompactSfSNet, SfSNet
from illures.render import render


@dataclass(frozen=True)
class Estimate:
    """A decomposed batch: `render()` gives the image back.

    Attributes:
        albedo: linear, in [0, 1].
        normal: unit vectors, camera frame.
        light: SH coefficients of the radiance.
        residual: signed, linear.
    """

    albedo: Float[Tensor, "batch height width 3"]
    normal: Float[Tensor, "batch height width 3"]
    light: Float[Tensor, "batch 9 3"]
    residual: Float[Tensor, "batch height width 3"]

    def float(self) -> Estimate:
        """The same in float32, in which all that follows the network is done."""
        return Estimate(self.albedo.float(), self.normal.float(), self.light.float(), self.residual.float())

    def local(self) -> Float[Tensor, "batch height width 3"]:
        """I_l: the image without shadow, highlight and bounce light."""
        return render(self.albedo, self.normal, self.light[:, None])

    def render(self) -> Float[Tensor, "batch height width 3"]:
        """I_g: the local image and the residual."""
        return render(self.albedo, self.normal, self.light[:, None], self.residual)


class IlluResSfSNet(nn.Module):
    """Image → albedo, normal, light, residual."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        inputs = 6 if config.guide else 3
        self.sfsnet: SfSNet | CompactSfSNet = (
            SfSNet(inputs)
            if config.form == "published"
            else CompactSfSNet(inputs, config.width, config.blocks, config.size, config.detail_blocks)
        )
        self.illuresnet = IlluResNet(
            inputs, self.sfsnet.features, self.sfsnet.feature_stride, config.residual_width, config.residual_blocks
        )

    def forward(
        self,
        image: Float[Tensor, "batch 3 height width"],
        guide: Float[Tensor, "batch 3 height width"] | None = None,
        *,
        with_residual: bool = True,
    ) -> Estimate:
        """Decompose aligned crops.

        Args:
            image: sRGB-encoded, in [0, 1]; sides multiples of 16.
            guide: normals of the dense face mesh in the camera frame, zero where there is none; exactly for networks
                made with `guide=True`.
            with_residual: False leaves IlluResNet out (the first training stage) and gives a residual of zero.
        """
        if (guide is not None) != self.config.guide:
            raise ValueError(f"this network has guide={self.config.guide}, was called with guide={guide is not None}")
        x = (image - 0.5) * 4  # about unit variance over photos of faces
        if guide is not None:
            x = torch.cat([x, guide], dim=1)
        found = self.sfsnet(x, guide)
        residual = self.illuresnet(x, found.features) if with_residual else torch.zeros_like(found.albedo)
        return Estimate(found.albedo, found.normal, found.light, residual)
