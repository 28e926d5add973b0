"""SfSNet, image → albedo, normal, light: as published, and in a compact form for CPUs.

Source: Sengupta, Kanazawa, Castillo and Jacobs, "SfSNet: Learning Shape, Reflectance and Illuminance of Faces in the
Wild", CVPR 2018, section 4 and figure 3. Both forms return the same `Intrinsics`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from illures.math.color import srgb_to_linear
from illures.math.normals import normalize
from illures.model.blocks import ResidualBlock, conv_bn, residual_stage
from illures.model.config import NetworkConfig

# A grey environment of radiance 0.6: the initial output of the light head.
_START_LIGHT = 0.6 * 3.5449077  # sqrt(4 pi)
_LARGEST_GAIN = 3.0  # largest gain of the light, natural log


@dataclass(frozen=True)
class Intrinsics:
    """The prediction of SfSNet, and the features for IlluResNet.

    Attributes:
        albedo: linear, in [0, 1].
        normal: unit vectors, camera frame.
        light: SH coefficients of the radiance.
        features: albedo and normal features, at the body's image size over the network's `feature_stride`.
        further: raw outputs beside albedo: the weight of the quotient, then the classes; may be empty.
        stem: features of the thin level, at half the image's size, or None.
    """

    albedo: Float[Tensor, "batch height width 3"]
    normal: Float[Tensor, "batch height width 3"]
    light: Float[Tensor, "batch 9 3"]
    features: Float[Tensor, "batch features h w"]
    further: Float[Tensor, "batch height width outputs"]
    stem: Float[Tensor, "batch fine h2 w2"] | None = None


def _interpret(
    albedo: Tensor, normal: Tensor, light: Tensor, features: Tensor, guide: Tensor | None, stem: Tensor | None = None
) -> Intrinsics:
    """Raw outputs to physical quantities.

    Albedo is predicted sRGB-encoded, which is perceptually more uniform. Predicted normals are added to the guide.
    """
    if guide is not None:
        normal = normal + guide
    # Split, as the gradient of a slice is a whole map of zeros.
    direct, further = albedo.permute(0, 2, 3, 1).float().split([3, albedo.shape[1] - 3], dim=-1)
    return Intrinsics(
        albedo=srgb_to_linear(torch.sigmoid(direct)),
        normal=normalize(normal.permute(0, 2, 3, 1).float()),
        light=light.unflatten(-1, (9, 3)),
        features=features,
        further=further,
        stem=stem,
    )


class LightHead(nn.Module):
    """1×1 convolution, average pool, 27 outputs: the light from the features of the trunk and both branches."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.conv = conv_bn(inputs, width, kernel=1)
        self.linear = nn.Linear(width, 27)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)
        self.linear.bias.data[:3] = _START_LIGHT

    def forward(self, features: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch 27"]:
        """The light as one vector, channels fastest."""
        return self.linear(self.conv(features).mean(dim=(2, 3)))


class LightGain(nn.Module):
    """Strength and colour of the light: one factor per channel on its coefficients, initially one.

    Exposure is a product, which the sum in `LightHead` learns slowly. Maxima of features are used besides means, as the
    whites of eyes and teeth have a known albedo.
    """

    def __init__(self, features: int, context: int, width: int = 96) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * features + context, width), nn.ReLU(inplace=True))
        self.out = nn.Linear(width, 3)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self, features: Float[Tensor, "batch features h w"], context: Float[Tensor, "batch context"] | None
    ) -> Float[Tensor, "batch 3"]:
        """The factors, above 0."""
        pooled = [features.mean(dim=(2, 3)), features.amax(dim=(2, 3))]
        known = torch.cat(pooled if context is None else [*pooled, context], dim=1)
        return self.out(self.layers(known)).float().clamp(-_LARGEST_GAIN, _LARGEST_GAIN).exp()


class SfSNet(nn.Module):
    """The network of the paper's figure 3: 3.4 M parameters, 34 GFLOP for an image of 128 × 128."""

    feature_stride = 2

    def __init__(self, inputs: int = 3, width: int = 128, blocks: int = 5) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            conv_bn(inputs, 64, kernel=7),
            conv_bn(64, width, kernel=3),
            nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1),
        )
        self.albedo_branch, self.normal_branch = residual_stage(width, blocks), residual_stage(width, blocks)
        self.albedo_head, self.normal_head = self._head(width), self._head(width)
        self.light_head = LightHead(3 * width, 128)
        self.features = 2 * width

    @staticmethod
    def _head(width: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            conv_bn(width, 128, kernel=1),
            conv_bn(128, 64, kernel=3),
            nn.Conv2d(64, 3, kernel_size=1),
        )

    def forward(
        self,
        x: Float[Tensor, "batch inputs height width"],
        guide: Float[Tensor, "batch 3 height width"] | None = None,
        context: None = None,
    ) -> Intrinsics:
        """Decompose normalised input channels; sides must be even. The prediction is added to `guide`."""
        shared = self.trunk(x)
        albedo, normal = self.albedo_branch(shared), self.normal_branch(shared)
        features = torch.cat([albedo, normal], dim=1)
        light = self.light_head(torch.cat([shared, features], dim=1))
        return _interpret(self.albedo_head(albedo), self.normal_head(normal), light, features, guide)


class ThinLevel(nn.Module):
    """Adds fine detail to a map upsampled from half its size: two convolutions, initially zero."""

    def __init__(self, features: int, width: int, outputs: int) -> None:
        super().__init__()
        self.join = conv_bn(features + width, width, kernel=3)
        self.out = nn.Sequential(nn.Conv2d(width, 4 * outputs, kernel_size=3, padding=1), nn.PixelShuffle(2))
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, coarse: Tensor, features: Tensor, stem: Tensor) -> Tensor:
        """The map at twice the size of `coarse`; `features` and `stem` are of the size of `coarse`."""
        return _double(coarse) + self.out(self.join(torch.cat([features, stem], dim=1)))


