"""The examples run, and the notebooks keep outputs of a run without an error; distributions pass twine's check."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from clips import ASTRONAUT

pytestmark = pytest.mark.usefixtures("decomposed_once")

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def cells(path: Path) -> list[dict]:
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for number, cell in enumerate(cells(path), 1):
        exec(compile("".join(cell["source"]), f"{path.name}, cell {number}", "exec"), names)
    assert list(tmp_path.iterdir()) == []  # readers try them where they stand


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_keeps_its_outputs(path):
    outputs = [output for cell in cells(path) for output in cell["outputs"]]
    assert all(cell["execution_count"] for cell in cells(path)), "run `make notebooks`"
    assert outputs and all(output["output_type"] == "execute_result" for output in outputs)
    assert sum(any(kind.startswith("image/") for kind in output["data"]) for output in outputs) >= 3
    assert path.stat().st_size < 300_000 and "/home/" not in path.read_text() and "/tmp/" not in path.read_text()


def test_the_script_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["01_decompose.py", str(ASTRONAUT)])
    runpy.run_path(str(ROOT / "examples" / "01_decompose.py"))
    assert (tmp_path / "face-1.npz").exists() and (tmp_path / "face-1-albedo.png").exists()


def test_distributions_are_what_the_index_takes(tmp_path):
    """sdist and wheel, built without a network; their long description renders."""
    pytest.importorskip("build")
    pytest.importorskip("twine")
    command = [sys.executable, str(ROOT / "scripts" / "check_distributions.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.suffix for path in tmp_path.iterdir()} == {".gz", ".whl"}
