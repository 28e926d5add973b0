"""A folder of photos, several at a time: files, order and errors are those of one after the other."""

import numpy as np
import pytest

from command_line import run_captured
from illures import save_image
from illures.jobs import photos as jobs_photos
from robustness.verbs import difference

pytestmark = pytest.mark.usefixtures("fake_weights")


COMMANDS = {
    "decompose": (["--maps", "all"], 60),
    "relight": (["--light", "loop", "45,30"], 10),
    "edit": (["--skin-tone", "-20"], 5),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_threads_change_nothing(tmp_path, capsys, rng, monkeypatch, command):
    options, files = COMMANDS[command]
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, side in enumerate([400, 60, 90, 60, 60]):  # the first takes longest
        save_image(folder / f"{number}.png", rng.random((side, side + 30, 3), np.float32))
    save_image(folder / "1b.png", np.zeros((60, 60, 3), np.float32))  # no face
    (folder / "3b.jpg").write_bytes(b"no photo")
    said, found = {}, {}
    for threads in (1, 3):
        monkeypatch.setattr(jobs_photos, "threads_for", lambda count, most, threads=threads: threads)
        code, stdout, stderr = run_captured(capsys, command, folder, "-o", tmp_path / "out", *options)
        errors = [line for line in stderr.splitlines() if line.startswith("error:")]  # and no progress
        said[threads] = code, stdout, errors
        found[threads] = {p.relative_to(tmp_path): p.read_bytes() for p in (tmp_path / "out").rglob("*.*")}
    assert said[1] == said[3] and found[1].keys() == found[3].keys() and len(found[3]) >= files
    other = {str(name): difference(data, found[3][name]) for name, data in found[1].items() if data != found[3][name]}
    assert not other
    code, stdout, errors = said[3]
    assert code == 2 and len(errors) == 2
    assert [line.split(".png")[0][-1] for line in stdout.splitlines()] == list("01234")


def test_workers_is_the_largest_number_of_threads(tmp_path, photos, capsys, monkeypatch):
    asked = []

    def threads_for(count, most):
        asked.append((count, most))
        return 1

    monkeypatch.setattr(jobs_photos, "threads_for", threads_for)
    for command, (options, _) in COMMANDS.items():
        words = (command, photos, "-o", tmp_path / command, *options)
        assert run_captured(capsys, *words, "--workers", 7)[0] == run_captured(capsys, *words)[0] == 0
        assert run_captured(capsys, *words, "--workers", 0)[::2] == (2, "error: --workers 0: must be at least 1\n")
    assert asked == [(2, 7), (2, None)] * 3
