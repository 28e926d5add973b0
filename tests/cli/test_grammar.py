"""One grammar for all commands: where `-o` goes, what a light is, which names exist, and the error for a wrong one."""

from pathlib import Path

import numpy as np
import pytest

import illures
from command_line import run_captured
from fake_network import FakePredictor, find_middle
from illures import Decomposer, save_image
from illures.io.photos import read_photo
from illures.relighting.recognise import How, kind_of, recognised


@pytest.fixture(autouse=True)
def fake_weights(monkeypatch):
    made = classmethod(lambda cls, path=None, size=None: Decomposer(FakePredictor(), size, find_middle))
    monkeypatch.setattr(Decomposer, "from_pretrained", made)


@pytest.fixture
def photos(tmp_path, rng, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for name in ("a.png", "b.png"):
        save_image(Path("photos") / name, rng.random((90, 120, 3), np.float32))
    return Path("photos")


def run(capsys, *words: object) -> tuple[int, str]:
    code, _, err = run_captured(capsys, *words)
    return code, err


def written(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


COMMANDS = {
    "decompose": (["--crop-only"], "one.exr", "a/sheet.png"),
    "relight": (["--light", "45,30"], "one.jpg", "a/direction+45+30.jpg"),
    "edit": (["--lipstick", "berry"], "one.tif", "a.jpg"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_output_with_a_suffix_is_a_file_and_anything_else_a_folder(photos, capsys, command):
    options, name, inside = COMMANDS[command]
    assert run(capsys, command, photos / "a.png", "-o", Path("new") / name, *options)[0] == 0
    assert written(Path("new")) == {name} and read_photo(Path("new") / name).shape == (90, 120, 3)
    assert run(capsys, command, photos / "a.png", "-o", "out", *options)[0] == 0
    assert inside in written(Path("out"))
    code, error = run(capsys, command, photos, "-o", name, *options)
    assert code == 2 and "2 photos" in error and not Path(name).exists()
    Path("folder.jpg").mkdir()
    assert run(capsys, command, photos, "-o", "folder.jpg", *options)[0] == 0
    assert inside in written(Path("folder.jpg"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_cannot_be_written_is_told_before_work(photos, capsys, monkeypatch, command):
    monkeypatch.setattr(Decomposer, "from_pretrained", None)  # must not be reached
    for name in ("out.bmp", "out.pdf"):
        if command != "relight":
            code, error = run(capsys, command, photos / "a.png", "-o", name, *COMMANDS[command][0])
            assert code == 2 and f"{name}: can't write" in error
    assert not list(Path().glob("out*"))


def test_the_photo_itself_is_not_replaced(photos, capsys):
    before = (photos / "a.png").read_bytes()
    assert run(capsys, "edit", photos / "a.png", "-o", photos / "a.png", "--lipstick", "red")[0] == 2
    assert run(capsys, "decompose", photos / "a.png", "-o", photos / "a.png")[0] == 2
    assert run(capsys, "relight", photos / "a.png", "-o", photos / "a.png", "--light", "loop")[0] == 2
    assert (photos / "a.png").read_bytes() == before


def test_more_than_one_light_needs_a_folder(photos, capsys):
    code, error = run(capsys, "relight", photos / "a.png", "-o", "x.jpg", "--light", "loop", "rim")
    assert code == 2 and "2 lights" in error and "folder" in error
    code, error = run(capsys, "relight", photos / "a.png", "-o", "x.mp4", "--light", "loop")
    assert code == 2 and "--orbit" in error


def test_relit_exr_is_the_png_in_linear_light(photos, capsys):
    for name in ("a.png", "a.exr"):
        assert run(capsys, "relight", photos / "a.png", "-o", name, "--light", "-80,20")[0] == 0
    np.testing.assert_allclose(read_photo("a.exr") * 255, read_photo("a.png"), rtol=0, atol=0.7)


def test_lights_are_told_apart_by_what_they_are(photos, rng):
    np.save("map.npy", np.ones((8, 16, 3)))
    np.save("numbers.npy", np.eye(9)[0])
    Path("numbers").write_text("1 0 0 0 0 0 0 0 0")
    Path("light").write_text('{"sh": []}')
    save_image("pano.exr", rng.random((16, 32, 3), np.float32))
    save_image("portrait.exr", rng.random((32, 24, 3), np.float32))
    Path("renamed.jpg").write_bytes(b"#?RADIANCE\n")
    kinds = {
        "rembrandt": "preset", "all": "preset", "45,30": "direction", "-45, 30": "direction",
        "1,0,0,0,0,0,0,0,0": "numbers", "map.npy": "map", "numbers.npy": "coefficients", "numbers": "coefficients",
        "light": "json", "pano.exr": "map", "portrait.exr": "photo", "renamed.jpg": "map", "photos/a.png": "photo",
    }  # fmt: skip
    assert {word: kind_of(word) for word in kinds} == kinds


def test_the_order_of_lights_and_what_they_leave_open(photos):
    decomposer = Decomposer(FakePredictor(), None, find_middle)
    found = recognised(["photos/a.png", "split", "0,90"], decomposer, How(ambient=0.5, keep_colour=True))
    assert [source.name for source in found] == ["like-a", "split", "direction+0+90"]
    assert found[0].white
    lamp = found[2].light.lamps[0]
    np.testing.assert_allclose(lamp.direction, [0, 1, 0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(lamp.irradiance, 0.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["relight", "photos/a.png", "-o", "x", "--light", "rembrant"], "did you mean rembrandt"),
        (["relight", "photos/a.png", "-o", "x", "--light", "1,2,3"], "3 numbers"),
        (["relight", "photos/a.png", "-o", "x", "--light", "photos"], "a folder"),
        (["edit", "photos/a.png", "-o", "x", "--lipstick", "bery"], "did you mean berry"),
        (["relight", "photos/a.png", "-o", "x", "--lihgt", "loop"], "--light"),
        (["relit", "photos/a.png", "-o", "x"], '"relight"'),
        (["decompose", "photos/a.png", "-o", "x", "--normals", "direct"], '"directx"'),
        (["decompose", "photos/a.png", "-o", "x", "--colorspace", "acescg"], "for exr"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_right_one(photos, capsys, arguments, words):
    code, error = run(capsys, *arguments)
    assert code == 2 and words in " ".join(error.split())
    assert not Path("x").exists() or not list(Path("x").iterdir())


def test_dir_holds_the_public_names_and_nothing_else():
    assert dir(illures) == sorted(illures.__all__)
    assert all(getattr(illures, name) is not None for name in illures.__all__)
