"""Clips: every frame once, upright and at its time; cuts are found and motion is not mistaken for them."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from illures.errors import InputError
from illures.io.photos import load_image
from illures.video.cuts import CutDetector
from illures.video.read import open_clip, read_frames

ASSETS = Path(__file__).parents[2] / "src" / "illures" / "assets"
QUARTER = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0), "mirrored": (-1, 0, 0, 1)}


def write(path: Path, frames, times=None, rate: int = 25, codec: str = "libx264", aspect=None, colorspace=None) -> Path:
    """A clip of these pictures, at these times in 1/1000 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options={"crf": "12", "g": "10", "bf": "0"})
        height, width = frames[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if times is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for k, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[k], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turn_display(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write a rotation into the track header of an MP4, where phones put it (ISO 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (np.array(v << 16, ">i4").tobytes() for v in matrix)
    zero, one = bytes(4), np.array(1 << 30, ">i4").tobytes()
    data[start : start + 36] = a + b + zero + c + d + zero + zero + zero + one
    path.write_bytes(data)


def corners(height: int = 96, width: int = 128) -> np.ndarray:
    """Four colours, one a quarter: red, green / blue, white."""
    picture = np.zeros((height, width, 3), np.uint8)
    top, left = slice(None, height // 2), slice(None, width // 2)
    picture[top, left], picture[top, width // 2 :] = (200, 30, 30), (30, 180, 30)
    picture[height // 2 :, left], picture[height // 2 :, width // 2 :] = (30, 30, 200), (220, 220, 220)
    return picture


def test_every_frame_comes_once_with_its_own_time(tmp_path) -> None:
    times = [0, 40, 50, 200, 210, 1000, 1040]
    pictures = [np.full((64, 96, 3), 30 * k + 20, np.uint8) for k in range(7)]
    path = write(tmp_path / "a.mkv", pictures, times)
    frames = list(read_frames(path))
    assert [f.index for f in frames] == list(range(7))
    np.testing.assert_allclose([f.time_s for f in frames], np.array(times) / 1000, atol=0.0011)
    np.testing.assert_allclose([f.image.mean() for f in frames], [p.mean() for p in pictures], atol=2)


def test_reading_may_begin_in_the_middle(tmp_path) -> None:
    path = write(tmp_path / "a.mp4", [np.full((64, 96, 3), 4 * k, np.uint8) for k in range(50)])
    frames = list(read_frames(path, start_s=37 / 25))
    assert len(frames) == 13 and frames[0].index == 0
    assert frames[0].time_s == pytest.approx(37 / 25)
    assert frames[0].image.mean() == pytest.approx(4 * 37, abs=2)


def test_what_a_clip_is(tmp_path) -> None:
    info = open_clip(write(tmp_path / "a.mp4", [corners()] * 20, rate=10))
    assert (info.width, info.height, info.frames, info.rate, info.has_audio) == (128, 96, 20, 10, False)
    assert info.duration_s == pytest.approx(2)


@pytest.mark.parametrize("turned", QUARTER)
def test_frames_are_upright(tmp_path, turned) -> None:
    path = write(tmp_path / "a.mp4", [corners()] * 3)
    turn_display(path, QUARTER[turned])
    # A rotation of 90 in a track header means: turn clockwise to see it upright.
    upright = corners()[:, ::-1] if turned == "mirrored" else np.rot90(corners(), -turned // 90)
    for frame in read_frames(path):
        assert frame.image.shape == upright.shape
        assert np.abs(frame.image.astype(int) - upright).mean() < 6
    info = open_clip(path)
    assert (info.height, info.width) == upright.shape[:2]


def test_pixels_become_square(tmp_path) -> None:
    path = write(tmp_path / "a.mp4", [corners()] * 2, aspect=Fraction(3, 2))
    assert next(read_frames(path)).image.shape == (96, 192, 3)


@pytest.mark.parametrize("height", [96, 720])
def test_colours_survive(tmp_path, height) -> None:
    """What is not labelled is BT.601 when small and BT.709 when large; libswscale is the witness that wrote it."""
    import av.video.reformatter as reformatter

    want = np.array([200, 60, 40], np.uint8)
    rgb = av.VideoFrame.from_ndarray(np.tile(want, (height, 128, 1)), format="rgb24")
    space = reformatter.Colorspace.ITU709 if height >= 720 else reformatter.Colorspace.ITU601
    yuv = rgb.reformat(format="yuv420p", dst_colorspace=space)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, height, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(yuv.to_ndarray(), format="yuv420p")))
        container.mux(stream.encode())
    got = next(read_frames(tmp_path / "a.mkv")).image.reshape(-1, 3).mean(0)
    np.testing.assert_allclose(got, want, atol=3)


def test_times_that_stand_still_are_mended(tmp_path) -> None:
    """Some files give all their frames one time; steps then are those of the rate."""
    path = write(tmp_path / "a.mp4", [corners()] * 20, rate=10)
    data = bytearray(path.read_bytes())
    start = data.index(b"stts") + 4
    assert data[start + 4 : start + 8] == b"\0\0\0\1"  # one entry: all frames last equally long
    data[start + 12 : start + 16] = bytes(4)
    for box, at in (("mdhd", 16), ("mvhd", 16)):  # and that the clip lasts for a moment
        at += data.index(box.encode()) + 4
        data[at : at + 4] = bytes([0, 0, 0, 40])
    path.write_bytes(data)
    # What is left is the rate that FFmpeg guesses.
    np.testing.assert_allclose([f.time_s for f in read_frames(path)], np.arange(20) / 10, rtol=0.1)
    info = open_clip(path)
    assert info.frames == 20 and info.rate == pytest.approx(10, rel=0.1)
    assert info.duration_s == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("words", ["00:00:1e999000000", "00:00:-9999999999", "00:00:nan        ", "99999999999:00:00"])
def test_a_duration_that_no_clip_has_is_not_believed(tmp_path, words) -> None:
    path = write(tmp_path / "a.mkv", [corners()] * 10, rate=10)
    data, tag = path.read_bytes(), b"00:00:01.00000000"
    assert tag in data and len(words) == len(tag)
    path.write_bytes(data.replace(tag, words.encode()))
    info = open_clip(path)
    assert info.frames == 10 and info.duration_s == pytest.approx(1, abs=0.1)


def test_a_broken_frame_is_named_with_its_time(tmp_path) -> None:
    rng = np.random.default_rng(0)
    path = write(tmp_path / "a.mp4", [rng.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(40)])
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][25]
        start, size = packet.pos, packet.size
    data = bytearray(path.read_bytes())
    data[start + 4 : start + size] = rng.integers(0, 255, size - 4, np.uint8).tobytes()
    path.write_bytes(data)
    seen = []
    with pytest.raises(InputError, match=r"a\.mp4: a frame at about (0\.[89]|1\.[0-3])\d s"):
        for frame in read_frames(path):
            seen.append(frame.index)
    assert 15 <= len(seen) <= 30


def test_bad_files_are_named(tmp_path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    whole = write(tmp_path / "a.mp4", [corners()] * 10).read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])
    for name, rule in [
        ("none.mp4", "no such file"),
        ("text.mp4", "not a readable video"),
        ("empty.mp4", "not a readable video"),
        ("half.mp4", "not a readable video"),
        (".", "is a folder"),
    ]:
        with pytest.raises(InputError, match=rule):
            open_clip(tmp_path / name)
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(InputError, match="no video"):
        open_clip(tmp_path / "sound.wav")


def test_memory_does_not_grow_with_the_clip(tmp_path) -> None:
    path = write(tmp_path / "a.mp4", [corners(240, 320)] * 120)
    frame_bytes = 240 * 320 * 3
    tracemalloc.start()
    for _ in read_frames(path):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * frame_bytes  # the clip is 120 frames


def shots() -> tuple[np.ndarray, np.ndarray]:
    """Two scenes of 240 × 320 seen through a window of 160 × 200: a photo, and a drawn one."""
    photo = (255 * load_image(ASSETS / "astronaut.jpg")).astype(np.uint8)
    photo = cv2.resize(photo, (480, 480))
    rng = np.random.default_rng(3)
    drawn = cv2.resize(rng.integers(0, 255, (12, 12, 3), np.uint8), (480, 480), interpolation=cv2.INTER_CUBIC)
    return photo, drawn


def cuts_in(frames) -> list[int]:
    detector = CutDetector()
    return [k for k, frame in enumerate(frames) if detector.is_cut(np.ascontiguousarray(frame))]


def window(scene: np.ndarray, x: int, y: int = 60) -> np.ndarray:
    return scene[y : y + 240, x : x + 320]


def test_a_cut_is_found_at_its_frame() -> None:
    photo, drawn = shots()
    frames = [window(photo, k) for k in range(10)] + [window(drawn, 40 + k) for k in range(10)] + [window(photo, 0)] * 5
    assert cuts_in(frames) == [10, 20]


@pytest.mark.parametrize("speed", [4, 16, 32])
def test_a_pan_is_no_cut(speed) -> None:
    """At the fastest, a tenth of the picture is new in each frame."""
    photo, _ = shots()
    assert cuts_in([window(photo, x) for x in range(0, 160, speed)] + [window(photo, 159)] * 3) == []


def test_a_flash_is_no_cut() -> None:
    photo, _ = shots()
    plain = window(photo, 40).astype(float)
    bright = np.clip(1.8 * plain + 40, 0, 255)
    white = np.full_like(plain, 255)
    frames = [plain] * 5 + [bright] + [plain] * 4 + [white] + [plain] * 4 + [0.5 * plain] * 4
    assert cuts_in([f.astype(np.uint8) for f in frames]) == []


def test_black_between_two_shots_is_a_cut() -> None:
    photo, drawn = shots()
    black = np.zeros((240, 320, 3), np.uint8)
    assert cuts_in([window(photo, 40)] * 4 + [black] * 3 + [window(drawn, 40)] * 3) == [7]
    assert cuts_in([window(photo, 40)] * 4 + [black] * 3 + [window(photo, 44)] * 3) == []
