"""The command line as a user meets it: the folder it writes, bad input, and results of earlier runs."""

import json

import numpy as np
import pytest
from PIL import Image

from command_line import names, run_captured
from illures import Decomposer, save_image
from illures.errors import InputError
from illures.io.exr_layers import read_layers
from illures.io.formats import CROP_MAPS, MAPS, Format
from illures.io.photos import as_linear, read_photo
from illures.math.color import linear_to_srgb

pytestmark = pytest.mark.usefixtures("fake_weights")


FIVE = ["albedo", "normal", "shading", "residual", "matte"]


@pytest.mark.parametrize("format", ["png", "png16", "exr", "exr32"])
def test_few_files_are_written(tmp_path, photos, capsys, format):
    out = tmp_path / "out"
    assert run_captured(capsys, "decompose", photos / "b.png", "-o", out, "--format", format)[0] == 0
    maps = {"maps.exr"} if format.startswith("exr") else {f"{name}.png" for name in FIVE}
    assert names(out / "b") == maps | {"sheet.png", "photo.json", "face-1"}
    assert names(out / "b" / "face-1") == {"light.json", "face.json"}
    kind = Format(format)
    for name in FIVE:
        assert kind.read(out / "b", name).shape[:2] == (90, 120)
    for folder, name in ((out / "b", "mask"), (out / "b" / "face-1", "albedo")):
        with pytest.raises(
            InputError, match="has no layer mask" if kind.is_exr and name == "mask" else f"--maps {name}"
        ):
            kind.read(folder, name)


@pytest.mark.parametrize("format", ["png", "png16", "exr", "exr32", "split"])
def test_all_that_can_be_written(tmp_path, photos, capsys, format):
    out = tmp_path / "out"
    options = ["--format", "exr", "--exr-layers", "split"] if format == "split" else ["--format", format]
    code, stdout, stderr = run_captured(capsys, "decompose", photos / "b.png", "-o", out, "--maps", "all", *options)
    format = options[1]
    assert (code, stderr) == (0, "")
    assert stdout.strip() == f"{photos / 'b.png'}: 1 face -> {out / 'b'}"
    assert names(out) == {"b"}
    one = format.startswith("exr") and "split" not in options
    files, of_crop = (
        {"maps.exr"} if one else {name + Format(format).suffix for name in which} for which in (MAPS, CROP_MAPS)
    )
    assert names(out / "b") == files | {"sheet.png", "photo.json", "face-1"}
    assert names(out / "b" / "face-1") == of_crop | {"probe.png", "light.json", "face.json"}
    for name in MAPS:
        assert Format(format).read(out / "b", name).shape[:2] == (90, 120)
    for name in CROP_MAPS:
        assert Format(format).read(out / "b" / "face-1", name).shape[:2] == (128, 128)


def test_some_maps_and_subfolders(tmp_path, photos, capsys):
    folder = tmp_path / "more" / "deep"
    folder.mkdir(parents=True)
    (folder / "c.png").write_bytes((photos / "b.png").read_bytes())
    arguments = ["decompose", tmp_path / "more", "-o", tmp_path / "out", "--maps", "albedo,matte"]
    assert run_captured(capsys, *arguments)[0] == 2
    code, _, stderr = run_captured(capsys, *arguments, "--recursive")
    assert (code, stderr) == (0, "")
    assert names(tmp_path / "out" / "c") == {"albedo.png", "matte.png", "sheet.png", "photo.json", "face-1"}
    assert names(tmp_path / "out" / "c" / "face-1") == {"light.json", "face.json"}
    assert run_captured(capsys, *arguments[:-1], "albedo,matte,crop", "--recursive")[0] == 0
    assert names(tmp_path / "out" / "c") == {"albedo.png", "matte.png", "sheet.png", "photo.json", "face-1"}
    assert names(tmp_path / "out" / "c" / "face-1") == {"albedo.png", "light.json", "face.json"}
    assert run_captured(capsys, *arguments[:-1], "probe", "--recursive")[0] == 0
    assert names(tmp_path / "out" / "c" / "face-1") == {"probe.png", "light.json", "face.json"}
    for wrong, rule in (("albedo,colour", "colour"), ("crop", "--maps albedo,crop")):
        code, _, stderr = run_captured(capsys, *arguments[:-1], wrong)
        assert code == 2 and rule in stderr


@pytest.mark.parametrize("command", ["decompose", "relight"])
def test_faces_that_no_one_can_have_are_refused(tmp_path, photos, capsys, command):
    light = ["--light", "loop"] if command == "relight" else []
    for option, value, rule in [("--min-score", 1.5, "below 1"), ("--min-face", 3, "from 16")]:
        code, _, stderr = run_captured(capsys, command, photos, "-o", tmp_path / "out", option, value, *light)
        assert code == 2 and rule in stderr and str(value) in stderr and not (tmp_path / "out").exists()
    # There is no face in noise, whoever finds one there.
    code, stdout, _ = run_captured(capsys, command, photos / "b.png", "-o", tmp_path / "out", "--min-face", 20, *light)
    assert "1 face" not in stdout


