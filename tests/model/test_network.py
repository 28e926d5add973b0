"""The networks: published sizes, gradients that reach both, the folded network equals the plain one."""

import numpy as np
import pytest
import torch

from illures.errors import InputError
from illures.model import IlluResSfSNet, NetworkConfig, Predictor, WeightsInfo, load_weights, save_weights
from illures.model.sfsnet import SfSNet

COMPACT = NetworkConfig("compact", guide=True, width=8, residual_width=32, residual_blocks=1)
CONFIGS = [NetworkConfig(), NetworkConfig(guide=True), COMPACT]


def trained_a_little(config: NetworkConfig) -> IlluResSfSNet:
    """Random weights with batch statistics that are not those of initialisation, and a residual that is not zero."""
    torch.manual_seed(0)
    network = IlluResSfSNet(config)
    torch.nn.init.normal_(network.illuresnet.out.weight, std=0.05)
    for _ in range(3):
        network(torch.rand(2, 3, 64, 64), torch.randn(2, 3, 64, 64) if config.guide else None)
    return network.eval()


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
def test_gradients_of_the_image_reach_both_networks(config):
    network = trained_a_little(config).train()
    image = torch.rand(2, 3, 64, 64)
    found = network(image, torch.zeros(2, 3, 64, 64) if config.guide else None)
    (found.render() - image.permute(0, 2, 3, 1)).abs().mean().backward()
    missing = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert missing == []


def test_first_stage_leaves_the_residual_network_alone():
    network = trained_a_little(COMPACT).train()
    found = network(torch.rand(2, 3, 64, 64), torch.zeros(2, 3, 64, 64), with_residual=False)
    found.render().sum().backward()
    assert not found.residual.any()
    assert all(p.grad is None for p in network.illuresnet.parameters())


def test_guide_must_fit_the_network():
    with pytest.raises(ValueError, match="guide=True"):
        IlluResSfSNet(COMPACT)(torch.rand(1, 3, 64, 64))


@pytest.mark.parametrize("config", CONFIGS)
def test_predictor_gives_what_the_plain_network_gives(config, rng):
    """Folding the batch normalisation changes nothing but rounding."""
    network = trained_a_little(config)
    images, guides = rng.random((2, 64, 64, 3), dtype=np.float32), rng.random((2, 64, 64, 3), dtype=np.float32)
    guide = torch.tensor(guides).permute(0, 3, 1, 2) if config.guide else None
    with torch.no_grad():
        expected = network(torch.tensor(images).permute(0, 3, 1, 2), guide)
    found = Predictor(network, WeightsInfo(config, "0"))(images, guides)
    for i in range(2):
        for name in ("albedo", "normal", "light", "residual"):
            np.testing.assert_allclose(getattr(found[i], name), getattr(expected, name)[i], rtol=0, atol=2e-4)


def test_weights_round_trip_and_describe_themselves(tmp_path):
    network = trained_a_little(COMPACT)
    path = tmp_path / "w.safetensors"
    save_weights(path, network, {"batch": 16}, "two spheres", {"yaleb_mean_deg": 14.5})
    loaded, info = load_weights(path)
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert info.config == COMPACT and info.recipe == {"batch": 16} and info.metrics == {"yaleb_mean_deg": 14.5}


def test_damaged_and_foreign_weights_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(InputError, match="no such weights file"):
        load_weights(path)
    path.write_text("hello")
    with pytest.raises(InputError, match="not a safetensors file"):
        load_weights(path)
    save_weights(path, trained_a_little(COMPACT), {}, "", {})
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        load_weights(path)
