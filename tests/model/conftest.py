from collections.abc import Callable

import pytest
import torch

from illures.model import NetworkConfig
from illures.model.network import IlluResSfSNet


@pytest.fixture
def network_of() -> Callable[[NetworkConfig], IlluResSfSNet]:
    """Make a network with batch statistics that are not those of initialisation, and a residual that is not zero."""

    def make(config: NetworkConfig) -> IlluResSfSNet:
        torch.manual_seed(0)
        network = IlluResSfSNet(config)
        torch.nn.init.normal_(network.illuresnet.out.weight, std=0.05)
        for _ in range(3):
            network(torch.rand(2, 3, 64, 64), torch.randn(2, 3, 64, 64) if config.guide else None)
        return network.eval()

    return make
