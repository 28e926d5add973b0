"""IlluResNet: SfSNet's features and the image → the illumination residual.

The residual is what second-order SH shading cannot say: cast shadow and occlusion (negative), highlight and bounce
light (positive). Blocks as the method names them: convolution + BN, average pooling, residual blocks, transposed
convolution + BN, leaky ReLU. The paper prints no table of widths; those here are ours.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from illures.model.blocks import conv_bn, residual_stage, transposed_conv_bn

_SLOPE = 0.2


class IlluResNet(nn.Module):
    """Own features of the image, joined by SfSNet's, through residual blocks at `1 / (2 feature_stride)`, back up.

    Args:
        inputs: channels of the image.
        features: channels of SfSNet's features.
        feature_stride: image side over the side of those features, 2 or 4.
        width: channels of the residual blocks; the finer levels have fewer.
        blocks: how many residual blocks.
    """

    def __init__(self, inputs: int, features: int, feature_stride: int, width: int = 128, blocks: int = 3) -> None:
        super().__init__()
        levels = feature_stride.bit_length() - 1
        widths = [width >> (levels + 1 - level) for level in range(levels + 1)]  # finest first
        self.image = nn.ModuleList()
        for outputs in widths[:-1]:
            self.image.append(conv_bn(inputs, outputs, kernel=3, slope=_SLOPE))
            inputs = outputs
        self.pool = nn.AvgPool2d(2)
        self.join = conv_bn(inputs + features, widths[-1], kernel=3, slope=_SLOPE)
        self.deep = nn.Sequential(conv_bn(widths[-1], width, kernel=3, slope=_SLOPE), residual_stage(width, blocks))
        self.up = nn.ModuleList()
        inputs = width
        for outputs in reversed(widths):
            self.up.append(transposed_conv_bn(inputs, outputs, slope=_SLOPE))
            inputs = 2 * outputs  # what comes up stands beside the own features of that level
        self.out = nn.Conv2d(inputs, 3, kernel_size=3, padding=1)
        for parameter in self.out.parameters():  # the residual starts at none
            nn.init.zeros_(parameter)

    def forward(
        self, x: Float[Tensor, "batch inputs height width"], features: Float[Tensor, "batch features h w"]
    ) -> Float[Tensor, "batch height width 3"]:
        """Signed residual in linear RGB."""
        own = []
        for conv in self.image:
            own.append(conv(x))
            x = self.pool(own[-1])
        own.append(self.join(torch.cat([x, features], dim=1)))
        x = self.deep(self.pool(own[-1]))
        for up, beside in zip(self.up, reversed(own), strict=True):
            x = torch.cat([up(x), beside], dim=1)
        return self.out(x).permute(0, 2, 3, 1)
