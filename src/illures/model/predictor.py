"""From crops to maps: runs a weights file with ONNX Runtime, on NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from illures.errors import InputError
from illures.io.decoding import one_line
from illures.io.onnx_runtime import onnx_runtime
from illures.model.weights import Weights, read_weights

_OUTPUTS = ["albedo", "normal", "light", "residual"]


@dataclass(frozen=True)
class Prediction:
    """The maps of one crop; linear colours, normals in the crop's frame.

    `regions` are the probabilities of the classes of `types.Region`, or None for networks without them.
    """

    albedo: Float[np.ndarray, "size size 3"]
    normal: Float[np.ndarray, "size size 3"]
    light: Float[np.ndarray, "9 3"]
    residual: Float[np.ndarray, "size size 3"]
    regions: Float[np.ndarray, "size size classes"] | None = None


class Predictor:
    """A network ready for use.

    Args:
        weights: what to run.
        providers: execution providers of ONNX Runtime, best first; None takes CUDA where `onnxruntime-gpu` is
            installed, and the CPU.
        threads: CPU threads; None: one per core.

    Raises:
        InputError: the tensors do not fit the graph.
    """

    def __init__(self, weights: Weights, providers: Sequence[str] | None = None, threads: int | None = None) -> None:
        ort = onnx_runtime()

        self.info = weights.info
        self.size = weights.info.config.size
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        # Without spinning, waiting threads leave the cores to the face detector: 49 ms a face instead of 86.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Kept alive, as the session reads the tensors in place.
        self._tensors = [np.ascontiguousarray(value) for value in weights.tensors.values()]
        values = [ort.OrtValue.ortvalue_from_numpy(value) for value in self._tensors]
        options.add_external_initializers([f"network.{name}" for name in weights.tensors], values)
        if providers is None:
            wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"]
            providers = [name for name in wanted if name in ort.get_available_providers()]
        try:
            self._session = ort.InferenceSession(weights.graph, options, providers=list(providers))
        except Exception as error:  # ONNX Runtime's own exceptions share no base but this
            raise InputError(f"weights {weights.info.hash}: do not fit their graph: {error}") from error
        self._inputs = [value.name for value in self._session.get_inputs()]
        self._outputs = [value.name for value in self._session.get_outputs()]
        if {*_OUTPUTS} - {*self._outputs} or not set(self._inputs) <= {"image", "guide", "context"}:
            raise InputError(f"weights {weights.info.hash}: their graph has other inputs or outputs than ours")

    @classmethod
    def from_pretrained(cls, path: Path | str | None = None) -> Predictor:
        """Load weights from `path` or from the package; nothing is downloaded.

        Raises:
            InputError: as `read_weights`.
        """
        try:
            return cls(read_weights(path))
        except InputError as error:  # from the graph, without a file name
            if path is None or str(error).startswith(str(path)):
                raise
            raise InputError(f"{path}: {error}") from None

    def __call__(
        self,
        images: Float[np.ndarray, "batch size size 3"],
        guides: Float[np.ndarray, "batch size size 3"],
        contexts: Float[np.ndarray, "batch 32 32 4"],
    ) -> list[Prediction]:
        """Decompose aligned crops.

        Args:
            images: sRGB-encoded, in [0, 1].
            guides: normals from landmarks (`faces.guide_normals`); unused by networks without a guide.
            contexts: thumbnails of the whole photos (`faces.context`); unused by networks without.
        """
        maps = {"image": images, "guide": guides, "context": contexts}
        feed = {name: np.ascontiguousarray(maps[name], dtype=np.float32) for name in self._inputs}
        try:
            found = dict(zip(self._outputs, self._session.run(self._outputs, feed), strict=True))
            predictions = [Prediction(**{name: maps[i] for name, maps in found.items()}) for i in range(len(images))]
            if not all(np.shape(found[name]) == np.shape(images) for name in ("albedo", "normal", "residual")):
                raise ValueError("maps of another shape than the images")
        except Exception as error:  # untrusted graph; ONNX Runtime's own exceptions share no base but this
            raise InputError(f"weights {self.info.hash}: their graph can't be run: {one_line(error)}") from error
        return predictions
