"""Blender (bpy from PyPI) opens the EXR and the glTF, and its compositor relights as the formula says."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clips import ASTRONAUT
from illures import cli
from illures.io.exr_layers import read_layers
from illures.io.photos import read_exr_linear

HERE = Path(__file__).parent
PYTHON = os.environ.get("BPY_PYTHON", sys.executable if importlib.util.find_spec("bpy") else "")


@pytest.mark.skipif(
    not PYTHON, reason="no bpy here (374 MB): pip install bpy, or name a Python that has it in BPY_PYTHON"
)
def test_blender_reads_the_layers_and_the_mesh(tmp_path):
    for name in ("face.exr", "face.glb"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["decompose", str(ASTRONAUT), "-o", str(tmp_path / name)])
        assert not ended.value.code
    script = HERE.parents[1] / "integrations" / "blender" / "relight.py"
    arguments = [tmp_path / "face.exr", tmp_path / "face.glb", tmp_path / "out.exr", script]
    command = [PYTHON, HERE / "blender_check.py", "--", *arguments]
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, env=clean)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "COLORSPACE Linear Rec.709" in done.stdout
    (said,) = [line.split() for line in done.stdout.splitlines() if line.startswith("MESH")]
    assert said[1:3] == ["898", "2"] and 0.1 < float(said[3]) < 0.3
    layers, seen = read_layers(tmp_path / "face.exr"), read_exr_linear(tmp_path / "out.exr")[..., :3]
    lamp = np.array([1.0, 0, 0.5]) / np.hypot(1, 0.5)
    shading = 0.2 + 0.8 * np.maximum(layers["normal"] @ lamp, 0)
    relit = layers["albedo"] * shading[..., None]
    expected = layers["photo"] + layers["matte"][..., None] * (relit - layers["photo"])
    np.testing.assert_allclose(seen, expected, rtol=0, atol=2e-3)
