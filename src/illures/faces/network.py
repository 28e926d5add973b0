"""The small networks that find faces and people, and heads' heights, by ONNX Runtime; loaded on first use and kept."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from illures.io.onnx_runtime import onnx_runtime

WEIGHTS = Path(__file__).parent / "weights"
# More threads are not faster. OMP_NUM_THREADS=1 says that other processes use the other cores.
THREADS = 1 if os.environ.get("OMP_NUM_THREADS") == "1" else 2


class Network:
    """One small network: an image in, its outputs out in the order of the file; threads may share it."""

    def __init__(self, name: str) -> None:
        """Load `name`.onnx from the package."""
        ort = onnx_runtime()  # here: importing illures must not load a runtime

        options = ort.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.log_severity_level = 3
        # As in `model.predictor`: waiting threads leave the cores to other networks.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = str(WEIGHTS / f"{name}.onnx")
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, image: Float[np.ndarray, "size size channels"]) -> list[np.ndarray]:
        """Run on one image, encoded as the network wants it."""
        return list(self._session.run(None, {self._input: np.ascontiguousarray(image[None], np.float32)}))


@cache
def network(name: str) -> Network:
    """The network of that file name, loaded once a process."""
    return Network(name)
