"""IlluResNet: SfSNet's features and the image → the illumination residual.

The residual is what second-order SH shading cannot represent: cast shadow and occlusion (negative), highlight and
bounce light (positive). Blocks as the method names them: convolution + BN, average pooling, residual blocks, transposed
convolution + BN, leaky ReLU. The paper prints no table of widths; those here are ours.

In the direct form its output is that residual in linear RGB. In the quotient form it is the log of a factor on f(N, L):
E = f(N, L) · exp(g), whose illumination residual is E - f(N, L), in units of shading. The luminance of g has edges, as
shadows and highlights have. Its colour is that of light, and comes from a grid too coarse for lips or freckles, so that
colour detail of the image stays in albedo. With `tint`, that grid also holds the exponents by which red and blue of E
change with its brightness: light that scatters below the skin makes shadows redder, and so do the curves of cameras.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from illures.model.blocks import conv_bn, residual_stage, transposed_conv_bn
from illures.model.sfsnet import ThinLevel

_SLOPE = 0.2
_CHROMA = 0.5  # of the raw outputs
# Red, green and blue of one unit of log luminance, and of two axes of log colour that leave green as it is.
_LOG_COLOUR = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


class IlluResNet(nn.Module):
    """Image features and SfSNet's, through residual blocks at `1 / (2 feature_stride)`, then upsampled.

    Args:
        inputs: channels of the image.
        features: channels of SfSNet's features.
        feature_stride: image side over the side of those features, 2 or 4.
        width: channels of the residual blocks; the finer levels have fewer.
        blocks: how many residual blocks.
        quotient: whether the output is the log of a factor on shading, see above.
        tint: whether exponents of red and blue follow it, see above.
        fine_width: channels of the thin level of the network, or 0.
    """

    def __init__(
        self,
        inputs: int,
        features: int,
        feature_stride: int,
        width: int = 128,
        blocks: int = 3,
        quotient: bool = False,
        tint: bool = False,
        fine_width: int = 0,
    ) -> None:
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
            inputs = 2 * outputs  # upsampled features are concatenated with those of that level
        # Each starts at zero.
        if quotient:
            self.luminance = _nothing(nn.Conv2d(inputs, 1, kernel_size=3, padding=1))
            self.chroma = _nothing(nn.Conv2d(width, 2, kernel_size=1))
            self.tint = _nothing(nn.Conv2d(width, 2, kernel_size=1)) if tint else None
            self.thin = ThinLevel(inputs, fine_width, 1) if fine_width else None
        else:
            self.out = _nothing(nn.Conv2d(inputs, 3, kernel_size=3, padding=1))
        self.quotient = quotient

    def forward(
        self,
        x: Float[Tensor, "batch inputs height width"],
        features: Float[Tensor, "batch features h w"],
        stem: Float[Tensor, "batch fine h2 w2"] | None = None,
    ) -> Float[Tensor, "batch height width outputs"]:
        """Signed residual in linear RGB, or log factor on shading, and then the exponents of red and blue."""
        if stem is not None:
            x = avg_pool2d(x, 2)
        own = []
        for conv in self.image:
            own.append(conv(x))
            x = self.pool(own[-1])
        own.append(self.join(torch.cat([x, features], dim=1)))
        deep = x = self.deep(self.pool(own[-1]))
        for up, beside in zip(self.up, reversed(own), strict=True):
            x = torch.cat([up(x), beside], dim=1)
        if not self.quotient:
            return self.out(x).permute(0, 2, 3, 1)
        luminance = self.luminance(x)
        if self.thin is not None and stem is not None:
            luminance = self.thin(luminance, x, stem)
        coarse = [self.chroma(deep)] if self.tint is None else [self.chroma(deep), self.tint(deep)]
        cells = _CHROMA * avg_pool2d(torch.cat(coarse, dim=1), 2)
        smooth = interpolate(cells, size=luminance.shape[2:], mode="bilinear", align_corners=False)
        found = torch.cat([luminance, smooth], dim=1).permute(0, 2, 3, 1).float()
        factor = (found[..., :3, None] * _LOG_COLOUR.to(found.device)).sum(dim=-2)
        return torch.cat([factor, found[..., 3:]], dim=-1)


def _nothing(layer: nn.Conv2d) -> nn.Conv2d:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
