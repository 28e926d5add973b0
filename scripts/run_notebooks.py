"""Run the notebooks of examples/ and keep their outputs: make notebooks.

The photo is the bundled one, so that what they show may lie in the repository.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parents[1] / "examples"
# Of one file [bytes]: outputs are small pictures.
LARGEST = 300_000


def main() -> None:
    """Run each in a fresh kernel; a failure stops all and leaves its file as it was."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=600, startup_timeout=300, kernel_name="python3").execute()
        for number, cell in enumerate(notebook.cells, 1):
            cell.id = f"cell-{number}"
            cell.metadata.clear()  # times of this run
            for output in cell.get("outputs", []):
                _as_jpeg(output.get("data", {}))
        notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        text = nbformat.writes(notebook)
        if len(text) > LARGEST:
            raise SystemExit(f"{path}: {len(text)} bytes; outputs must be smaller than {LARGEST}")
        path.write_text(text + "\n", encoding="utf-8")
        print(f"{path.relative_to(FOLDER.parent)}: {len(text)} bytes")


def _as_jpeg(data: dict[str, str]) -> None:
    """A picture without alpha as JPEG: a fifth of the bytes."""
    if "image/png" not in data:
        return
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    if picture.mode == "RGB":
        memory = io.BytesIO()
        picture.save(memory, "JPEG", quality=88)
        del data["image/png"]
        data["image/jpeg"] = base64.b64encode(memory.getvalue()).decode()


if __name__ == "__main__":
    main()
