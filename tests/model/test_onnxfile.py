"""The exported file runs in plain ONNX Runtime as the weights do, for any batch; and comes back bit for bit."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from safetensors.numpy import load_file

from command_line import run
from illures.errors import InputError
from illures.model import NetworkConfig
from illures.model.export import save_weights
from illures.model.onnxfile import read_onnx
from illures.model.predictor import Predictor
from illures.model.weights import read_weights


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    assert run("export", "-o", path) == 0
    return path


@pytest.mark.parametrize("batch", [1, 3])
def test_plain_onnx_runtime_gives_what_the_weights_give(exported, batch, rng):
    session = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
    ours = Predictor(read_weights())._session
    names = [value.name for value in session.get_inputs()]
    assert names == [value.name for value in ours.get_inputs()]
    side = read_weights().info.config.size
    feed = {}
    for value in session.get_inputs():
        shape = [batch if i == 0 else d if isinstance(d, int) else side for i, d in enumerate(value.shape)]
        feed[value.name] = rng.random(shape, np.float32)
    for a, b in zip(session.run(None, feed), ours.run(None, feed), strict=True):
        assert a.shape[0] == batch
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def test_the_file_is_valid_and_says_what_it_is(exported):
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    about = {p.key: p.value for p in model.metadata_props}
    assert about["illures.hash"] == read_weights().info.hash
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in [*model.graph.input, *model.graph.output]
    }
    photo = ["batch", "height", "width", 3]
    assert [shapes[name] for name in ("image", "guide", "albedo", "normal", "residual")] == [photo] * 5
    assert shapes["light"] == ["batch", 9, 3]


def test_and_back(exported, tmp_path):
    assert run("export", exported, "-o", tmp_path / "w.safetensors") == 0
    again, before = read_weights(tmp_path / "w.safetensors"), read_weights()
    assert again.info == before.info and set(again.tensors) == set(before.tensors)
    for name, value in before.tensors.items():
        np.testing.assert_array_equal(again.tensors[name], value)
    Predictor(again)


@pytest.mark.parametrize("gain", [False, True])
def test_a_network_with_a_gain_of_the_light(gain, network_of, inputs_of, tmp_path):
    """Weights of any network go to ONNX and back; the graph says what torch says, for another batch and size too."""
    config = NetworkConfig(
        form="compact", albedo="quotient", size=64, guide=True, context=True, regions=True, gain=gain, width=8, blocks=1
    )
    network = network_of(config)
    if gain:
        torch.nn.init.normal_(network.sfsnet.gain.out.weight, std=0.5)  # it starts at one
    save_weights(tmp_path / "w.safetensors", network, {}, "random", {})
    assert run("export", tmp_path / "w.safetensors", "-o", tmp_path / "w.onnx") == 0
    assert run("export", tmp_path / "w.onnx", "-o", tmp_path / "b.safetensors") == 0
    assert read_weights(tmp_path / "b.safetensors").info == read_weights(tmp_path / "w.safetensors").info
    session = ort.InferenceSession(tmp_path / "w.onnx", providers=["CPUExecutionProvider"])
    assert {value.name for value in session.get_inputs()} == {"image", "guide", "context"}
    for batch, size in ((1, 64), (3, 96)):
        given = inputs_of(config, size, batch)
        with torch.no_grad():
            estimate = network(*given)
        names = ("image", "guide", "context")
        feed = {name: value.permute(0, 2, 3, 1).numpy().copy() for name, value in zip(names, given, strict=True)}
        found = dict(zip([o.name for o in session.get_outputs()], session.run(None, feed), strict=True))
        for name in ("albedo", "normal", "light", "residual"):
            np.testing.assert_allclose(found[name], getattr(estimate, name).numpy(), rtol=0, atol=1e-4)


def test_bad_input(exported, tmp_path):
    (tmp_path / "text.onnx").write_text("no model")
    onnx.save(
        onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["": 17]> g (float[1] x) => (float[1] y) { y = Relu(x) }'
        ),
        tmp_path / "x.onnx",
    )
    for path, words in (
        ("text.onnx", "not an ONNX model"),
        ("x.onnx", "was not written by"),
        ("no.onnx", "can't be read"),
    ):
        with pytest.raises(InputError, match=words):
            read_onnx(tmp_path / path)


def test_weights_of_the_package_as_one_whole_file(tmp_path):
    assert run("export", "-o", tmp_path / "w.safetensors") == 0
    found, ours = load_file(tmp_path / "w.safetensors"), read_weights()
    assert found.keys() == ours.tensors.keys() and read_weights(tmp_path / "w.safetensors").info == ours.info
