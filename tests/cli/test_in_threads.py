"""A folder of photos, several at a time: files, order and errors are those of one after the other."""

import numpy as np
import pytest

from command_line import run_captured
from illures import save_image
from illures.decompose import batch
from robustness.verbs import difference

pytestmark = pytest.mark.usefixtures("fake_weights")


def test_threads_change_nothing(tmp_path, capsys, rng, monkeypatch):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, side in enumerate([400, 60, 90, 60, 60]):  # the first takes longest
        save_image(folder / f"{number}.png", rng.random((side, side + 30, 3), np.float32))
    save_image(folder / "1b.png", np.zeros((60, 60, 3), np.float32))  # no face
    (folder / "3b.jpg").write_bytes(b"no photo")
    said, found = {}, {}
    for threads in (1, 3):
        monkeypatch.setattr(batch, "threads_for", lambda count, threads=threads: threads)
        code, stdout, stderr = run_captured(capsys, "decompose", folder, "-o", tmp_path / "out")
        errors = [line for line in stderr.splitlines() if line.startswith("error:")]  # and no progress
        said[threads] = code, stdout, errors
        found[threads] = {p.relative_to(tmp_path): p.read_bytes() for p in (tmp_path / "out").rglob("*.*")}
    assert said[1] == said[3] and found[1].keys() == found[3].keys() and len(found[3]) > 60
    other = {str(name): difference(data, found[3][name]) for name, data in found[1].items() if data != found[3][name]}
    assert not other
    code, stdout, errors = said[3]
    assert code == 2 and len(errors) == 2
    assert [line.split(".png")[0][-1] for line in stdout.splitlines()] == list("01234")
