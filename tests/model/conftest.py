from collections.abc import Callable

import pytest
import torch

from illures.model import NetworkConfig
from illures.model.network import IlluResSfSNet, network_inputs


def inputs(config: NetworkConfig, size: int, batch: int = 2) -> tuple[torch.Tensor | None, ...]:
    """Random inputs of a network of this shape."""
    image, guide = torch.rand(batch, size, size, 3), torch.rand(batch, size, size, 3) * 2 - 1
    return network_inputs(config, image, guide, torch.rand(batch, 32, 32, 4))


@pytest.fixture
def inputs_of() -> Callable[..., tuple[torch.Tensor | None, ...]]:
    return inputs


@pytest.fixture
def network_of() -> Callable[[NetworkConfig], IlluResSfSNet]:
    """Make a network with batch statistics that are not those of initialisation, and a residual that is not zero."""

    def make(config: NetworkConfig) -> IlluResSfSNet:
        torch.manual_seed(0)
        network = IlluResSfSNet(config)
        for name in ("out", "luminance", "chroma"):
            if hasattr(network.illuresnet, name):
                torch.nn.init.normal_(getattr(network.illuresnet, name).weight, std=0.05)
        for _ in range(3):
            network(*inputs(config, 64))
        return network.eval()

    return make