def test_relight_searches_subfolders(tmp_path, photos, capsys):
    folder = tmp_path / "more" / "deep"
    folder.mkdir(parents=True)
    (folder / "c.png").write_bytes((photos / "b.png").read_bytes())
    arguments = ["relight", tmp_path / "more", "-o", tmp_path / "out", "--light", "loop"]
    assert run_captured(capsys, *arguments)[0] == 2
    assert run_captured(capsys, *arguments, "--recursive")[0] == 0
    assert names(tmp_path / "out" / "c") == {"loop.jpg"}


def test_maps_that_one_file_cannot_hold_are_refused(tmp_path, photos, capsys):
    for maps, name, rule in [
        ("albedo", "sheet.png", "holds no maps"),
        ("reconstruction", "x.exr", "reconstruction is no layer"),
        ("albedo,crop", "x.exr", "crop is no layer"),
    ]:
        code, _, stderr = run_captured(capsys, "decompose", photos / "b.png", "-o", tmp_path / name, "--maps", maps)
        assert code == 2 and rule in stderr and not (tmp_path / name).exists()
    for maps in ("albedo,regions", "all"):
        options = "-o", tmp_path / "x.exr", "--maps", maps
        assert run_captured(capsys, "decompose", photos / "b.png", *options)[0] == 0
        assert ("mask" in read_layers(tmp_path / "x.exr")) == (maps == "all")


@pytest.mark.parametrize("format", ["png16", "exr", "exr32"])
def test_saved_files_sum_to_the_photo(tmp_path, photos, capsys, format):
    options = "--format", format, "--maps", "all"
    run_captured(capsys, "decompose", photos / "a.jpg", "-o", tmp_path / "out", *options)
    read = {name: Format(format).read(tmp_path / "out" / "a", name) for name in MAPS}
    total = read["albedo"] * read["shading"] + read["residual"]
    photo = as_linear(read_photo(photos / "a.jpg"))
    assert read["mask"].max() > 0.9
    for image in (total, read["reconstruction"]):
        assert np.abs(linear_to_srgb(np.clip(image, 0, 1)) - linear_to_srgb(photo)).max() < 0.5 / 255


def test_json_files(tmp_path, photos, capsys):
    run_captured(capsys, "decompose", photos / "b.png", "-o", tmp_path)
    light = json.loads((tmp_path / "b/face-1/light.json").read_text())
    assert np.shape(light["light"]) == np.shape(light["light_upright"]) == (9, 3)
    assert "x right, y up, z toward the viewer" in light["convention"]
    face = json.loads((tmp_path / "b/face-1/face.json").read_text())
    assert 0 <= face["score"] <= 1
    assert np.shape(face["landmarks"]) == (478, 3) and np.shape(face["crop"]["matrix"]) == (2, 3)
    corners = np.array(face["crop"]["corners"])
    back = corners @ np.array(face["crop"]["matrix"])[:, :2].T + np.array(face["crop"]["matrix"])[:, 2]
    np.testing.assert_allclose(back, [[-0.5, -0.5], [127.5, -0.5], [127.5, 127.5], [-0.5, 127.5]], atol=0.01)
    assert face["weights"] == {"hash": "0" * 16, "version": "fake"}
    assert face["photo_size"] == {"width": 120, "height": 90}


def test_pictures(tmp_path, photos, capsys):
    run_captured(capsys, "decompose", photos / "b.png", "-o", tmp_path, "--maps", "probe")
    sheet = np.asarray(Image.open(tmp_path / "b/sheet.png"))
    assert sheet.shape[1] > 1000 and sheet.std() > 20
    ball = np.asarray(Image.open(tmp_path / "b/face-1/probe.png")).astype(int)
    assert ball.shape[2] == 4 and ball[0, 0, 3] == 0 and ball[96, 96, 3] == 255
    assert ball[96, 160, 0] > ball[96, 32, 0]  # light[3] > 0: light from the right


def test_folder_with_bad_files(tmp_path, photos, capsys):
    (photos / "text.jpg").write_text("no picture")
    (photos / "cut.jpg").write_bytes((photos / "a.jpg").read_bytes()[:900])
    (photos / "notes.txt").write_text("left alone")
    Image.new("RGB", (200, 200)).save(photos / "black.png")
    Image.new("RGB", (1, 1), "red").save(photos / "dot.png")
    Image.new("L", (30_000, 20)).save(photos / "wide.png")
    code, stdout, stderr = run_captured(capsys, "decompose", photos, tmp_path / "gone.jpg", "-o", tmp_path / "out")
    assert code == 2
    assert len(stdout.splitlines()) == 2 and names(tmp_path / "out") == {"a", "b"}
    lines = stderr.splitlines()
    assert len(lines) == 7
    for name, rule in {
        "gone.jpg": "no such file",
        "text.jpg": "not an image",
        "cut.jpg": "truncated",
        "black.png": "no face found",
        "dot.png": "1 x 1 pixels",
        "wide.png": "30000 x 20 pixels",
    }.items():
        assert any(line.startswith("error: ") and name in line and rule in line for line in lines), name
    assert lines[-1] == "8 photos: 2 done, 6 failed; 2 faces"


