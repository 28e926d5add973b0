"""Numbered pictures in and out: numbers stay, missing ones are told, other readers see what was written."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clips import decode, pictures
from fake_network import FakePredictor
from illures import Decomposer, save_image
from illures.decompose.photo_maps import photo_maps
from illures.errors import InputError
from illures.io.formats import Format
from illures.video.make import make_video
from illures.video.read import open_clip, read_frames
from illures.video.render import Show, matte_of
from illures.video.sequence import files_of, is_sequence


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    for number, picture in enumerate(pictures(5), 1001):
        save_image(tmp_path / f"in.{number}.png", picture)
    return tmp_path / "in.%04d.png"


def test_a_sequence_is_a_clip(shots: Path) -> None:
    assert is_sequence(shots) and not is_sequence(Path("100%.mp4"))
    info = open_clip(shots)
    assert (info.frames, info.has_audio) == (5, False)
    frames = list(read_frames(shots))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 25 for i in range(5)])
    for frame, picture in zip(frames, pictures(5), strict=True):
        np.testing.assert_array_equal(frame.image, picture)
    assert [f.time_s for f in read_frames(shots, 3 / 25)] == pytest.approx([3 / 25, 4 / 25])


@pytest.mark.parametrize("suffix", ["png", "exr", "jpg"])
def test_numbers_stay(shots: Path, suffix: str) -> None:
    out = shots.with_name(f"out.%04d.{suffix}")
    make_video(shots, out, Decomposer(FakePredictor()), "albedo")
    assert list(files_of(out)) == [1001, 1002, 1003, 1004, 1005]
    assert not shots.with_name(out.name + ".parts").exists()


def test_exr_pictures_are_linear_and_openimageio_sees_the_matte(shots: Path) -> None:
    oiio = pytest.importorskip("OpenImageIO")
    out = shots.with_name("out.%04d.exr")
    make_video(shots, out, Decomposer(FakePredictor()), "normal", alpha=True)
    pixels = oiio.ImageBuf(str(out).replace("%04d", "1003")).get_pixels(oiio.FLOAT)
    make_video(shots, shots.with_name("out.%04d.png"), Decomposer(FakePredictor()), "normal", alpha=True)
    codes = np.asarray(Image.open(str(shots.with_name("out.1003.png")))) / 255
    assert pixels.shape[2] == codes.shape[2] == 4 and codes[..., 3].max() > 0.9
    np.testing.assert_allclose(pixels[..., 3], codes[..., 3], rtol=0, atol=1e-3)
    np.testing.assert_allclose(pixels[..., :3], (2 * codes[..., :3] - 1) * codes[..., 3:], rtol=0, atol=1e-3)


@pytest.mark.parametrize("show", ["albedo", "normal", "shading", "residual"])
def test_pictures_hold_what_the_maps_of_a_photo_hold(shots: Path, show: Show) -> None:
    """EXR: linear values, normals from -1 to 1. PNG: codes, declared as sRGB where they are colours."""
    oiio = pytest.importorskip("OpenImageIO")
    codes = Format("png", normals="directx" if show == "normal" else "opengl")
    for suffix in ("exr", "png"):
        make_video(shots, shots.with_name(f"out.%04d.{suffix}"), Decomposer(FakePredictor()), show, codes=codes)
    stored = oiio.ImageBuf(str(shots.with_name("out.1002.exr")))
    with Image.open(shots.with_name("out.1002.png")) as image:
        assert ("srgb" in image.info) == (show in ("albedo", "shading"))
        seen = np.asarray(image).astype(float)
    curve = np.where(seen <= 0.04045 * 255, seen / 255 / 12.92, ((seen / 255 + 0.055) / 1.055) ** 2.4)
    expected = {
        "albedo": curve,
        "normal": 2 * seen / 255 - 1,
        "shading": codes.shading_scale * curve,
        "residual": (seen - 128) / 127,
    }[show]
    np.testing.assert_allclose(stored.get_pixels(oiio.FLOAT), expected, rtol=1e-3, atol=1e-3)
    assert stored.spec().getattribute("illures:normals") == ("directx" if show == "normal" else None)


def test_from_pictures_to_a_clip_and_back(shots: Path, tmp_path: Path) -> None:
    make_video(shots, tmp_path / "clip.mkv", Decomposer(FakePredictor()), "albedo")
    assert len(decode(tmp_path / "clip.mkv")[0]) == 5
    make_video(tmp_path / "clip.mkv", tmp_path / "back.%d.png", Decomposer(FakePredictor()), "residual")
    assert list(files_of(tmp_path / "back.%d.png")) == [1, 2, 3, 4, 5]


def test_bad_sequences_are_told(shots: Path, tmp_path: Path) -> None:
    (tmp_path / "in.1003.png").unlink()
    with pytest.raises(InputError, match="picture 1003 is missing"):
        open_clip(shots)
    with pytest.raises(InputError, match="no picture of this sequence"):
        open_clip(tmp_path / "none.%04d.png")
    with pytest.raises(InputError, match="is the clip itself"):
        save_image(tmp_path / "in.1003.png", pictures(1)[0])
        make_video(shots, shots, Decomposer(FakePredictor()), "albedo")


def test_the_matte_of_a_frame_is_that_of_a_photo() -> None:
    (image,) = pictures(1)
    faces = Decomposer(FakePredictor())(image)
    matte = matte_of(image, faces)
    wanted = photo_maps(image, faces, Format("png")).take("matte")
    assert np.abs(matte.astype(int) - wanted).max() <= 1
    hair, background = (40, 110), (20, 20)
    assert matte[hair] > 250 and matte[background] < 5
    assert not matte_of(image, []).any()
