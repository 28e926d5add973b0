"""Weights files: they run in ONNX Runtime as in torch, describe themselves, and damaged ones are refused."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import tiny_networks
from illures.errors import InputError
from illures.model import NetworkConfig, Predictor, read_weights
from illures.model import weights as weights_files
from illures.model.export import load_network, save_weights
from illures.model.network import network_inputs
from illures.model.weights import FAST, FINE, Weights, find_weights, packaged, write_packaged, write_weights

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
    for size in (64, 96):
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


def test_the_same_weights_are_the_same_bytes(network_of, tmp_path):
    network = network_of(COMPACT)
    files = [tmp_path / f"{k}.safetensors" for k in range(3)]
    for path in files:
        save_weights(path, network, {"batch": 16}, "two spheres", {})
    assert len({path.read_bytes() for path in files}) == 1
    length = int.from_bytes(files[0].read_bytes()[:8], "little")
    assert length % 8 == 0  # as safetensors aligns the tensors


def same(one: Weights, other: Weights) -> bool:
    """Bit by bit."""
    assert one.tensors.keys() == other.tensors.keys() and one.info == other.info and one.graph == other.graph
    return all(
        (value.dtype, value.shape, value.tobytes()) == (its.dtype, its.shape, its.tobytes())
        for value, its in ((value, other.tensors[name]) for name, value in one.tensors.items())
    )


@pytest.fixture
def another_package(tmp_path, monkeypatch):
    """A folder in which the weights of the package are then looked for; it is empty."""
    folder = tmp_path / "package"
    monkeypatch.setattr(weights_files, "packaged", lambda name: folder / f"{name}.safetensors")
    return folder


def test_both_weights_of_the_package_are_those_of_whole_files(another_package, tmp_path):
    """What shares tensors reads bit for bit as two files with all of them do, which safetensors itself reads."""
    original = {name: packaged(name) for name in (FAST, FINE)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights_files, "packaged", original.__getitem__)
        shipped = {name: read_weights(name) for name in original}
    whole = {}
    for name, weights in shipped.items():
        write_weights(tmp_path / f"{name}.safetensors", weights)
        whole[name] = read_weights(tmp_path / f"{name}.safetensors")
        tensors = load_file(tmp_path / f"{name}.safetensors")
        assert tensors.keys() == weights.tensors.keys()
        assert all(np.array_equal(tensors[key], value) for key, value in weights.tensors.items())
    write_packaged(whole)
    for name in shipped:
        assert same(read_weights(name), shipped[name]), name
        assert (another_package / f"{name}.safetensors").stat().st_size == original[name].stat().st_size
    assert load_file(original[FINE]).keys() == shipped[FINE].tensors.keys() - shipped[FAST].tensors.keys()


def with_body(thin, body):
    """A network whose body is another one."""
    thin.load_state_dict(thin.state_dict() | body.state_dict())
    return thin


def test_the_package_has_each_tensor_once_and_stays_whole_whatever_is_replaced(another_package, network_of, tmp_path):
    body, other = network_of(QUOTIENT), network_of(QUOTIENT)
    with torch.no_grad():
        next(other.parameters()).add_(1)
    fast, newer = (
        save_weights(tmp_path / f"{n}.safetensors", net, {}, n, {}) for n, net in (("a", body), ("b", other))
    )
    fine = save_weights(tmp_path / "fine.safetensors", with_body(network_of(THIN), body), {}, "thin", {})
    write_packaged({FAST: fast, FINE: fine})
    small = (another_package / f"{FINE}.safetensors").stat().st_size
    assert small < 0.5 * (tmp_path / "fine.safetensors").stat().st_size
    assert same(read_weights(FAST), fast) and same(read_weights(FINE), fine)
    write_packaged({FAST: newer})  # a tensor of the body is now another one, which both need
    assert same(read_weights(FAST), newer) and same(read_weights(FINE), fine)
    pairs = ((value, newer.tensors[name]) for name, value in fast.tensors.items())
    changed = sum(value.nbytes for value, its in pairs if value.tobytes() != its.tobytes())
    assert changed <= (another_package / f"{FINE}.safetensors").stat().st_size - small < changed + 1000


def test_weights_that_leave_out_tensors_of_another_release_are_refused(another_package, network_of, tmp_path):
    body = network_of(QUOTIENT)
    fast = save_weights(tmp_path / "a.safetensors", body, {}, "", {})
    fine = save_weights(tmp_path / "fine.safetensors", with_body(network_of(THIN), body), {}, "", {})
    write_packaged({FAST: fast, FINE: fine})
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes((another_package / f"{FINE}.safetensors").read_bytes())
    assert same(read_weights(copy), fine)
    with torch.no_grad():
        next(body.parameters()).add_(1)
    write_packaged({FAST: save_weights(tmp_path / "a.safetensors", body, {}, "", {})})
    with pytest.raises(InputError, match=f"copy.safetensors: leaves out tensors of {FAST} '{fast.info.hash}'"):
        read_weights(copy)


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
