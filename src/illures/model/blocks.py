"""Building blocks of the networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from illures.errors import InputError


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1, slope: float = 0.0) -> nn.Sequential:
    """Convolution, batch normalisation, (leaky) ReLU of negative slope `slope`."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True),
    )


def transposed_conv_bn(inputs: int, outputs: int, slope: float) -> nn.Sequential:
    """Transposed convolution that doubles the sides, batch normalisation, leaky ReLU."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(slope, inplace=True),
    )


class ResidualBlock(nn.Module):
    """Pre-activation residual block x + C(ReLU(BN(C(ReLU(BN(x)))))) (He et al. 2016), with constant width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Float[Tensor, "batch width h w"]) -> Float[Tensor, "batch width h w"]:
        """Add the residual to `x`."""
        delta = self.conv1(self.relu(self.norm1(x)))
        return x + self.conv2(self.relu(self.norm2(delta)))


def residual_stage(width: int, blocks: int) -> nn.Sequential:
    """Residual blocks, then the batch normalisation and ReLU that a pre-activation chain ends with."""
    chain = [ResidualBlock(width) for _ in range(blocks)]
    return nn.Sequential(*chain, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def is_counter(name: str) -> bool:
    """Whether a tensor is the batch counter of batch normalisation, which neither graphs nor evaluation need."""
    return name.endswith("num_batches_tracked")


def load_fixed(network: nn.Module, tensors: Mapping[str, Tensor], path: Path | str | None) -> None:
    """Load the tensors of a weights file, and fix the network: evaluation mode, no gradients.

    Raises:
        InputError: a tensor is missing, unknown or of another shape; the message names `path`.
    """
    counters = {name: value for name, value in network.state_dict().items() if is_counter(name)}
    try:
        network.load_state_dict(counters | dict(tensors), strict=True)
    except RuntimeError as error:
        raise InputError(f"{path}: tensors do not fit the network: {' '.join(str(error).split())[:200]}") from error
    network.eval().requires_grad_(False)
