"""Containers as they come: without an index, cut off, at 120 frames a second."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clips import TIME_BASE, audio_packets, decode, pictures, write_clip
from illures.decompose.decomposer import Decomposer
from illures.errors import InputError, InputWarning
from illures.video.make import make_video
from illures.video.read import open_clip, read_frames

FRAMES = 50
H264 = {"crf": "10", "g": "10", "preset": "ultrafast"}
MPEG2 = {"g": "10", "bf": "2", "qscale": "2"}


@pytest.fixture(scope="module")
def decomposer() -> Decomposer:
    return Decomposer.from_pretrained(size=64)


def encoded(
    path: Path, codec: str, options: dict[str, str], container: dict[str, str] | None = None, frames: int = FRAMES
) -> Path:
    """Grey pictures that become lighter by 4 a frame, 25 a second."""
    with av.open(str(path), "w", options=container or {}) as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for number in range(frames):
            grey = np.full((64, 96, 3), 20 + 4 * (number % FRAMES), np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def avi_without_its_index(path: Path) -> Path:
    data = encoded(path, "mpeg4", {"g": "10", "qscale": "2"}).read_bytes()
    end = data.rindex(b"idx1")
    plain = bytearray(data[:end])
    struct.pack_into("<I", plain, 4, end - 8)
    flags = plain.index(b"avih") + 8 + 12
    struct.pack_into("<I", plain, flags, struct.unpack_from("<I", plain, flags)[0] & ~0x10)  # "has an index"
    path.write_bytes(plain)
    return path


def mp4_in_pieces(path: Path) -> Path:
    """As cameras write it that must not lose all when the battery dies; without the table at its end."""
    data = encoded(path, "libx264", H264, {"movflags": "frag_keyframe+empty_moov+default_base_moof"}).read_bytes()
    path.write_bytes(data[: data.rindex(b"mfra") - 4])
    return path


WITHOUT_INDEX: dict[str, Callable[[Path], Path]] = {
    "live.mkv": lambda path: encoded(path, "libx264", H264, {"live": "1"}),
    "pieces.mp4": mp4_in_pieces,
    "plain.avi": avi_without_its_index,
    "camera.ts": lambda path: encoded(path, "libx264", H264 | {"bf": "2"}),
    "broadcast.ts": lambda path: encoded(path, "mpeg2video", MPEG2),
    "disc.mpg": lambda path: encoded(path, "mpeg2video", MPEG2),
    "raw.h264": lambda path: encoded(path, "libx264", H264),
    "raw.m2v": lambda path: encoded(path, "mpeg2video", MPEG2),
    "a.flv": lambda path: encoded(path, "libx264", H264, {"flvflags": "no_duration_filesize"}),
}


@pytest.mark.parametrize("name", WITHOUT_INDEX)
def test_without_an_index_reading_may_begin_anywhere(tmp_path: Path, name: str) -> None:
    """The frames from a time on are those of a reading of the whole: FFmpeg lands late in some, and fails in others."""
    path = WITHOUT_INDEX[name](tmp_path / name)
    whole = list(read_frames(path))
    np.testing.assert_allclose(np.diff([frame.time_s for frame in whole]), 1 / 25, atol=1e-3)
    assert np.abs(np.array([frame.image.mean() for frame in whole]) - (20 + 4 * np.arange(FRAMES))).mean() < 2
    for first in (1, 9, 10, 11, 25, 39, 48):
        late = list(read_frames(path, whole[first].time_s))
        assert [frame.time_s for frame in late] == [frame.time_s for frame in whole[first:]]
        for frame, same in zip(late, whole[first:], strict=True):
            np.testing.assert_array_equal(frame.image, same.image)


@pytest.mark.parametrize("name", ["camera.ts", "disc.mpg", "raw.h264"])
def test_without_an_index_a_killed_run_goes_on(tmp_path: Path, decomposer: Decomposer, name: str) -> None:
    clip = WITHOUT_INDEX[name](tmp_path / name)
    make_video(clip, tmp_path / "whole.mkv", decomposer, "albedo")

    def stop(done: int, total: int | None) -> None:
        if done == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_video(clip, tmp_path / "killed.mkv", decomposer, "albedo", part_frames=8, progress=stop)
    report = make_video(clip, tmp_path / "killed.mkv", decomposer, "albedo", part_frames=8)
    assert report.resumed == 24 and report.frames == FRAMES
    (a, times), (b, resumed_times) = decode(tmp_path / "whole.mkv"), decode(tmp_path / "killed.mkv")
    assert times == resumed_times
    np.testing.assert_array_equal(np.stack(a), np.stack(b))


# Their headers say how long they are, or their frames that they are not whole. A GIF, an MPEG-TS, a raw stream, an MP4
# in pieces and a Matroska file that was written live may say neither: half of one is a clip of half the length.
CUT: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "first.mp4": ("libx264", H264, {"movflags": "faststart"}),
    "a.mkv": ("libx264", H264, {}),
    "a.webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "g": "10"}, {}),
    "a.avi": ("mpeg4", {"g": "10", "qscale": "2"}, {}),
    "a.flv": ("libx264", H264, {}),
}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("part", [0.4, 0.8])
def test_a_clip_that_ends_early_is_refused_or_said(
    tmp_path: Path, decomposer: Decomposer, name: str, part: float
) -> None:
    codec, options, container = CUT[name]
    path = encoded(tmp_path / name, codec, options, container, frames=3 * FRAMES)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        try:
            make_video(path, tmp_path / "out.mkv", decomposer, "albedo")
        except InputError as error:
            assert name in str(error) and not (tmp_path / "out.mkv").exists()
            return
    assert any("ends too early" in str(warning.message) for warning in caught)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_120_frames_a_second(tmp_path: Path, decomposer: Decomposer, suffix: str) -> None:
    """None is left out, none is shown twice, and the sound stays where it was."""
    images = pictures(60, size=(120, 144))
    for number, image in enumerate(images):
        image[:8] = 4 * number  # which tells frames apart
    pts = [round(number / 120 / TIME_BASE) for number in range(60)]
    clip = write_clip(tmp_path / "clip.mp4", images, pts, audio="aac")
    assert open_clip(clip).rate == pytest.approx(120, rel=0.1)
    report = make_video(clip, tmp_path / f"out{suffix}", decomposer, "albedo")
    (before, times), (after, out_times) = decode(clip), decode(tmp_path / f"out{suffix}")
    assert report.frames == len(after) == 60 and report.with_face == 60
    start_s = out_times[0] - times[0]
    np.testing.assert_allclose(np.array(out_times) - start_s, times, atol=0.0006)
    levels = [[frame[:6].mean() for frame in frames] for frames in (before, after)]
    assert np.abs(np.diff(levels, axis=0)).mean() < 2  # of 4 from a frame to the next
    sounds = audio_packets(clip), audio_packets(tmp_path / f"out{suffix}")
    assert sounds[1][-1][0] - start_s == pytest.approx(sounds[0][-1][0], abs=0.03)
