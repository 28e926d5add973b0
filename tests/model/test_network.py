"""The networks: published sizes, physical outputs, gradients that reach both."""

from dataclasses import replace

import pytest
import torch

from illures.errors import InputError
from illures.math.color import srgb_to_linear
from illures.model import NetworkConfig
from illures.model.network import IlluResSfSNet, positive
from illures.model.sfsnet import SfSNet
from illures.render import shade
from tiny_networks import COMPACT, DETAILED, FINE, QUOTIENT

TINTED = replace(QUOTIENT, tint=True)
CONFIGS = [NetworkConfig(), NetworkConfig(guide=True), COMPACT, DETAILED, QUOTIENT, TINTED, FINE]


def test_published_network_has_the_published_size():
    """3.4 M parameters, counted by hand from the layers of figure 3 of the paper."""
    trunk = 3 * 64 * 49 + 64 * 128 * 9 + 128 * 128 * 9 + 128 + 2 * (64 + 128)
    branch = 5 * 2 * (128 * 128 * 9 + 2 * 128) + 2 * 128
    head = 128 * 128 + 2 * 128 + 128 * 64 * 9 + 2 * 64 + 64 * 3 + 3
    light = 384 * 128 + 2 * 128 + 128 * 27 + 27
    assert sum(p.numel() for p in SfSNet().parameters()) == trunk + 2 * branch + 2 * head + light


