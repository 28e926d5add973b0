"""Files of strangers: no decoder starts a program or opens another file, and what is damaged is one clear error."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from clips import write_clip
from illures.cli import main
from illures.data.tarfiles import decoded_pixels
from illures.decompose.folder import is_done
from illures.editing.edit import _read_map as edited_map
from illures.errors import InputError
from illures.io.environment_maps import load_hdri
from illures.io.formats import Format
from illures.io.photos import read_photo, write_exr
from illures.io.png import png
from illures.model import read_weights
from illures.model.weights import FAST, metadata, packaged
from illures.relighting.light import Light
from illures.relighting.recognise import kind_of
from illures.video.read import open_clip
from illures.web.server.export import read_paint

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n0 0 64 64 rectfill\nshowpage\n%%EOF\n"


@pytest.fixture
def no_programs(monkeypatch):
    """Any program that is started is a failure."""

    def start(*arguments, **options):
        raise AssertionError(f"started {arguments}")

    for name in ("Popen", "run", "check_call", "check_output"):
        monkeypatch.setattr(subprocess, name, start)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".eps"])
def test_an_eps_starts_no_program(tmp_path, no_programs, suffix):
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(EPS)
    with pytest.raises(InputError, match=path.name):
        read_photo(path)


def test_only_decoders_of_what_is_read_are_imported(tmp_path):
    """Pillow's others are code that a file could reach for nothing, and take time."""
    path = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(path)
    code = f"""
import sys
from PIL import Image
from illures.io.decoding import PHOTO_FORMATS, open_image
open_image({str(path)!r})
assert "PIL.EpsImagePlugin" not in sys.modules
ours = set(PHOTO_FORMATS) & set(Image.OPEN)
assert len(ours) == len(PHOTO_FORMATS) - 2, ours  # all but MPO, which is read as JPEG, and HEIF
Image.init()
assert ours == set(PHOTO_FORMATS) & set(Image.OPEN)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


READERS = {
    "photo": read_photo,
    "map": lambda path: Format("png16").read(path.parent, path.stem),
    "edit": lambda path: edited_map(path, np.zeros((64, 64, 3), np.uint8)),
    "paint": lambda path: read_paint(path.read_bytes()),
    "tar": lambda path: decoded_pixels(path.read_bytes()),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("chunk", [b"IDAT", b"sRGB"])
def test_a_chunk_longer_than_its_png(tmp_path, rng, reader: str, chunk: bytes) -> None:
    """A length of 1.4 GB, for which OpenCV asks before it reads."""
    data = bytearray(png(rng.integers(0, 65536, (64, 64, 3), dtype=np.uint16), colour=True))
    at = data.index(chunk) - 4
    data[at : at + 4] = (1_400_000_000).to_bytes(4, "big")
    path = tmp_path / "albedo.png"
    path.write_bytes(data)
    before = memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    with pytest.raises((InputError, ValueError, OSError)) as caught:  # of the last two an InputError is made above
        READERS[reader](path)
    assert "\n" not in str(caught.value)
    assert memory_mb("VmHWM") - before < 100


@pytest.mark.parametrize("reader", [read_photo, load_hdri])
def test_an_exr_that_unfolds_is_refused_by_its_header(tmp_path, reader) -> None:
    """A file of a few bytes for 588 million numbers."""
    path = tmp_path / "bomb.exr"
    write_exr(path, np.zeros((64, 64, 3), np.float16))
    data = bytearray(path.read_bytes())
    for name in (b"dataWindow", b"displayWindow"):
        at = data.index(name + b"\0box2i\0") + len(name) + 7 + 4
        struct.pack_into("<4i", data, at, 0, 0, 13_999, 13_999)
    path.write_bytes(data)
    before = memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    with pytest.raises(InputError, match=r"bomb\.exr: 14000 x 14000 pixels"):
        reader(path)
    assert memory_mb("VmHWM") - before < 50


def memory_mb(field: str) -> float:
    return int(re.search(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


@pytest.mark.parametrize("part", [0.3, 0.5, 0.7])
def test_an_avif_that_does_not_decode(tmp_path, rng, part):
    """Its header is whole; a stretch of the coded picture is not."""
    path = tmp_path / "damaged.avif"
    Image.fromarray(rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)).save(path, quality=90)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    at = start + int(part * (len(data) - start))
    data[start + 8 : at] = bytes(at - start - 8)
    path.write_bytes(data)
    assert Image.open(path).size == (96, 64)
    with pytest.raises(InputError, match=r"damaged\.avif"):
        read_photo(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.mp4", "ffconcat version 1.0\nfile c.mp4\n"),
        ("list.mov", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nc.mp4\n#EXT-X-ENDLIST\n"),
    ],
)
def test_a_playlist_is_no_clip(tmp_path, name, text):
    picture = np.full((64, 64, 3), 90, np.uint8)
    write_clip(tmp_path / "c.mp4", [picture] * 3)
    assert open_clip(tmp_path / "c.mp4").width == 64  # what the list names is there, and can be read
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=f"{name}: a playlist, not a clip; [^:()]*$"):
        open_clip(tmp_path / name)


def test_a_clip_may_be_called_like_a_protocol(tmp_path, monkeypatch):
    write_clip(tmp_path / "c.mp4", [np.full((64, 64, 3), 90, np.uint8)] * 3)
    shutil.copy(tmp_path / "c.mp4", tmp_path / "concat:c.mp4")
    monkeypatch.chdir(tmp_path)
    assert open_clip(Path("concat:c.mp4")).width == 64


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"light": ' + "9" * 5000 + "}",
        '{"light": [[' + ", ".join(["1e999"] * 3) + "]]}",
        '{"light": null}',
        "[]",
        "",
    ],
)
def test_light_files_that_are_none(tmp_path, text):
    path = tmp_path / "light.json"
    path.write_text(text)
    with pytest.raises(InputError, match="light.json"):
        Light.from_json(path)


def test_numbers_that_are_no_map(tmp_path):
    np.save(tmp_path / "none.npy", np.zeros((0, 0, 3), np.float32))
    header = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")
    shape = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 2000000, 3), }"
    (tmp_path / "huge.npy").write_bytes(header + shape.ljust(117).encode() + b"\n")
    (tmp_path / "deep.npy").write_bytes(header + ("(" * 100).ljust(117).encode() + b"\n")
    write_exr(tmp_path / "bright.exr", np.full((16, 32, 3), 1e30, np.float32))
    for name in ("none.npy", "huge.npy", "deep.npy", "bright.exr"):
        with pytest.raises(InputError, match=name):
            load_hdri(tmp_path / name)


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "null", "\xff", "9" * 5000, '{"photo": 7}'])
def test_a_folder_whose_index_is_not_ours_is_not_done(tmp_path, text):
    (tmp_path / "photo.json").write_text(text, encoding="latin1")
    assert not is_done(tmp_path, tmp_path / "a.jpg")


def test_numbers_that_are_no_light(tmp_path):
    for name, header in (("deep.npy", "(" * 9000), ("open.npy", "{'descr': ("), ("short.npy", "")):
        data = header.encode() + b"\n"
        (tmp_path / name).write_bytes(b"\x93NUMPY\x01\x00" + len(data).to_bytes(2, "little") + data)
        with pytest.raises(InputError, match=f"{name}: can't be read as an array of numbers"):
            kind_of(str(tmp_path / name))


@pytest.mark.parametrize("field", ["config", "graph", "recipe", "metrics", "hash", "data", "format"])
@pytest.mark.parametrize("value", [None, "", "null", "[]", "{", "[" * 10_000, "9" * 5000, "AAAA"])
def test_weights_whose_header_is_not_ours(tmp_path, field, value):
    about = metadata(read_weights(packaged(FAST)))
    about.pop(field) if value is None else about.update({field: value})
    path = tmp_path / "altered.safetensors"
    save_file(load_file(packaged(FAST)), path, metadata=about)
    if (field, value) in {("data", v) for v in ("", "null", "[]", "{", "[" * 10_000, "9" * 5000, "AAAA")}:
        assert read_weights(path).info.data == value  # words, whatever they are
        return
    with pytest.raises(InputError, match="altered.safetensors"):
        read_weights(path)


def test_the_command_says_it_in_one_line(tmp_path, capsys):
    path = tmp_path / "photo.jpg"
    path.write_bytes(EPS)
    with pytest.raises(SystemExit) as ended:
        main(["decompose", str(path), "-o", str(tmp_path / "out"), "--json"])
    said = capsys.readouterr()
    assert ended.value.code == 2 and "Traceback" not in said.err
    assert "photo.jpg" in json.loads(said.out.splitlines()[0])["error"]
