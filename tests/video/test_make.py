"""Clips in, clips out: faces followed, times, sound and size kept, killed runs taken up, bad input told."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from clips import audio_packets, decode, pan, pictures, turn, write_clip
from face_scene import scene
from fake_jobs import wait_for
from illures.cli import main
from illures.decompose.decomposer import Decomposer
from illures.errors import InputError, InputWarning
from illures.io.photos import as_linear
from illures.relighting.light import Light
from illures.video.frames import decompose_clip
from illures.video.make import make_video
from illures.video.prefetch import prefetch
from illures.video.read import open_clip
from illures.video.render import show_frame
from illures.video.write import held

LIGHT = Light.from_direction(60, 20)


@pytest.fixture(scope="module")
def decomposer() -> Decomposer:
    from illures.model.predictor import Predictor
    from illures.model.weights import read_weights

    return Decomposer(Predictor(read_weights(None), threads=1), size=64)


def test_times_sound_and_size_are_the_clips(tmp_path: Path, decomposer: Decomposer) -> None:
    pts = [0, 512, 1100, 1500, 3000, 3100, 4000, 5000]
    clip = write_clip(tmp_path / "clip.mp4", pictures(8, pan), pts, audio="aac")
    out = tmp_path / "out.mp4"
    report = make_video(clip, out, decomposer, "albedo", part_frames=3)
    assert (report.frames, report.with_face, report.cuts, report.resumed) == (8, 8, 0, 0)
    (before, times), (after, out_times) = decode(clip), decode(out)
    assert out_times == times
    assert after[0].shape == before[0].shape
    assert [data for _, data in audio_packets(out)] == [data for _, data in audio_packets(clip)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]
    # Outside the face the frame is as it was, inside it is not.
    change = np.abs(after[4].astype(int) - before[4]).mean(-1)
    assert change[:, -30:].mean() < 4 and change.max() > 30


@pytest.mark.parametrize("degrees", [90, 180])
def test_a_turned_clip_comes_out_upright(tmp_path: Path, decomposer: Decomposer, degrees: int) -> None:
    images = pictures(3)
    stored = [np.rot90(image, degrees // 90) for image in images]
    clip = write_clip(tmp_path / "clip.mp4", stored, turned=degrees)
    report = make_video(clip, tmp_path / "out.mp4", decomposer, "albedo")
    after = decode(tmp_path / "out.mp4")[0]
    assert report.with_face == 3 and after[0].shape == images[0].shape
    assert np.abs(after[0].astype(int) - images[0])[:, -30:].mean() < 4


def test_a_cut_begins_anew(tmp_path: Path, decomposer: Decomposer) -> None:
    other = [np.ascontiguousarray(255 - image[:, ::-1]) // 3 for image in pictures(4)]
    clip = write_clip(tmp_path / "clip.mp4", [*pictures(6), *other, *pictures(6)])
    frames = list(decompose_clip(clip, decomposer))
    assert [i for i, frame in enumerate(frames) if frame.cut] == [6, 10]
    alone = list(decompose_clip(write_clip(tmp_path / "alone.mp4", pictures(6)), decomposer))
    # Nothing of the first shot or of the one between is left.
    np.testing.assert_allclose(frames[10].faces[0].albedo, alone[0].faces[0].albedo, atol=0.02)


def test_killed_and_resumed_gives_the_same_frames(tmp_path: Path, decomposer: Decomposer) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pictures(14, pan, noise=3.0), audio="aac")
    whole, broken = tmp_path / "whole.mkv", tmp_path / "broken.mkv"
    make_video(clip, whole, decomposer, "relit", LIGHT, part_frames=4)

    def stop(done: int, total: int | None) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_video(clip, broken, decomposer, "relit", LIGHT, part_frames=4, progress=stop)
    assert not broken.exists()
    report = make_video(clip, broken, decomposer, "relit", LIGHT, part_frames=4)
    assert report.resumed == 8 and report.frames == report.with_face == 14
    (a, times), (b, resumed_times) = decode(whole), decode(broken)
    assert times == resumed_times
    np.testing.assert_array_equal(np.stack(a), np.stack(b))
    assert not (tmp_path / "broken.mkv.parts").exists()


def test_another_look_does_not_go_on_from_the_parts_of_the_first(tmp_path: Path, decomposer: Decomposer) -> None:
    clip, out = write_clip(tmp_path / "clip.mp4", pictures(4)), tmp_path / "out.mkv"

    def stop(done: int, total: int | None) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_video(clip, out, decomposer, "normal", part_frames=2, progress=stop)
    assert make_video(clip, out, decomposer, "albedo", part_frames=2).resumed == 0


def test_a_killed_process_goes_on(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pictures(40))
    code = (
        "import sys; from pathlib import Path; from illures.decompose.decomposer import Decomposer\n"
        "from illures.video.make import make_video\n"
        f"make_video(Path({str(clip)!r}), Path(sys.argv[1]), Decomposer.from_pretrained(size=64), 'albedo', "
        "part_frames=3)"
    )
    out = tmp_path / "out.mp4"
    process = subprocess.Popen([sys.executable, "-c", code, str(out)])
    parts = tmp_path / "out.mp4.parts"
    wait_for(lambda: (parts / "000002.npz").exists() or process.poll() is not None)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(300)
    if not out.exists():  # else it was too fast to be killed
        left = sorted(path.name for path in parts.iterdir())
        assert "000001.nut" in left
    subprocess.run([sys.executable, "-c", code, str(out)], check=True, timeout=600)
    assert len(decode(out)[0]) == 40 and not parts.exists()


def test_no_face_leaves_the_clip_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, 16, 16, 3)).astype(np.uint8)
    images = [cv2.resize(image, (160, 120), interpolation=cv2.INTER_CUBIC) for image in noise]
    clip, out = write_clip(tmp_path / "clip.mp4", images), tmp_path / "out.mkv"
    with pytest.raises(SystemExit) as end:
        main(["video", str(clip), "-o", str(out), "--show", "albedo"])
    assert end.value.code == 0
    said = capsys.readouterr().err
    assert "no face found in 3 frames" in said
    assert re.search(r"^frames: \d of 3", said, re.MULTILINE) and re.search(r"^frames: 3 of 3", said, re.MULTILINE)
    assert np.abs(np.stack(decode(out)[0]).astype(int) - np.stack(decode(clip)[0])).max() <= 2


def damage(clip: Path, number: int) -> Path:
    """Noise in place of the data of one frame."""
    with av.open(str(clip)) as container:
        packet = [p for p in container.demux(video=0) if p.size][number]
        start, size = packet.pos, packet.size
    data = bytearray(clip.read_bytes())
    data[start + 4 : start + size] = np.random.default_rng(0).integers(0, 255, size - 4, np.uint8).tobytes()
    clip.write_bytes(data)
    return clip


@pytest.mark.parametrize("skip", [False, True])
def test_a_broken_frame(tmp_path: Path, decomposer: Decomposer, skip: bool) -> None:
    clip = damage(write_clip(tmp_path / "clip.mp4", pictures(30, noise=8.0)), 17)
    out = tmp_path / "out.mp4"
    if not skip:
        with pytest.raises(InputError, match=r"clip\.mp4: a frame at about 0\..* up to 0\.\d\d s is kept in .*parts"):
            make_video(clip, out, decomposer, "albedo", part_frames=4)
        assert not out.exists() and (tmp_path / "out.mp4.parts").exists()
        return
    report = make_video(clip, out, decomposer, "albedo", part_frames=4, skip_broken=True)
    times = decode(out)[1]
    assert len(report.broken) >= 1 and 20 <= report.frames == len(times) < 30
    assert times[0] == 0 and times[-1] == pytest.approx(29 / 25, abs=0.01)
    # Up to the broken frame and from the next key frame but one at the latest, every frame is there.
    lost = set(range(30)) - {round(25 * time) for time in times}
    assert lost and min(lost) >= 10 and max(lost) < 27


def test_a_broken_middle_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = damage(write_clip(tmp_path / "clip.mp4", pictures(30, noise=8.0)), 17)
    command = ["video", str(clip), "-o", str(tmp_path / "out.mp4"), "--show", "albedo", "--size", "64", "--skip-broken"]
    with pytest.raises(SystemExit) as end:
        main(command)
    said = capsys.readouterr().err
    assert end.value.code == 0
    assert re.search(r"warning: \S*clip\.mp4: a frame at about 0\.\d+ s can't be decoded .* is shown longer", said), (
        said
    )


def test_a_clip_that_was_cut_is_said(tmp_path: Path, decomposer: Decomposer) -> None:
    """Its header tells of 4 s, its frames end at 2 s."""
    clip = write_clip(tmp_path / "clip.mkv", [image[:48, :64] for image in pictures(100)], codec="ffv1")
    with av.open(str(clip)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    clip.write_bytes(clip.read_bytes()[: packets[50].pos])
    with pytest.warns(InputWarning, match=r"clip\.mkv: ends too early: it says that it is 4\.0 s long.* at [12]\.\d s"):
        report = make_video(clip, tmp_path / "out.mkv", decomposer, "albedo")
    assert 40 <= report.frames <= 50


def test_one_process_at_a_time_writes_a_clip(tmp_path: Path, decomposer: Decomposer) -> None:
    clip, out = write_clip(tmp_path / "clip.mp4", pictures(2)), tmp_path / "out.mkv"
    with held(out), pytest.raises(InputError, match=r"out\.mkv\.parts: another command is writing"):
        make_video(clip, out, decomposer, "albedo")
    assert make_video(clip, out, decomposer, "albedo").frames == 2 and not (tmp_path / "out.mkv.parts").exists()


def test_bad_input(tmp_path: Path, decomposer: Decomposer) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pictures(2))
    (tmp_path / "text.mp4").write_text("no clip")
    for source, out, show, words in [
        (clip, tmp_path / "out.avi", "albedo", "unknown kind of video"),
        (clip, clip, "albedo", "is the clip itself"),
        (clip, tmp_path / "out.mp4", "relit", "needs a light"),
        (tmp_path / "text.mp4", tmp_path / "out.mp4", "albedo", "text.mp4"),
        (tmp_path / "none.mp4", tmp_path / "out.mp4", "albedo", "none.mp4"),
    ]:
        with pytest.raises(InputError, match=words):
            make_video(source, out, decomposer, show)
    assert not (tmp_path / "out.mp4").exists() and not (tmp_path / "out.mp4.parts").exists()


def test_light_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip, out = write_clip(tmp_path / "clip.mp4", pictures(2)), tmp_path / "out.mp4"
    for options, said in [
        (["--light", "nonsense"], "nonsense"),
        (["--light", "split", "1,2"], "more than one light"),
        (["--show", "relit"], "no light"),
        (["--show", "albedo", "--light", "split"], "takes no light"),
        (["--light", "1,2", "--every", "0"], "every 0"),
    ]:
        with pytest.raises(SystemExit) as end:
            main(["video", str(clip), "-o", str(out), *options])
        assert end.value.code == 2 and said in capsys.readouterr().err
    assert not out.exists()
    with pytest.raises(SystemExit) as end:
        main(["video", str(clip), "-o", str(out), "--light", "-60,10", "--size", "64"])
    assert end.value.code == 0 and len(decode(out)[0]) == 2


def test_grid_has_all_tiles_and_keeps_the_clips_shape(tmp_path: Path, decomposer: Decomposer) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pictures(2))
    make_video(clip, tmp_path / "out.mkv", decomposer, "grid", LIGHT)
    info = open_clip(tmp_path / "out.mkv")
    assert (info.height, info.width) == (400, 720)


def test_albedo_of_a_known_face_is_its_albedo() -> None:
    known = scene(size=128)
    shown = as_linear(show_frame(known.photo, [known.face], "albedo"))
    inside = cv2.erode(known.mask.astype(np.uint8), np.ones((31, 31))) > 0
    assert np.abs(shown - known.albedo)[inside].mean() < 0.02
    far = cv2.dilate(known.mask.astype(np.uint8), np.ones((15, 15))) == 0
    np.testing.assert_array_equal(show_frame(known.photo, [known.face], "albedo")[far], known.photo[far])


def test_maps_add_up_to_the_frame() -> None:
    from illures.io.formats import Format

    known, codes = scene(size=128), Format("png")
    decoded = {
        name: codes.decode(name, show_frame(known.photo, [known.face], name))
        for name in ("albedo", "shading", "residual")
    }
    total = decoded["albedo"] * decoded["shading"] + decoded["residual"]
    seen = cv2.erode(known.mask.astype(np.uint8), np.ones((31, 31))) > 0
    assert np.abs(total - as_linear(known.photo))[seen].mean() < 0.01


def test_relit_face_is_brighter_where_the_light_is() -> None:
    known = scene(size=128, roll_deg=0)
    calm = replace(known.face, crop=replace(known.face.crop, face=known.face.crop.face))
    sides = {}
    for azimuth in (-70, 70):
        shown = as_linear(show_frame(known.photo, [calm], "relit", Light.from_direction(azimuth, 0))).mean(-1)
        sides[azimuth] = shown[150:190, 150:190].mean() - shown[150:190, 240:280].mean()
    assert sides[-70] > 0.05 and sides[70] < -0.05


def test_work_ahead_passes_errors_on_and_stops() -> None:
    made = []

    def numbers():
        for number in range(1000):
            made.append(number)
            yield number
            if number == 5:
                raise InputError("five")

    with pytest.raises(InputError, match="five"):
        assert list(prefetch(numbers())) == []
    assert made == list(range(6))
    made.clear()
    items = prefetch(iter(range(1000)))
    assert next(items) == 0
    items.close()


def test_turn_writes_what_the_reader_reads(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pictures(1))
    assert (open_clip(clip).height, open_clip(clip).width) == (200, 240)
    turn(clip, 90)
    assert (open_clip(clip).height, open_clip(clip).width) == (240, 200)
