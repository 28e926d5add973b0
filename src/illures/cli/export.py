"""`illures export`."""

from __future__ import annotations

from pathlib import Path

from illures.cli.app import OK, app, needs_extra
from illures.cli.options import Output


@app.command
def export(weights: Path | None = None, /, *, output: Output) -> int:
    """Export a network as an ONNX file for other programs, or as one self-contained weights file.

    ONNX needs the extra: pip install illures[export]. See docs/export.md for what the inputs and outputs are.

    Parameters
    ----------
    weights
        A weights file (.safetensors), an .onnx file that this command wrote, or illures-128; default: illures-256.
    output
        NAME.onnx or NAME.safetensors (weights; so an .onnx file is imported); else a folder, which gets illures.onnx.
    """
    from illures.io.files import check_writable
    from illures.model.onnxfile import read_onnx, write_onnx
    from illures.model.weights import read_weights, write_weights

    target = output if output.suffix.lower() in (".onnx", ".safetensors") else output / "illures.onnx"
    back = weights is not None and weights.suffix.lower() == ".onnx"
    if back or target.suffix.lower() == ".onnx":
        with needs_extra("export", "ONNX"):
            import onnx  # noqa: F401
    found = read_onnx(weights) if weights is not None and back else read_weights(weights)
    check_writable(target.parent)
    if target.suffix.lower() == ".onnx":
        print(f"{target}: {write_onnx(target, found)}")
    else:
        write_weights(target, found)
        print(f"{target}: weights {found.info.hash}")
    return OK
