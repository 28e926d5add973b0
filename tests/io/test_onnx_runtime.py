"""illures works offline, and leaves nothing in the home folder: neither does the runtime of its networks."""

import os
import subprocess
import sys

import pytest

from clips import ASTRONAUT
from illures.io.onnx_runtime import onnx_runtime


def test_networks_leave_no_identifier_at_home(tmp_path):
    """With its telemetry on, ONNX Runtime 1.32 keeps an identifier there, and looks up the address of its maker."""
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    kept = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in kept} | {"HOME": str(home)}
    command = [sys.executable, "-m", "illures", "decompose", str(ASTRONAUT), "-o", str(out), "--crop-only"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert list(out.rglob("face.json")) and list(home.rglob("*")) == []


@pytest.mark.parametrize(("before", "off"), [(None, True), ("1", True), ("0", False)])
def test_who_wants_the_telemetry_may_have_it(before, off, monkeypatch):
    called = []
    monkeypatch.setattr("onnxruntime.disable_telemetry_events", lambda: called.append(True))
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    if before is not None:
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", before)
    onnx_runtime()
    assert called == [True] * off and os.environ["ORT_DISABLE_TELEMETRY"] == (before or "1")
