"""What an installation without the extras says of the files that it can't read."""

import subprocess
import sys

import pytest
from PIL import Image

from clips import ASTRONAUT, pictures, write_clip
from illures import cli
from illures.cli.app import needs_extra
from illures.errors import InputError
from illures.io.photos import read_photo
from illures.model.weights import FAST, read_weights


@pytest.mark.parametrize("verb", ["video", "relight"])
def test_clips_without_pyav(verb, tmp_path, monkeypatch, capsys):
    write_clip(tmp_path / "talk.mp4", pictures(2))
    monkeypatch.setitem(sys.modules, "av", None)
    words = {
        "video": ["video", str(tmp_path / "talk.mp4"), "-o", str(tmp_path / "out.mp4")],
        "relight": ["relight", str(ASTRONAUT), "--orbit", str(tmp_path / "out.mp4")],
    }[verb]
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said == 'error: clips need the extra: pip install "illures[video]"\n'


def test_photos_without_pillow_heif(tmp_path, monkeypatch):
    import pillow_heif

    picture = Image.new("RGB", (32, 16), (200, 100, 50))
    pillow_heif.from_pillow(picture).save(tmp_path / "a.heic")
    picture.save(tmp_path / "a.avif")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(InputError, match=r'a\.heic: HEIC photos need the extra: pip install "illures\[heic\]"$'):
        read_photo(tmp_path / "a.heic")
    assert read_photo(tmp_path / "a.avif").shape == (16, 32, 3)  # pillow's own


@pytest.mark.parametrize("package", ["fastapi", "uvicorn"])
@pytest.mark.parametrize("verb", ["studio", "serve"])
def test_servers_without_the_web_extra(verb, package, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SystemExit) as ended:
        cli.main([verb, "--port", "0"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {package}: not installed; {verb} needs `pip install illures[web]`\n"


@pytest.mark.parametrize(
    ("package", "words", "said"),
    [
        ("onnx", ["export", "-o", "model.onnx"], "onnx: not installed; ONNX needs `pip install illures[export]`"),
        ("onnx", ["export", "a.onnx", "-o", "a.safetensors"], "onnx: not installed; ONNX needs"),
        ("scipy", ["synth", "custom", "set"], "scipy: not installed; rendering needs `pip install illures[synth]`"),
        ("torch", ["train", "--list"], "torch: not installed; training needs `pip install illures[train]`"),
        ("torch", ["pack", "set", "-o", "a.crops"], "torch: not installed; packing needs `pip install illures[train]`"),
    ],
)
def test_each_command_names_its_extra(package, words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = f"import sys; sys.modules[{package!r}] = None; import illures.cli; illures.cli.main(sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and done.stderr.startswith(f"error: {said}") and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_fault_of_ours_is_no_missing_package():
    with pytest.raises(ImportError), needs_extra("train", "training"):
        import illures.no_such_module  # noqa: F401


def test_weights_of_the_package_become_one_file_without_onnx(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(SystemExit) as ended:
        cli.main(["export", FAST, "-o", str(tmp_path / "a.safetensors")])
    assert not ended.value.code and read_weights(tmp_path / "a.safetensors").info == read_weights(FAST).info


def test_photos_need_no_extra(tmp_path):
    """With the packages of all extras hidden, maps are written and a photo is relit."""
    hidden = ("fastapi", "starlette", "uvicorn", "av", "pillow_heif", "torch", "scipy", "onnx", "mitsuba")
    code = (
        "import sys; sys.modules.update(dict.fromkeys(sys.argv[1].split(',')));"
        "import illures.cli; illures.cli.main(sys.argv[2:])"
    )
    for words in (["decompose", "--format", "exr"], ["relight", "--light", "split"]):
        command = [words[0], str(ASTRONAUT), *words[1:], "-o", str(tmp_path / words[0]), "--weights", FAST]
        done = subprocess.run([sys.executable, "-c", code, ",".join(hidden), *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert any((tmp_path / words[0]).rglob("*.exr" if words[0] == "decompose" else "*.jpg"))
