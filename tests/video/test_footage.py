"""Footage as cameras make it: turned, interlaced, with alpha, of odd sizes, cut by edit lists; faces come and go."""

from __future__ import annotations

import struct
import warnings
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from clips import STEP, TIME_BASE, audio_packets, decode, pictures, turn, write_clip, write_coded
from illures.decompose.decomposer import Decomposer
from illures.errors import InputWarning
from illures.faces import find_faces
from illures.faces.track import FaceTracker
from illures.video.make import make_video
from illures.video.read import open_clip, read_frames
from illures.video.remux import join
from illures.video.write import Parts, PartWriter, coding_for


@pytest.fixture(scope="module")
def decomposer() -> Decomposer:
    return Decomposer.from_pretrained(size=64)


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.webm", "out.mkv"])
@pytest.mark.parametrize("size", [(99, 121), (99, 120), (98, 121)])
def test_odd_sizes_are_kept(tmp_path: Path, decomposer: Decomposer, name: str, size: tuple[int, int]) -> None:
    images = pictures(3, size=size)
    clip = write_clip(tmp_path / "clip.mkv", images, codec="ffv1")
    make_video(clip, tmp_path / name, decomposer, "albedo")
    found = decode(tmp_path / name)[0]
    assert found[0].shape[:2] == size and open_clip(tmp_path / name).height == size[0]
    assert np.abs(found[0][:, -2:].astype(int) - images[0][:, -2:]).mean() < 6


TURNS = {  # a, b, c, d of the track header, and what the viewer then sees
    "flipped": ((1, 0, 0, -1), lambda p: p[::-1]),
    "transposed": ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
    "transverse": ((0, -1, -1, 0), lambda p: p[::-1, ::-1].swapaxes(0, 1)),
}


