"""A folder of photos, several at a time: files, order and errors are those of one after the other."""

import numpy as np
import pytest
from PIL import Image

from command_line import run_captured
from illures import save_image
from illures.decompose import batch

pytestmark = pytest.mark.usefixtures("fake_weights")


def test_threads_change_nothing(tmp_path, capsys, rng, monkeypatch):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, side in enumerate([400, 60, 90, 60, 60]):  # the first takes longest
        save_image(folder / f"{number}.png", rng.random((side, side + 30, 3), np.float32))
    save_image(folder / "1b.png", np.zeros((60, 60, 3), np.float32))  # no face
    (folder / "3b.jpg").write_bytes(b"no photo")
    found, seen = {}, {}
    for threads in (1, 3):
        monkeypatch.setattr(batch, "threads_for", lambda count, threads=threads: threads)
        code, stdout, stderr = run_captured(capsys, "decompose", folder, "-o", tmp_path / "out")
        written = {path.relative_to(tmp_path): path for path in (tmp_path / "out").rglob("*.*")}
        pictures = {name: np.array(Image.open(path), int) for name, path in written.items() if path.suffix == ".png"}
        others = {name: path.read_bytes() for name, path in written.items() if path.suffix != ".png"}
        found[threads] = code, stdout, stderr, others, set(pictures)
        seen[threads] = pictures
    assert found[1] == found[3]
    # The last bit of a sum may depend on where in memory an array lies: one code.
    far = {str(name): np.abs(one - seen[3][name]).max() for name, one in seen[1].items()}
    assert max(far.values()) <= 1, far
    code, stdout, stderr, others, _ = found[3]
    assert code == 2 and stderr.count("error:") == 2 and len(others) >= 15 and len(seen[3]) > 40
    assert [line.split(".png")[0][-1] for line in stdout.splitlines()] == list("01234")
