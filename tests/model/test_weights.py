"""Weights files: they run in ONNX Runtime as in torch, describe themselves, and damaged ones are refused."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import tiny_networks
from illures.errors import InputError
from illures.model import NetworkConfig, Predictor, read_weights
from illures.model.export import load_network, save_weights
from illures.model.network import network_inputs
from illures.model.weights import FAST, FINE, find_weights, packaged

COMPACT = replace(tiny_networks.COMPACT, size=64)
QUOTIENT = replace(tiny_networks.QUOTIENT, size=64, detail_blocks=1)
THIN = replace(QUOTIENT, size=128, fine_width=8)


@pytest.mark.parametrize(
    "config", [COMPACT, NetworkConfig(size=64), NetworkConfig(size=64, guide=True), QUOTIENT, THIN]
)
def test_onnx_runtime_gives_what_torch_gives(config, network_of, tmp_path, rng):
    network, path = network_of(config), tmp_path / "w.safetensors"
    save_weights(path, network, {}, "", {})
    predictor = Predictor.from_pretrained(path)
    for size in (64, 128):
        shape = (2, size, size, 3)
        images, guides = rng.random(shape, dtype=np.float32), rng.random(shape, dtype=np.float32)
        contexts = rng.random((2, 32, 32, 4), dtype=np.float32)
        with torch.no_grad():
            expected = network(*network_inputs(config, *(torch.tensor(x) for x in (images, guides, contexts))))
        found = predictor(images, guides, contexts)
        for i in range(2):
            for name in ("albedo", "normal", "light", "residual"):
                np.testing.assert_allclose(getattr(found[i], name), getattr(expected, name)[i], rtol=0, atol=5e-4)
            if config.regions:
                np.testing.assert_allclose(found[i].regions, expected.regions[i].softmax(dim=-1), rtol=0, atol=5e-4)
            else:
                assert found[i].regions is None


def test_round_trip_and_description(network_of, tmp_path):
    network, path = network_of(COMPACT), tmp_path / "w.safetensors"
    save_weights(path, network, {"batch": 16}, "two spheres", {"yaleb_mean_deg": 14.5})
    loaded, info = load_network(path)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            assert torch.equal(loaded.state_dict()[name], value), name
    assert info.config == COMPACT and info.recipe == {"batch": 16} and info.metrics == {"yaleb_mean_deg": 14.5}
    assert info.data == "two spheres"


def test_inference_imports_no_torch():
    code = (
        "import sys, illures.model, illures.faces, illures.math.sh, illures.render; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


def test_damaged_and_foreign_weights_are_refused(network_of, tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(InputError, match="no such file"):
        read_weights(path)
    path.write_text("hello")
    with pytest.raises(InputError, match="can't be read as a weights file"):
        read_weights(path)
    save_weights(path, network_of(COMPACT), {}, "", {})
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read_weights(path)


def test_weights_of_another_shape_are_refused(network_of, tmp_path):
    path = tmp_path / "w.safetensors"
    weights = save_weights(path, network_of(COMPACT), {}, "", {})
    tensors = dict(weights.tensors)
    del tensors["sfsnet.position"]
    with pytest.raises(InputError, match="do not fit"):
        Predictor(type(weights)(tensors, weights.graph, weights.info))


def test_names_of_the_package_are_found_and_paths_stay_paths(tmp_path):
    assert find_weights("illures-128") == find_weights(Path("illures-128")) == packaged(FAST)
    assert find_weights(tmp_path / "illures-128") == tmp_path / "illures-128"
    assert find_weights(None) == packaged(FINE) and packaged(FINE).is_file()
    with pytest.raises(InputError, match="illures-64: no such file"):
        read_weights("illures-64")
