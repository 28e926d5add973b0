"""A folder of photos, several at a time: files, order and errors are those of one after the other."""

import re

import numpy as np
import pytest
from PIL import Image

from command_line import run_captured
from illures import save_image
from illures.decompose import batch

pytestmark = pytest.mark.usefixtures("fake_weights")

NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


def test_threads_change_nothing(tmp_path, capsys, rng, monkeypatch):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, side in enumerate([400, 60, 90, 60, 60]):  # the first takes longest
        save_image(folder / f"{number}.png", rng.random((side, side + 30, 3), np.float32))
    save_image(folder / "1b.png", np.zeros((60, 60, 3), np.float32))  # no face
    (folder / "3b.jpg").write_bytes(b"no photo")
    said, words, values = {}, {}, {}
    for threads in (1, 3):
        monkeypatch.setattr(batch, "threads_for", lambda count, threads=threads: threads)
        code, stdout, stderr = run_captured(capsys, "decompose", folder, "-o", tmp_path / "out")
        errors = [line for line in stderr.splitlines() if line.startswith("error:")]  # and no progress
        said[threads] = code, stdout, errors
        files = {path.relative_to(tmp_path): path for path in (tmp_path / "out").rglob("*.*")}
        texts = {name: path.read_text() for name, path in files.items() if path.suffix == ".json"}
        pictures = {name: np.array(Image.open(path), float) for name, path in files.items() if name not in texts}
        words[threads] = {name: NUMBER.sub("", text) for name, text in texts.items()} | dict.fromkeys(pictures, "")
        values[threads] = {name: np.array(NUMBER.findall(text), float) for name, text in texts.items()} | pictures
    assert said[1] == said[3] and words[1] == words[3]
    far = {str(name): np.abs(one - values[3][name]).max(initial=0) for name, one in values[1].items()}
    bound = {name: 1e-4 if name.endswith("json") else 1 for name in far}  # 1 code: the last bit of a sum may differ
    assert all(far[name] <= bound[name] for name in far), far
    code, stdout, errors = said[3]
    assert code == 2 and len(errors) == 2 and len(values[3]) > 60
    assert [line.split(".png")[0][-1] for line in stdout.splitlines()] == list("01234")