class CompactBranch(nn.Module):
    """Residual blocks at 1/8 of the sides, upsampled to 1/2 with finer features of the trunk, then to full size."""

    def __init__(self, width: int, blocks: int, detail_blocks: int, outputs: int, fine_width: int) -> None:
        super().__init__()
        self.coarse = residual_stage(4 * width, blocks)
        self.middle = nn.Sequential(conv_bn(6 * width, 2 * width, kernel=3), residual_stage(2 * width, 1))
        self.fine = conv_bn(3 * width, width, kernel=3)
        detail = [ResidualBlock(width) for _ in range(detail_blocks)]
        self.detail = nn.Sequential(*detail)
        for block in detail:  # initially the identity, so they can be added to trained weights
            nn.init.zeros_(block.conv2.weight)
        self.out = nn.Sequential(nn.Conv2d(width, 4 * outputs, kernel_size=3, padding=1), nn.PixelShuffle(2))
        self.thin = ThinLevel(width, fine_width, outputs) if fine_width else None

    def forward(self, coarse: Tensor, middle: Tensor, fine: Tensor, stem: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the raw map at full size and the features at 1/4 of the body's sides."""
        features = self.middle(torch.cat([_double(self.coarse(coarse)), middle], dim=1))
        detail = self.detail(self.fine(torch.cat([_double(features), fine], dim=1)))
        found = self.out(detail)
        if self.thin is not None and stem is not None:
            found = self.thin(found, _double(detail), stem)
        return found, features


class ContextEncoder(nn.Module):
    """A thumbnail of the whole photo and the place of the crop in it, to one vector; starts at zero."""

    def __init__(self, outputs: int, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            conv_bn(4, width, kernel=3, stride=2),
            conv_bn(width, 2 * width, kernel=3, stride=2),
            conv_bn(2 * width, 4 * width, kernel=3, stride=2),
        )
        self.linear = nn.Linear(4 * width, outputs)
        for parameter in self.linear.parameters():
            nn.init.zeros_(parameter)

    def forward(self, context: Float[Tensor, "batch 4 h w"]) -> Float[Tensor, "batch outputs"]:
        """The vector; `context` as `data.context` makes it."""
        return self.linear(self.layers((context - 0.5) * 4).mean(dim=(2, 3)))


class CompactSfSNet(nn.Module):
    """SfSNet's boxes (shared trunk, two branches of residual blocks, light from all features) at 2.3 GFLOP.

    The branches work at 1/8 of the sides and come up through skip connections; a learnt map of positions tells the
    trunk where in the aligned crop it looks. With a `fine_width` all this sees the image at half its size, and a thin
    level at the image's own size adds what it finds there.

    Args:
        inputs: channels of the image.
        config: shape of the network.
        further: outputs beside albedo.
    """

    feature_stride = 4

    def __init__(self, inputs: int, config: NetworkConfig, further: int) -> None:
        super().__init__()
        width, fine = config.width, config.fine_width
        self.fine = conv_bn(inputs, width, kernel=7, stride=2)
        self.middle = conv_bn(width, 2 * width, kernel=3, stride=2)
        self.coarse = conv_bn(2 * width, 4 * width, kernel=3, stride=2)
        side = config.body_size // 8
        self.position = nn.Parameter(torch.zeros(1, 4 * width, side, side))
        self.context = ContextEncoder(4 * width) if config.context else None
        self.shared = residual_stage(4 * width, config.blocks)
        self.albedo_branch = CompactBranch(width, config.blocks, config.detail_blocks, 3 + further, fine)
        self.normal_branch = CompactBranch(width, config.blocks, config.detail_blocks, 3, fine)
        self.stem = conv_bn(inputs, fine, kernel=3, stride=2) if fine else None
        self.light_head = LightHead(4 * width + 4 * width, 128)
        self.gain = LightGain(4 * width + 4 * width, 4 * width if config.context else 0) if config.gain else None
        self.features = 4 * width

    def forward(
        self,
        x: Float[Tensor, "batch inputs height width"],
        guide: Float[Tensor, "batch 3 height width"] | None = None,
        context: Float[Tensor, "batch 4 h2 w2"] | None = None,
    ) -> Intrinsics:
        """Decompose normalised input channels; sides must be multiples of 16. `guide`: normals that ours add to."""
        stem = None
        if self.stem is not None:
            stem, x = self.stem(x), nn.functional.avg_pool2d(x, 2)
        fine = self.fine(x)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        coarse = coarse + interpolate(self.position, size=coarse.shape[2:], mode="bilinear", align_corners=False)
        around = None
        if self.context is not None and context is not None:
            around = self.context(context)
            coarse = coarse + around[:, :, None, None]
        shared = self.shared(coarse)
        albedo, albedo_features = self.albedo_branch(shared, middle, fine, stem)
        normal, normal_features = self.normal_branch(shared, middle, fine, stem)
        features = torch.cat([albedo_features, normal_features], dim=1)
        half = nn.functional.avg_pool2d(features, 2)
        everything = torch.cat([shared, half], dim=1)
        light = self.light_head(everything)
        if self.gain is not None:
            light = (light.unflatten(-1, (9, 3)) * self.gain(everything, around)[:, None]).flatten(-2)
        return _interpret(albedo, normal, light, features, guide, stem)


def _double(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
