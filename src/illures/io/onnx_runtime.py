"""ONNX Runtime, without its telemetry."""

from __future__ import annotations

import os
from types import ModuleType


def onnx_runtime() -> ModuleType:
    """The package `onnxruntime`, imported on the first call.

    Its official builds send usage data to their maker and keep an identifier in the home folder, unless they are told
    otherwise before the import. illures works offline, so it tells them; `ORT_DISABLE_TELEMETRY=0` in the environment
    leaves the decision to `onnxruntime`.
    """
    off = os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1") != "0"
    import onnxruntime

    if off:
        onnxruntime.disable_telemetry_events()  # for a program that imported it before illures
    return onnxruntime
