"""Turn MediaPipe's networks from TFLite into ONNX, so that one runtime does for all; write the outputs to compare with.

    pip install tf2onnx tensorflow-cpu ai-edge-litert
    python scripts/convert_face_networks.py TFLITE_FOLDER src/illures/faces/weights tests/faces/litert.npz

tf2onnx does the conversion (Apache-2.0). What it leaves is changed here, without a change of meaning:

- PRelu, which ONNX Runtime runs slowly, becomes s x + (1 - s) relu(x), two 1 x 1 convolutions that it fuses;
- MediaPipe's own op TFL_Convolution2DTransposeBias (stride 2, as wide as its kernel) becomes ConvTranspose;
- the batch is one image; weights that half floats hold exactly are stored as such.

The npz holds LiteRT's outputs for the bundled photo, which tests/faces/test_networks.py compares with.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from jaxtyping import Float
from onnx import helper, numpy_helper

from illures.io.photos import read_photo

# Side of the input [px], and whether it is in [-1, 1] or in [0, 1].
NETWORKS = {
    "face_detector": (128, True),
    "face_detection_full_range": (192, True),
    "face_landmarks_detector": (256, False),
    "selfie_segmentation": (256, False),
}
OPSET = 17


def main() -> None:
    """Convert all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name in ("tflite", "weights", "outputs"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    kept: dict[str, np.ndarray] = {}
    for name, (side, signed) in NETWORKS.items():
        source = arguments.tflite / f"{name}.tflite"
        model = converted(source)
        for rewrite in (_prelu, _transposed_convolution, _one_image, _half_weights):
            rewrite(model)
        onnx.checker.check_model(model)
        target = arguments.weights / f"{name}.onnx"
        target.write_bytes(model.SerializeToString())
        for k, output in enumerate(litert_outputs(source, picture(side, signed))):
            kept[f"{name}.{k}"] = output.astype(np.float32)
        print(f"{target}: {target.stat().st_size} bytes")
    np.savez_compressed(arguments.outputs, **kept)  # type: ignore[arg-type]


def converted(source: Path) -> onnx.ModelProto:
    """What tf2onnx makes of a TFLite file."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.onnx"
        command = [sys.executable, "-m", "tf2onnx.convert", "--tflite", str(source), "--output", str(target)]
        subprocess.run([*command, "--opset", str(OPSET)], check=True, timeout=1200)
        return onnx.load(target)


def picture(side: int, signed: bool) -> Float[np.ndarray, "side side 3"]:
    """The face of the bundled photo as a network wants it."""
    photo = read_photo(str(files("illures") / "assets" / "astronaut.jpg"))
    image = cv2.resize(photo[20:220, 120:320], (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return 2 * image - 1 if signed else image


def litert_outputs(source: Path, image: Float[np.ndarray, "side side 3"]) -> list[np.ndarray]:
    """Outputs in the order of the TFLite file."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(source))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def _prelu(model: onnx.ModelProto) -> None:
    constants = _constants(model)
    nodes = []
    for node in model.graph.node:
        if node.op_type != "PRelu":
            nodes.append(node)
            continue
        (x, slope), (y,) = node.input, node.output
        slopes = constants[slope].reshape(-1, 1, 1, 1)
        below, above = _constant(model, f"{y}_below", slopes), _constant(model, f"{y}_above", 1 - slopes)
        each: dict[str, Any] = {"group": len(slopes), "kernel_shape": [1, 1]}
        nodes += [
            helper.make_node("Relu", [x], [f"{y}_positive"]),
            helper.make_node("Conv", [f"{y}_positive", above], [f"{y}_more"], **each),
            helper.make_node("Conv", [x, below], [f"{y}_scaled"], **each),
            helper.make_node("Add", [f"{y}_scaled", f"{y}_more"], [y]),
        ]
    _replace(model, nodes)


def _transposed_convolution(model: onnx.ModelProto) -> None:
    constants = _constants(model)
    nodes = []
    for node in model.graph.node:
        if node.op_type != "TFL_Convolution2DTransposeBias":
            nodes.append(node)
            continue
        (x, weight, bias), (y,) = node.input, node.output
        kernel = constants[weight].transpose(3, 0, 1, 2)  # out, height, width, in -> in, out, height, width
        side = kernel.shape[2]
        nodes += [
            helper.make_node("Transpose", [x], [f"{y}_first"], perm=[0, 3, 1, 2]),
            helper.make_node(
                "ConvTranspose",
                [f"{y}_first", _constant(model, f"{y}_kernel", kernel), bias],
                [f"{y}_wide"],
                kernel_shape=[side, side],
                strides=[2, 2],
            ),
            helper.make_node("Transpose", [f"{y}_wide"], [y], perm=[0, 2, 3, 1]),
        ]
        assert side == 2, f"kernel {kernel.shape}: SAME padding would cut the edges"
    _replace(model, nodes)
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", OPSET))


def _one_image(model: onnx.ModelProto) -> None:
    for value in [*model.graph.input, *model.graph.output]:
        first = value.type.tensor_type.shape.dim[0]
        if first.dim_param:
            first.dim_value = 1


def _half_weights(model: onnx.ModelProto) -> None:
    casts = []
    used = {name for node in model.graph.node for name in node.input}
    for tensor in list(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.name not in used:
            model.graph.initializer.remove(tensor)
        elif values.dtype == np.float32 and values.size > 16 and np.array_equal(values.astype(np.float16), values):
            model.graph.initializer.remove(tensor)
            half = _constant(model, f"{tensor.name}_half", values.astype(np.float16))
            casts.append(helper.make_node("Cast", [half], [tensor.name], to=onnx.TensorProto.FLOAT))
    _replace(model, [*casts, *model.graph.node])


def _constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def _constant(model: onnx.ModelProto, name: str, values: np.ndarray) -> str:
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
    return name


def _replace(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    nodes = list(nodes)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


if __name__ == "__main__":
    main()
