"""Weights as one ordinary ONNX file, for other runtimes, and back; inputs and outputs are those of the graph."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from illures.errors import InputError
from illures.io.files import write_whole
from illures.model.config import NetworkConfig
from illures.model.weights import Weights, WeightsInfo, check_hash, metadata

# Keys of the model's metadata, beside those of the weights file's header.
_PREFIX = "illures."


def write_onnx(path: Path, weights: Weights) -> str:
    """Write a model with its tensors inside; the metadata of the weights become those of the model.

    Returns:
        Inputs and outputs in words.

    Raises:
        InputError: the file can't be written.
    """
    import onnx

    model = onnx.load_from_string(weights.graph)
    for initializer in model.graph.initializer:
        if initializer.data_location == onnx.TensorProto.EXTERNAL:
            (name,) = (entry.value for entry in initializer.external_data if entry.key == "location")
            initializer.ClearField("external_data")
            initializer.ClearField("data_location")
            initializer.raw_data = np.ascontiguousarray(weights.tensors[name]).tobytes()
            initializer.doc_string = name
    for value in model.graph.output:
        channels = value.type.tensor_type.shape.dim[-1]
        if value.name in ("albedo", "residual") and channels.dim_param:  # torch names it after an operator
            channels.dim_value = 3
    about = {key: value for key, value in metadata(weights).items() if key != "graph"}
    for key, value in about.items():
        model.metadata_props.add(key=_PREFIX + key, value=value)
    onnx.checker.check_model(model)
    write_whole(path, model.SerializeToString())
    opset = max(entry.version for entry in model.opset_import if entry.domain == "")
    shown = [
        ", ".join(f"{value.name} {_shape(value)}" for value in values)
        for values in (model.graph.input, model.graph.output)
    ]
    return f"opset {opset}; inputs {shown[0]}; outputs {shown[1]}"


def read_onnx(path: Path) -> Weights:
    """Read weights from a file of `write_onnx`.

    Raises:
        InputError: the file is missing, is no ONNX model, or was not written by illures.
    """
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import numpy_helper

    try:
        model = onnx.load_from_string(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from None
    except DecodeError as error:
        raise InputError(f"{path}: is not an ONNX model") from error
    about = {p.key.removeprefix(_PREFIX): p.value for p in model.metadata_props if p.key.startswith(_PREFIX)}
    if not {"config", "hash", "recipe", "data", "metrics"} <= about.keys():
        raise InputError(
            f"{path}: was not written by `illures export`: its metadata lack what weights say of themselves"
        )
    tensors = {}
    for initializer in model.graph.initializer:
        if initializer.doc_string:
            tensors[initializer.doc_string] = np.array(numpy_helper.to_array(initializer))
            name = initializer.doc_string
            initializer.ClearField("raw_data")
            initializer.ClearField("doc_string")
            initializer.data_location = onnx.TensorProto.EXTERNAL
            initializer.external_data.add(key="location", value=name)
    check_hash(path, tensors, about["hash"])
    del model.metadata_props[:]
    config = NetworkConfig(**json.loads(about["config"]))
    recipe, metrics = json.loads(about["recipe"]), json.loads(about["metrics"])
    info = WeightsInfo(config, about["hash"], recipe, about["data"], metrics)
    return Weights(tensors, model.SerializeToString(), info)


def _shape(value: object) -> str:
    dimensions = value.type.tensor_type.shape.dim  # type: ignore[attr-defined]
    return "[" + ", ".join(d.dim_param or str(d.dim_value) for d in dimensions) + "]"
