"""Export a trained network to a weights file for ONNX Runtime, and load it back."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from illures.faces.context import CONTEXT
from illures.model.blocks import is_counter, load_fixed
from illures.model.config import NetworkConfig
from illures.model.network import IlluResSfSNet
from illures.model.weights import Weights, WeightsInfo, hash_tensors, read_weights, write_weights

_PREFIX = "network."


def inputs_of(config: NetworkConfig) -> list[str]:
    """Names of the graph's inputs."""
    return ["image", *(name for name in ("guide", "context") if getattr(config, name))]


def outputs_of(config: NetworkConfig) -> list[str]:
    """Names of the graph's outputs."""
    return ["albedo", "normal", "light", "residual", *(["regions"] if config.regions else [])]


class _ChannelLast(nn.Module):
    """The network with the interface of the graph: channel-last maps; regions as probabilities."""

    def __init__(self, network: IlluResSfSNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, *maps: Tensor) -> tuple[Tensor, ...]:
        """Maps in the order of `inputs_of` to maps in the order of `outputs_of`."""
        config = self.network.config
        given = dict(zip(inputs_of(config), (value.permute(0, 3, 1, 2) for value in maps), strict=True))
        estimate = self.network(given["image"], given.get("guide"), given.get("context"))
        if estimate.regions is not None:
            estimate = replace(estimate, regions=estimate.regions.softmax(dim=-1))
        return tuple(getattr(estimate, name) for name in outputs_of(config))


@lru_cache(8)  # training writes weights of one network again and again
def onnx_graph(config: NetworkConfig) -> bytes:
    """ONNX model of a network in evaluation mode, for any batch and image size, without the values of its tensors.

    Batch normalisation stays in the graph under the names of the network's state; ONNX Runtime folds it when loading.
    The random numbers of the caller's torch stay as they are.
    """
    with torch.random.fork_rng(devices=[]):
        twin = IlluResSfSNet(config).eval()
        # The exporter merges tensors of equal values.
        for value in twin.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand_like(value) + 0.5)
        return _exported(twin)


def _exported(network: IlluResSfSNet) -> bytes:
    import onnx

    config = network.config
    names, outputs, size = inputs_of(config), outputs_of(config), config.size
    map_axes = {0: "batch", 1: "height", 2: "width"}
    axes = {name: map_axes for name in [*names, *outputs]} | {"light": {0: "batch"}, "context": {0: "batch"}}
    shapes = {"image": (2, size, size, 3), "guide": (2, size, size, 3), "context": (2, CONTEXT, CONTEXT, 4)}
    example = tuple(torch.rand(*shapes[name]) for name in names)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter is deprecated; the other one renames every tensor
        torch.onnx.export(
            _ChannelLast(network).eval(),
            example,
            buffer,  # type: ignore[arg-type]  # a file-like object is taken, the stubs do not say so
            dynamo=False,
            input_names=names,
            output_names=outputs,
            dynamic_axes={name: axes[name] for name in [*names, *outputs]},
            opset_version=17,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    for initializer in model.graph.initializer:
        initializer.ClearField("raw_data")
        initializer.data_location = onnx.TensorProto.EXTERNAL
        initializer.external_data.add(key="location", value=initializer.name.removeprefix(_PREFIX))
    return bytes(model.SerializeToString())


def save_weights(
    path: Path, network: IlluResSfSNet, recipe: dict[str, Any], data: str, metrics: dict[str, float]
) -> Weights:
    """Write a weights file, whole or not at all.

    Args:
        path: ends in .safetensors.
        network: trained.
        recipe: as `Recipe.to_dict` gives it.
        data: what it was trained on, in words.
        metrics: measured results by name.
    """
    state = {name: value for name, value in network.state_dict().items() if not is_counter(name)}
    tensors = {name: np.ascontiguousarray(value.cpu().numpy()) for name, value in state.items()}
    info = WeightsInfo(network.config, hash_tensors(tensors), recipe, data, metrics)
    weights = Weights(tensors, onnx_graph(network.config), info)
    write_weights(path, weights)
    return weights


def load_network(path: Path | str | None = None) -> tuple[IlluResSfSNet, WeightsInfo]:
    """The torch network of a weights file, in evaluation mode.

    Raises:
        InputError: as `read_weights`, or the tensors do not fit the network.
    """
    weights = read_weights(path)
    network = IlluResSfSNet(weights.info.config)
    load_fixed(network, {name: torch.from_numpy(value) for name, value in weights.tensors.items()}, path)
    return network, weights.info
