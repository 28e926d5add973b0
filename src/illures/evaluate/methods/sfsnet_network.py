"""SfSNet as published: the paper's figure 3 with the layers of its released Caffe model."""

from __future__ import annotations

import torch
from torch import cat, nn
from torch.nn.functional import relu


class Block(nn.Module):
    """A residual block, with the activation before the convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.bn, self.bnr = nn.BatchNorm2d(128), nn.BatchNorm2d(128)
        self.conv, self.convr = nn.Conv2d(128, 128, 3, padding=1), nn.Conv2d(128, 128, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the residual to `x`."""
        return x + self.convr(relu(self.bnr(self.conv(relu(self.bn(x))))))


class SfSNet(nn.Module):
    """A trunk, a branch each for normals and albedo, and a light read from all three."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, padding=3), nn.BatchNorm2d(64)
        self.conv2, self.bn2 = nn.Conv2d(64, 128, 3, padding=1), nn.BatchNorm2d(128)
        self.conv3 = nn.Conv2d(128, 128, 3, stride=2, padding=1)
        for k, out in (("n", "Nconv0"), ("a", "Aconv0")):
            for block in range(1, 6):
                self.add_module(f"{k}_res{block}", Block())
            self.add_module(f"{k}bn6r", nn.BatchNorm2d(128))
            self.add_module(f"{k}up6", nn.ConvTranspose2d(128, 128, 4, 2, 1, groups=128, bias=False))
            self.add_module(f"{k}conv6", nn.Conv2d(128, 128, 1))
            self.add_module(f"{k}bn6", nn.BatchNorm2d(128))
            self.add_module(f"{k}conv7", nn.Conv2d(128, 64, 3, padding=1))
            self.add_module(f"{k}bn7", nn.BatchNorm2d(64))
            self.add_module(out, nn.Conv2d(64, 3, 1))
        self.lconv1, self.lbn1 = nn.Conv2d(384, 128, 1), nn.BatchNorm2d(128)
        self.fc_light = nn.Linear(128, 27)

    def branch(self, k: str, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The map of branch "n" (normals) or "a" (albedo), and the features that the light is read from."""
        layer = self.get_submodule
        for block in range(1, 6):
            x = layer(f"{k}_res{block}")(x)
        features = relu(layer(f"{k}bn6r")(x))
        x = relu(layer(f"{k}bn6")(layer(f"{k}conv6")(layer(f"{k}up6")(features))))
        x = relu(layer(f"{k}bn7")(layer(f"{k}conv7")(x)))
        return layer(f"{k.upper()}conv0")(x), features

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Normals, albedo (batch × 3 × 128 × 128) and light (batch × 27) of images, BGR in [0, 1]."""
        x = relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))))
        shared = self.conv3(x)
        (normal, of_normal), (albedo, of_albedo) = self.branch("n", shared), self.branch("a", shared)
        light = relu(self.lbn1(self.lconv1(cat([of_normal, of_albedo, shared], 1))))
        return normal, albedo, self.fc_light(light.mean(dim=(2, 3)))
