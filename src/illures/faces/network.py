"""The three small networks that find faces, run by LiteRT; loaded on first use and kept."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

WEIGHTS = Path(__file__).parent / "weights"
THREADS = 2


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop what native code writes to stderr: LiteRT announces its delegate there, and has no setting against it."""
    sys.stderr.flush()
    kept = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)


class Network:
    """One TFLite model: an image in, its outputs out in the order of the file.

    A lock guards the interpreter, which owns its buffers and may not run twice at once.
    """

    def __init__(self, name: str) -> None:
        """Load `name`.tflite from the package."""
        # Imported here: importing illures must not load a runtime.
        from ai_edge_litert.interpreter import Interpreter

        with _quiet():
            self._interpreter = Interpreter(model_path=str(WEIGHTS / f"{name}.tflite"), num_threads=THREADS)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]
        self._lock = threading.Lock()

    def __call__(self, image: Float[np.ndarray, "size size 3"]) -> list[np.ndarray]:
        """Run on one image, encoded as the network wants it."""
        with self._lock:
            self._interpreter.set_tensor(self._input, np.ascontiguousarray(image[None], np.float32))
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(index) for index in self._outputs]


@cache
def network(name: str) -> Network:
    """The network of that file name, loaded once a process."""
    return Network(name)