@pytest.mark.parametrize("turned", TURNS)
def test_mirrored_and_turned(tmp_path: Path, turned: str) -> None:
    picture = np.zeros((96, 128, 3), np.uint8)
    picture[:48, :64], picture[:48, 64:], picture[48:, :64] = (200, 30, 30), (30, 180, 30), (30, 30, 200)
    clip = write_clip(tmp_path / "a.mp4", [picture] * 2)
    (a, b, c, d), see = TURNS[turned]
    data = bytearray(clip.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 20] = struct.pack(">5i", a << 16, b << 16, 0, c << 16, d << 16)
    clip.write_bytes(data)
    seen = next(read_frames(clip)).image
    assert np.abs(seen.astype(int) - see(picture)).mean() < 6


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_clip_comes_out_upright(tmp_path: Path, decomposer: Decomposer, degrees: int) -> None:
    images = [np.ascontiguousarray(np.rot90(p, degrees // 90)) for p in pictures(2)]
    clip = turn(write_clip(tmp_path / "a.mp4", images), degrees)
    report = make_video(clip, tmp_path / "out.mp4", decomposer, "albedo")
    assert report.with_face == 2  # a face that lies on its side is not found
    assert decode(tmp_path / "out.mp4")[0][0].shape == (200, 240, 3)


def test_interlaced_lines_do_not_comb(tmp_path: Path) -> None:
    """A bar that moves by 8 pixels from field to field: woven together, its edge is a comb."""
    fields = []
    for number in range(13):
        field = np.full((96, 128, 3), 40, np.uint8)
        field[:, 8 * number : 8 * number + 24] = 200
        fields.append(field)
    woven = []
    for first, second in zip(fields[::2], fields[1::2], strict=False):
        frame = second.copy()
        frame[1::2] = first[1::2]  # the encoder says that the lower field is the first
        woven.append(frame)
    path = tmp_path / "a.mpg"
    with av.open(str(path), "w") as container:
        options = {"flags": "+ildct+ilme", "qscale": "1", "b:v": "8M"}
        stream = container.add_stream("mpeg2video", rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv422p"
        for number, image in enumerate(woven):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv422p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.warns(InputWarning, match="interlaced"):
        open_clip(path)
    frames = list(read_frames(path))
    assert len(frames) == len(woven)
    np.testing.assert_allclose(np.diff([f.time_s for f in frames]), 1 / 25, atol=1e-3)
    comb = lambda image: np.abs(np.diff(image[20:70].astype(int), axis=0)).mean()  # noqa: E731
    assert comb(np.stack(woven)[2]) > 8 > 2 > comb(frames[2].image)
    assert (
        np.abs(frames[2].image.astype(int) - fields[4]).mean() < np.abs(frames[2].image.astype(int) - fields[5]).mean()
    )


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "options"),
    [
        ("a.mov", "prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "16"}),
        ("a.webm", "libvpx-vp9", "yuva420p", {"b:v": "2M"}),
        ("a.mkv", "ffv1", "bgra", {}),
    ],
)
@pytest.mark.parametrize("out", ["out.mov", "out.mkv", "out.%02d.png", "out.mp4"])
def test_alpha_of_a_clip(tmp_path, decomposer, name: str, codec: str, pixels: str, options, out: str) -> None:
    images = [np.dstack([p, np.full(p.shape[:2], 255, np.uint8)]) for p in pictures(2)]
    for image in images:
        image[:, 200:, 3] = 0
    if pixels == "bgra":
        clip = tmp_path / name
        with av.open(str(clip), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.height, stream.width, stream.pix_fmt = 200, 240, pixels
            for number, image in enumerate(images):
                frame = av.VideoFrame.from_ndarray(image, format="rgba").reformat(format=pixels)
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    else:
        clip = write_coded(
            tmp_path / name, images, codec=codec, pixels=pixels, matrix=1, primaries=1, transfer=1, options=options
        )
    assert open_clip(clip).has_alpha
    frame = next(read_frames(clip))
    assert frame.alpha is not None
    assert frame.alpha[100, 100] > 250 and frame.alpha[100, 220] < 5
    np.testing.assert_allclose(frame.image[100, 225], 128, atol=3)
    if out.endswith(".mp4"):
        with pytest.warns(InputWarning, match="holds no alpha"):
            make_video(clip, tmp_path / out, decomposer, "albedo")
        return
    make_video(clip, tmp_path / out, decomposer, "albedo")
    with av.open(str(tmp_path / out), **({"format": "image2"} if "%" in out else {})) as container:
        seen = next(container.decode(video=0)).to_ndarray(format="rgba")
    assert seen[100, 100, 3] > 250 and seen[100, 225, 3] < 5


def test_an_edit_list_that_skips_the_beginning(tmp_path: Path, decomposer: Decomposer) -> None:
    """Ten frames are cut off by the header alone: what is left begins at 0, and the sound stays with it."""
    images = [np.full((64, 96, 3), 8 * k, np.uint8) for k in range(30)]
    clip = write_clip(tmp_path / "a.mp4", images, audio="aac")
    data = bytearray(clip.read_bytes())
    at = data.index(b"elst") + 4
    assert struct.unpack_from(">I", data, at + 4) == (1,)
    timescale = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)[0]
    struct.pack_into(">Ii", data, at + 8, round(20 / 25 * timescale), 10 * STEP)
    clip.write_bytes(data)
    frames = list(read_frames(clip))
    assert frames[0].time_s == pytest.approx(0, abs=0.001) and len(frames) == 20
    assert frames[0].image.mean() == pytest.approx(80, abs=3)
    make_video(clip, tmp_path / "out.mp4", decomposer, "albedo")
    found, times = decode(tmp_path / "out.mp4")
    assert len(found) == 20 and found[0].mean() == pytest.approx(80, abs=3) and times[0] == pytest.approx(0, abs=0.001)
    assert audio_packets(tmp_path / "out.mp4")[0][0] == pytest.approx(audio_packets(clip)[0][0], abs=0.002)


@pytest.mark.parametrize("out", ["out.mp4", "out.mkv", "out.webm"])
def test_pictures_that_begin_after_the_sound(tmp_path: Path, decomposer: Decomposer, out: str) -> None:
    """The edit list holds an empty edit (media time -1), and the sound begins before 0, as AAC in MP4 does."""
    images = [np.full((64, 96, 3), 8 * k, np.uint8) for k in range(10)]
    clip = write_clip(tmp_path / "a.mp4", images, [STEP * (10 + k) for k in range(10)], audio="aac")
    data = clip.read_bytes()
    at = data.index(b"elst") + 4
    assert struct.unpack_from(">i", data, at + 12) == (-1,) and audio_packets(clip)[0][0] < 0
    make_video(clip, tmp_path / out, decomposer, "albedo")
    before, after = (decode(path)[1] for path in (clip, tmp_path / out))
    assert len(after) == 10 and before[0] == pytest.approx(0.4, abs=0.001)
    sounds = audio_packets(clip), audio_packets(tmp_path / out)
    ahead = [times[0] - sound[0][0] for times, sound in zip((before, after), sounds, strict=True)]
    assert ahead[1] == pytest.approx(ahead[0], abs=0.02)  # Opus begins 7 ms before 0, AAC 21 ms


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_sound_that_goes_on_after_the_last_picture(tmp_path: Path, decomposer: Decomposer, name: str) -> None:
    """All of it is kept, and the file is not called a truncated one; the number of frames is known."""
    images = [np.full((64, 96, 3), 8 * k, np.uint8) for k in range(10)]
    clip = write_clip(tmp_path / name, images, audio="aac", sound_s=3)
    assert open_clip(clip).frames == 10
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = make_video(clip, tmp_path / "out.mp4", decomposer, "albedo")
    before, after = audio_packets(clip), audio_packets(tmp_path / "out.mp4")
    assert report.frames == 10 and [data for _, data in after] == [data for _, data in before]
    assert after[-1][0] == pytest.approx(before[-1][0], abs=0.002) and after[-1][0] > 2.9


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_uneven_times_and_sound_are_in_step_after_a_minute(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    pts = np.concatenate([[0], np.cumsum(rng.integers(STEP // 2, 6 * STEP, 500))]).tolist()
    length_s = float(pts[-1] * TIME_BASE)
    assert length_s > 60
    images = [np.full((32, 48, 3), 40 + k % 5, np.uint8) for k in range(len(pts))]
    clip = write_clip(tmp_path / "clip.mp4", images, pts, audio="aac")
    out = tmp_path / f"out{suffix}"
    coding, parts = coding_for(out), Parts(out, {"job": 1})
    for number, start in enumerate(range(0, len(pts), 250)):
        with PartWriter(parts.path(number), coding, (32, 48), TIME_BASE, 12.0) as writer:
            for image, time in zip(images[start : start + 250], pts[start : start + 250], strict=True):
                writer.add(image, time)
        parts.save_state(number + 1, {})
    join(parts, parts.done(), clip, coding, TIME_BASE)
    before, after = decode(clip)[1], decode(out)[1]
    np.testing.assert_allclose(np.array(after) - after[0], np.array(before) - before[0], atol=0.0011)
    sound = audio_packets(clip)[-1][0] - before[-1], audio_packets(out)[-1][0] - after[-1]
    assert sound[1] == pytest.approx(sound[0], abs=0.03)


def test_a_face_that_leaves_and_comes_back(tmp_path: Path, decomposer: Decomposer) -> None:
    there = pictures(6)
    empty = [np.full_like(there[0], 90)] * 8
    clip = write_clip(tmp_path / "clip.mkv", [*there, *empty, *there], codec="ffv1")
    report = make_video(clip, tmp_path / "out.mkv", decomposer, "albedo", every=2)
    found = decode(tmp_path / "out.mkv")[0]
    assert report.frames == 20 and report.with_face >= 11  # found again at the second frame at the latest
    for gone in found[6:14]:
        np.testing.assert_array_equal(gone, empty[0])  # no ghost stays behind
    first, back = (np.abs(found[k].astype(int) - there[0]).mean() for k in (1, 15))
    assert first > 1 and back == pytest.approx(first, rel=0.2)


def crossing(count: int) -> tuple[list[np.ndarray], list[tuple[float, float]]]:
    """A light face that goes to the right before a darker one that goes to the left, and x of both noses [px]."""
    light = pictures(1, size=(200, 240))[0]
    points = find_faces(light)[0].landmarks[:, :2].astype(np.float32)
    nose = float(points[4, 0])
    head = cv2.fillConvexPoly(np.zeros(light.shape[:2], np.float32), cv2.convexHull(points).astype(int), 1.0)
    alpha = cv2.GaussianBlur(cv2.dilate(head, np.ones((21, 21))), (0, 0), 3.0)
    dark = np.round(255 * (light / 255) ** 1.9).astype(np.uint8)
    images, noses = [], []
    for part in np.linspace(0, 1, count):
        image, at = np.full((200, 420, 3), 110.0), (20 + 200 * part, 220 - 200 * part)
        for colours, x in ((dark, at[1]), (light, at[0])):
            moved = np.array([[0.75, 0, x], [0, 0.75, 20]])
            over, share = (cv2.warpAffine(v, moved, (420, 200)) for v in (colours, alpha))
            image += share[..., None] * (over - image)
        images.append(np.round(image).astype(np.uint8))
        noses.append((at[0] + 0.75 * nose, at[1] + 0.75 * nose))
    return images, noses


def test_two_faces_that_cross(tmp_path: Path, decomposer: Decomposer) -> None:
    """The one in front keeps its number, the other is found again soon, and neither gets the other's albedo."""
    images, noses = crossing(40)
    tracker = FaceTracker()
    seen = [{each.track: float(each.face.landmarks[4, 0]) for each in tracker(image)} for image in images]
    front = min(seen[0], key=lambda track: abs(seen[0][track] - noses[0][0]))
    for found, (at, _) in zip(seen, noses, strict=True):
        assert found[front] == pytest.approx(at, abs=8)
    assert min(len(found) for found in seen) == 1  # it was hidden
    clear = [k for k, (a, b) in enumerate(noses) if a - b > 75]
    for k in clear[6:]:
        assert len(seen[k]) == 2 and min(seen[k].values()) == pytest.approx(noses[k][1], abs=8)
    clip = write_clip(tmp_path / "clip.mkv", images, codec="ffv1")
    make_video(clip, tmp_path / "out.mkv", decomposer, "albedo", every=2)
    shown = decode(tmp_path / "out.mkv")[0]

    def levels(number: int) -> np.ndarray:
        """Mean code of a square about each nose, in the albedo and in the clip."""
        squares = [(slice(70, 130), slice(round(x) - 20, round(x) + 20)) for x in noses[number]]
        return np.array([[frame[number][square].mean() for square in squares] for frame in (shown, images)])

    first, last = levels(2), levels(39)
    np.testing.assert_allclose(last, first, rtol=0.08)
    assert abs(first[0, 0] - first[0, 1]) > 25 and np.abs(first[0] - first[1]).max() > 5
