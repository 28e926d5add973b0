"""What an installation without the extras says of the files that it can't read."""

import sys

import pytest
from PIL import Image

from clips import ASTRONAUT, pictures, write_clip
from illures import cli
from illures.errors import InputError
from illures.io.photos import read_photo


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
