"""AlignNet: what it gives is a map of its kind, and its weights come back or are refused."""

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from illures.errors import InputError
from illures.model.alignnet import AlignConfig, AlignNet, load_alignnet, save_alignnet
from tiny_networks import ALIGN_ALBEDO


@pytest.fixture
def network_of():
    def make(config: AlignConfig) -> AlignNet:
        torch.manual_seed(0)
        network = AlignNet(config)
        for _ in range(3):  # batch statistics that are not those of initialisation
            network(*maps(config.size, 4))
        return network.eval()

    return make


def maps(size: int, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.rand(count, size, size, 1), torch.rand(count, size, size, 1), torch.rand(count, size, size, 3)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_albedo_comes_out_as_albedo_and_normals_as_unit_vectors(network_of, levels):
    inputs = maps(32, 2)
    albedo = network_of(dataclasses.replace(ALIGN_ALBEDO, levels=levels))(*inputs)
    assert albedo.shape == (2, 32, 32, 3)
    assert 0 <= albedo.min() < albedo.max() <= 1
    normal = network_of(dataclasses.replace(ALIGN_ALBEDO, levels=levels, kind="normal"))(*inputs)
    torch.testing.assert_close(normal.norm(dim=-1), torch.ones(2, 32, 32))


def test_every_input_has_its_say(network_of):
    network, inputs = network_of(ALIGN_ALBEDO), maps(32, 1)
    found = network(*inputs)
    for k in range(3):
        changed = [value.flip(1) if n == k else value for n, value in enumerate(inputs)]
        assert (network(*changed) - found).abs().max() > 1e-4


def test_the_published_network_has_the_methods_residual_blocks():
    network = AlignNet(AlignConfig("normal"))
    convolutions = [m for m in network.deep.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 10
    assert {(m.in_channels, m.out_channels, m.kernel_size) for m in convolutions} == {(128, 128, (3, 3))}


def test_weights_come_back(network_of, tmp_path):
    network, path = network_of(dataclasses.replace(ALIGN_ALBEDO, kind="normal")), tmp_path / "a.safetensors"
    saved = save_alignnet(path, network, {"seed": 1}, "two views", {"net": 3.5})
    found, info = load_alignnet(path)
    assert info == saved
    assert (info.recipe, info.data, info.metrics) == ({"seed": 1}, "two views", {"net": 3.5})
    inputs = maps(32, 2)
    torch.testing.assert_close(found(*inputs), network(*inputs), rtol=0, atol=0)
    assert not found.training
    assert not any(parameter.requires_grad for parameter in found.parameters())
    again = tmp_path / "b.safetensors"
    save_alignnet(again, network, {"seed": 1}, "two views", {"net": 3.5})
    assert again.read_bytes() == path.read_bytes()


def test_bad_weights_are_refused(network_of, tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(InputError, match="no such file"):
        load_alignnet(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(InputError, match="can't be read as AlignNet weights"):
        load_alignnet(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="not a weights file of format"):
        load_alignnet(path)


def test_changed_weights_are_refused(network_of, tmp_path):
    path = tmp_path / "a.safetensors"
    info = save_alignnet(path, network_of(ALIGN_ALBEDO), {}, "", {})
    tensors, about = load_file(path), dataclasses.asdict(info)

    def rewritten(**changes: object) -> None:
        save_file(tensors, path, {"illures-align-1": json.dumps(about | changes)})

    bias = tensors["decoder.2.bias"]
    tensors["decoder.2.bias"] = bias + 1
    rewritten()
    with pytest.raises(InputError, match="damaged"):
        load_alignnet(path)
    tensors["decoder.2.bias"] = bias
    rewritten(config={"kind": "albedo", "size": 32, "width": 16, "blocks": 1})
    with pytest.raises(InputError, match="do not fit the network"):
        load_alignnet(path)
    rewritten(config={"kind": "albedo", "size": 30})
    with pytest.raises(InputError, match="size = 30"):
        load_alignnet(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"blocks": 0}, "blocks = 0"), ({"size": 30}, "can't be halved")],
)
def test_configurations_that_make_no_network(changes, words):
    with pytest.raises(InputError, match=words):
        dataclasses.replace(ALIGN_ALBEDO, **changes)