def test_json_lines(tmp_path, photos, capsys):
    (photos / "text.jpg").write_text("no picture")
    code, stdout, _ = run_captured(capsys, "decompose", photos, "-o", tmp_path / "out", "--json")
    documents = [json.loads(line) for line in stdout.splitlines()]
    assert code == 2 and len(documents) == 3
    assert [bool(d["error"]) for d in documents] == [False, False, True]
    assert documents[0]["output"] == str(tmp_path / "out" / "a") and documents[0]["faces"] == 1


@pytest.mark.parametrize("what", ["missing", "empty folder", "folder of folders"])
def test_nothing_to_do(tmp_path, photos, capsys, what):
    (tmp_path / "empty").mkdir()
    path = {"missing": tmp_path / "gone.jpg", "empty folder": tmp_path / "empty", "folder of folders": tmp_path}[what]
    code, stdout, stderr = run_captured(capsys, "decompose", path, "-o", tmp_path / "out")
    assert (code, stdout) == (2, "")
    assert len(stderr.splitlines()) == 1 and str(path) in stderr


@pytest.mark.parametrize(
    "arguments", [[], ["a.jpg"], ["a.jpg", "-o", "x", "--format", "gif"], ["a.jpg", "-o", "x", "--no"]]
)
def test_wrong_usage(capsys, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    code, _, _ = run_captured(capsys, "decompose", *arguments)
    assert code == 2 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["file", "under a file"])
def test_output_that_cannot_be_written_ends_before_work(tmp_path, photos, capsys, monkeypatch, kind):
    monkeypatch.setattr(Decomposer, "from_pretrained", None)  # must not be reached
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" if kind == "file" else tmp_path / "file" / "out"
    code, stdout, stderr = run_captured(capsys, "decompose", photos, "-o", out)
    assert (code, stdout) == (2, "")
    assert stderr.startswith(f"error: {out}: can't be written (") and len(stderr.splitlines()) == 1


def test_names_that_collide(tmp_path, photos, capsys, rng):
    save_image(photos / "a.png", rng.random((90, 120, 3), np.float32))
    (tmp_path / "more").mkdir()
    save_image(tmp_path / "more" / "a.png", rng.random((90, 120, 3), np.float32))
    code, _, _ = run_captured(capsys, "decompose", photos, tmp_path / "more", photos / "b.png", "-o", tmp_path / "out")
    assert code == 0
    assert names(tmp_path / "out") == {"a.jpg", "a.png", "a.png-2", "b"}


def test_a_later_run_does_not_replace_another_photo(tmp_path, photos, capsys, rng):
    run_captured(capsys, "decompose", photos / "a.jpg", "-o", tmp_path / "out")
    save_image(photos / "a.png", rng.random((90, 120, 3), np.float32))
    run_captured(capsys, "decompose", photos / "a.png", "-o", tmp_path / "out")
    assert names(tmp_path / "out") == {"a", "a.png"}


def test_redo_and_skip(tmp_path, photos, capsys):
    out = tmp_path / "out"
    run_captured(capsys, "decompose", photos / "a.jpg", "-o", out)
    (out / "a" / "mark").write_text("")
    code, stdout, _ = run_captured(capsys, "decompose", photos, "-o", out, "--skip-existing")
    assert code == 0 and (out / "a" / "mark").exists() and "is there already" in stdout
    run_captured(capsys, "decompose", photos / "a.jpg", "-o", out)
    assert not (out / "a" / "mark").exists()
    assert names(out) == {"a", "b"}


def test_a_folder_of_the_user_is_not_replaced(tmp_path, photos, capsys):
    (photos / "a").mkdir()
    (photos / "a" / "precious").write_text("")
    code, _, stderr = run_captured(capsys, "decompose", photos / "a.jpg", "-o", photos)
    assert code == 2 and "not written by illures" in stderr
    assert names(photos / "a") == {"precious"}


def test_crop_only_and_size(tmp_path, photos, capsys):
    run_captured(capsys, "decompose", photos / "a.jpg", "-o", tmp_path, "--crop-only", "--size", "256")
    assert names(tmp_path / "a") == {"sheet.png", "photo.json", "face-1"}
    assert Format("png").read(tmp_path / "a" / "face-1", "albedo").shape == (256, 256, 3)
    code, _, stderr = run_captured(capsys, "decompose", photos / "a.jpg", "-o", tmp_path, "--size", "100")
    assert code == 2 and stderr == "error: size 100: must be a multiple of 16 from 64 to 1024\n"


def test_odd_file_names(tmp_path, capsys, rng):
    for name in ("[bold] b.png", "ünï — 顔.png", "-dash.png", "dot.in.name.png"):
        save_image(tmp_path / name, rng.random((90, 120, 3), np.float32))
    code, stdout, stderr = run_captured(capsys, "decompose", tmp_path, "-o", tmp_path / "out")
    assert (code, len(stdout.splitlines())) == (0, 4), stderr
    assert names(tmp_path / "out") == {"[bold] b", "ünï — 顔", "-dash", "dot.in.name"}
    assert "[bold] b.png" in stdout