# The published form takes fifteen times as long: it is tried at half the sizes.
@pytest.mark.parametrize(
    ("config", "size"), [(c, size // 2 if c.form == "published" else size) for c in CONFIGS for size in (128, 256)]
)
def test_outputs_are_physical(config, size, inputs_of):
    network = IlluResSfSNet(config).eval()
    with torch.no_grad():
        found = network(*inputs_of(config, size, 1))
    assert found.albedo.shape == found.normal.shape == found.residual.shape == (1, size, size, 3)
    assert found.light.shape == (1, 9, 3)
    assert found.albedo.min() >= 0 and found.albedo.max() <= 1
    torch.testing.assert_close(found.normal.norm(dim=-1), torch.ones(1, size, size))
    torch.testing.assert_close(found.render(), found.local() + found.residual)


@pytest.mark.parametrize("config", [NetworkConfig(), COMPACT])
def test_gradients_of_the_image_reach_both_networks(config, network_of, inputs_of):
    network = network_of(config).train()
    given = inputs_of(config, 64)
    found = network(*given)
    (found.render() - given[0].permute(0, 2, 3, 1)).abs().mean().backward()
    missing = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert missing == []


@pytest.mark.parametrize("config", [QUOTIENT, TINTED, FINE])
def test_gradients_of_albedo_and_classes_reach_both_networks(config, network_of, inputs_of):
    """Albedo is the image over f(N, L) times what IlluResNet says: normals and light learn from it, too."""
    network = network_of(config).train()
    for parameter in network.parameters():  # what starts at nothing passes nothing on
        if not parameter.any() and parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.05)
    found = network(*inputs_of(config, 128))
    (found.albedo.square().mean() + found.regions.square().mean()).backward()
    missing = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert missing == []


@pytest.mark.parametrize("config", [QUOTIENT, TINTED, FINE])
def test_the_quotient_gives_the_image_back_exactly_whatever_the_network_says(config, network_of, inputs_of):
    given = inputs_of(config, 128)
    with torch.no_grad():
        found = network_of(config)(*given)
    linear = srgb_to_linear(given[0].permute(0, 2, 3, 1))
    torch.testing.assert_close(found.render(), linear, rtol=0, atol=1e-5)
    assert found.illumination.min() > 0 and torch.isfinite(found.illumination).all()


def test_a_trusted_quotient_is_the_image_over_the_illumination(network_of, inputs_of):
    network, given = network_of(QUOTIENT), inputs_of(QUOTIENT, 64)
    with torch.no_grad():
        network.sfsnet.albedo_branch.out[0].bias[12:16] = 50.0  # the trust, after three channels of four pixels
        found = network(*given)
    linear = srgb_to_linear(given[0].permute(0, 2, 3, 1))
    expected = ((linear + 0.003) / found.illumination).clamp(0, 1)
    torch.testing.assert_close(found.albedo, expected, rtol=0, atol=1e-4)


def test_the_colour_of_illumination_has_no_detail(network_of, inputs_of):
    """Next to f(N, L), E has edges of brightness and smooth colour alone: lips stay in albedo."""
    network, given = network_of(QUOTIENT), inputs_of(QUOTIENT, 128)
    with torch.no_grad():
        found = network(*given)
        shading = positive(shade(found.normal, found.light[:, None]), found.light[:, None])
    factor = (found.illumination / shading).log()
    for chroma in (factor[..., 0] - factor[..., 1], factor[..., 2] - factor[..., 1]):
        steps = torch.cat([chroma.diff(dim=1).flatten(), chroma.diff(dim=2).flatten()]).abs().max()
        assert 0 < steps < 0.25 * (chroma.max() - chroma.min())  # cells are 16 px wide


def test_a_tint_is_a_power_of_the_brightness_of_the_illumination(inputs_of):
    plain, network = IlluResSfSNet(QUOTIENT).eval(), IlluResSfSNet(TINTED).eval()
    network.load_state_dict(network.state_dict() | plain.state_dict())
    given = inputs_of(TINTED, 64)
    with torch.no_grad():
        before, untouched = plain(*given), network(*given)
        network.illuresnet.tint.bias.copy_(torch.tensor([-0.4, 0.2]))  # halved, as all chroma is
        after = network(*given)
    torch.testing.assert_close(untouched.illumination, before.illumination, rtol=0, atol=0)
    brightness = (before.illumination / (before.light[:, :1, None] * 0.28209479)).log()[..., 1:2]  # 1 / sqrt(4 pi)
    powers = (brightness * torch.tensor([-0.2, 0.0, 0.1])).exp()
    torch.testing.assert_close(after.illumination, before.illumination * powers, rtol=1e-4, atol=1e-6)
    with pytest.raises(InputError, match="quotient"):
        replace(COMPACT, tint=True)


@pytest.mark.parametrize("far", [0.0, -3.0, 40.0])
def test_positive_shading_is_above_zero_and_leaves_bright_shading(far):
    light = torch.zeros(1, 1, 9, 3)
    light[:, :, 0] = 3.5449  # a mean radiance of 1
    bent = positive(torch.full((1, 2, 2, 3), far), light)
    assert bent.min() > 0 and (far < 10 or abs(bent.max() - far) < 1e-3)


def test_thin_level_starts_as_the_coarse_network_at_twice_the_size(inputs_of):
    body = IlluResSfSNet(QUOTIENT).eval()
    fine = IlluResSfSNet(FINE).eval()
    fine.load_state_dict(fine.state_dict() | body.state_dict())
    image, _, context = inputs_of(FINE, 256)
    guide = torch.zeros_like(image)  # normals add to the guide at each network's own size
    half = torch.nn.functional.avg_pool2d(image, 2)
    with torch.no_grad():
        small = body(half, guide[..., ::2, ::2], context)
        large = fine(image, guide, context)
    torch.testing.assert_close(large.light, small.light, rtol=0, atol=1e-4)
    doubled = torch.nn.functional.interpolate(small.regions.permute(0, 3, 1, 2), scale_factor=2, mode="bilinear")
    torch.testing.assert_close(large.regions.permute(0, 3, 1, 2), doubled, rtol=0, atol=1e-4)


def test_the_gain_starts_at_one_and_scales_light_and_illumination_alone(inputs_of):
    plain, gained = IlluResSfSNet(QUOTIENT).eval(), IlluResSfSNet(replace(QUOTIENT, gain=True)).eval()
    gained.load_state_dict(gained.state_dict() | plain.state_dict())
    inputs = inputs_of(QUOTIENT, 64)
    before = plain(*inputs)
    torch.testing.assert_close(gained(*inputs).light, before.light, rtol=0, atol=0)
    wanted = torch.tensor([2.0, 1.0, 0.5])
    gained.sfsnet.gain.out.bias.data = wanted.log()
    after = gained(*inputs)
    torch.testing.assert_close(after.light, before.light * wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(after.illumination, before.illumination * wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(after.normal, before.normal, rtol=0, atol=0)


def test_context_must_fit_the_network(inputs_of):
    image, guide, _ = inputs_of(QUOTIENT, 64)
    with pytest.raises(ValueError, match="context=True"):
        IlluResSfSNet(QUOTIENT)(image, guide)


def test_the_published_form_is_the_papers():
    with pytest.raises(InputError, match="direct"):
        NetworkConfig("published", albedo="quotient")


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
