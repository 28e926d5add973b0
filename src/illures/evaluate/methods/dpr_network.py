"""DPR's network, an hourglass for 512 px (Newell et al., ECCV 2016), with modules named as in its weights file.

The light comes out of, and goes into, the innermost layer.
"""

from __future__ import annotations

import torch
from torch import nn, sigmoid
from torch.nn.functional import interpolate, max_pool2d, relu

_LIGHT_FEATURES = 27  # channels


class Basic(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, norm: type[nn.Module] = nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn1, self.bn2 = norm(outputs), norm(outputs)
        self.shortcuts = nn.Conv2d(inputs, outputs, 1, bias=False)  # in every file, used where sizes differ
        self.widens = inputs != outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of `outputs` channels, at the same size."""
        out = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        return relu(out + (self.shortcuts(x) if self.widens else x))


class Lighting(nn.Module):
    """Reads the light of the photo from the first channels, and puts the wanted light into them."""

    def __init__(self) -> None:
        super().__init__()
        self.predict_FC1, self.predict_FC2 = (nn.Conv2d(i, o, 1, bias=False) for i, o in ((27, 128), (128, 9)))
        self.post_FC1, self.post_FC2 = (nn.Conv2d(i, o, 1, bias=False) for i, o in ((9, 128), (128, 27)))
        self.predict_relu1, self.post_relu1 = nn.PReLU(), nn.PReLU()

    def forward(self, x: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The features with the wanted light in their first channels, and the light that they held."""
        mean = x[:, :_LIGHT_FEATURES].mean(dim=(2, 3), keepdim=True)
        seen = self.predict_FC2(self.predict_relu1(self.predict_FC1(mean)))
        put = relu(self.post_FC2(self.post_relu1(self.post_FC1(wanted))))
        x = x.clone()
        x[:, :_LIGHT_FEATURES] = put
        return x, seen


class Level(nn.Module):
    """One level of the hourglass: half the resolution within, a shortcut beside it."""

    def __init__(self, outer: int, inner: int, middle: nn.Module) -> None:
        super().__init__()
        self.upper = Basic(outer, outer, nn.InstanceNorm2d)
        self.low1, self.low2 = Basic(outer, inner), Basic(inner, outer, nn.InstanceNorm2d)
        self.middle = middle

    def forward(self, x: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features of the same size, and the light that the innermost level saw."""
        inner, seen = self.middle(self.low1(max_pool2d(x, 2)), wanted)
        return interpolate(self.low2(inner), scale_factor=2, mode="nearest") + self.upper(x), seen


class Hourglass(nn.Module):
    """Relights the lightness of a photo."""

    def __init__(self) -> None:
        super().__init__()
        self.pre_conv, self.pre_bn = nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16)
        self.light = Lighting()  # the same module stands in the innermost level: files name it twice
        self.HG0 = Level(64, 128 + _LIGHT_FEATURES, self.light)
        self.HG1 = Level(32, 64, self.HG0)
        self.HG2 = Level(16, 32, self.HG1)
        self.HG3 = Level(16, 16, self.HG2)
        self.conv_1, self.conv_2 = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 1)
        self.conv_3, self.output = nn.Conv2d(16, 16, 1), nn.Conv2d(16, 1, 1)
        self.bn_1, self.bn_2, self.bn_3 = (nn.BatchNorm2d(16) for _ in range(3))

    def forward(self, x: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A photo relit and the light seen in it, of the shapes of the arguments.

        Args:
            x: lightness in [0, 1], batch × 1 × 512 × 512.
            wanted: the light in the layout of DPR, batch × 9 × 1 × 1.
        """
        x, seen = self.HG3(relu(self.pre_bn(self.pre_conv(x))), wanted)
        for conv, norm in ((self.conv_1, self.bn_1), (self.conv_2, self.bn_2), (self.conv_3, self.bn_3)):
            x = relu(norm(conv(x)))
        return sigmoid(self.output(x)), seen
