"""The networks: published sizes, physical outputs, gradients that reach both."""

from dataclasses import replace

import pytest
import torch

from illures.model import NetworkConfig
from illures.model.network import IlluResSfSNet
from illures.model.sfsnet import SfSNet

COMPACT = NetworkConfig("compact", guide=True, width=8, residual_width=32, residual_blocks=1)
DETAILED = replace(COMPACT, detail_blocks=2)
CONFIGS = [NetworkConfig(), NetworkConfig(guide=True), COMPACT, DETAILED]


def test_published_network_has_the_published_size():
    """3.4 M parameters, counted by hand from the layers of figure 3 of the paper."""
    trunk = 3 * 64 * 49 + 64 * 128 * 9 + 128 * 128 * 9 + 128 + 2 * (64 + 128)
    branch = 5 * 2 * (128 * 128 * 9 + 2 * 128) + 2 * 128
    head = 128 * 128 + 2 * 128 + 128 * 64 * 9 + 2 * 64 + 64 * 3 + 3
    light = 384 * 128 + 2 * 128 + 128 * 27 + 27
    assert sum(p.numel() for p in SfSNet().parameters()) == trunk + 2 * branch + 2 * head + light


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("size", [128, 256])
def test_outputs_are_physical(config, size):
    network = IlluResSfSNet(config).eval()
    with torch.no_grad():
        found = network(torch.rand(1, 3, size, size), torch.rand(1, 3, size, size) if config.guide else None)
    assert found.albedo.shape == found.normal.shape == found.residual.shape == (1, size, size, 3)
    assert found.light.shape == (1, 9, 3)
    assert found.albedo.min() >= 0 and found.albedo.max() <= 1
    torch.testing.assert_close(found.normal.norm(dim=-1), torch.ones(1, size, size))
    torch.testing.assert_close(found.render(), found.local() + found.residual)


@pytest.mark.parametrize("config", [NetworkConfig(), COMPACT])
def test_gradients_of_the_image_reach_both_networks(config, network_of):
    network = network_of(config).train()
    image = torch.rand(2, 3, 64, 64)
    found = network(image, torch.zeros(2, 3, 64, 64) if config.guide else None)
    (found.render() - image.permute(0, 2, 3, 1)).abs().mean().backward()
    missing = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert missing == []


def test_first_stage_leaves_the_residual_network_alone(network_of):
    network = network_of(COMPACT).train()
    found = network(torch.rand(2, 3, 64, 64), torch.zeros(2, 3, 64, 64), with_residual=False)
    found.render().sum().backward()
    assert not found.residual.any()
    assert all(p.grad is None for p in network.illuresnet.parameters())


def test_detail_blocks_start_as_the_identity():
    plain, detailed = IlluResSfSNet(COMPACT).eval(), IlluResSfSNet(DETAILED).eval()
    detailed.load_state_dict(detailed.state_dict() | plain.state_dict())
    image, guide = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    before = detailed(image, guide)
    torch.testing.assert_close(before.normal, plain(image, guide).normal, rtol=0, atol=0)
    torch.nn.init.normal_(detailed.sfsnet.normal_branch.detail[0].conv2.weight)
    after = detailed(image, guide)
    assert (after.normal - before.normal).abs().max() > 0.01
    torch.testing.assert_close(after.albedo, before.albedo, rtol=0, atol=0)


def test_guide_must_fit_the_network():
    with pytest.raises(ValueError, match="guide=True"):
        IlluResSfSNet(COMPACT)(torch.rand(1, 3, 64, 64))
