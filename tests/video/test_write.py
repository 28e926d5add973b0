"""Parts and their joining: times, sound and colours arrive; nothing half-made is taken for whole."""

from pathlib import Path

import numpy as np
import pytest

from clips import STEP, TIME_BASE, audio_packets, decode, pictures, write_clip
from illures.errors import InputError
from illures.video.remux import join, time_base_of
from illures.video.write import CODINGS, Parts, PartWriter, coding_for


def encode(out: Path, clip: Path, images: list[np.ndarray], pts: list[int], split: int) -> None:
    """Two parts, joined."""
    coding, parts = coding_for(out), Parts(out, {"job": 1})
    for number, chosen in enumerate((slice(None, split), slice(split, None))):
        with PartWriter(parts.path(number), coding, images[0].shape[:2], TIME_BASE, 25.0) as writer:
            for image, time in zip(images[chosen], pts[chosen], strict=True):
                writer.add(image, time)
        parts.save_state(number + 1, {})
    join(parts, parts.done(), clip, coding, TIME_BASE)


@pytest.mark.parametrize("suffix", CODINGS)
def test_every_container_keeps_frames_and_uneven_times(tmp_path: Path, suffix: str) -> None:
    images, pts = pictures(6), [700, 1000, 1800, 2000, 4000, 4100]
    clip = write_clip(tmp_path / "clip.mp4", images, pts)
    out = tmp_path / f"out{suffix}"
    encode(out, clip, images, pts, 4)
    found, times = decode(out)
    exact = suffix in (".mp4", ".m4v", ".mov")  # Matroska counts milliseconds
    np.testing.assert_allclose(times, [float(t * TIME_BASE) for t in pts], atol=1e-9 if exact else 0.0006)
    tolerance = 0 if suffix == ".mkv" else 6
    for image, seen in zip(images, found, strict=True):
        assert np.abs(image.astype(int) - seen).mean() <= tolerance


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "aac"), (".mkv", "aac"), (".webm", "libopus"), (".mov", "aac")])
def test_sound_is_copied_packet_by_packet(tmp_path: Path, suffix: str, codec: str) -> None:
    images, pts = pictures(10), [STEP * i for i in range(10)]
    clip = write_clip(tmp_path / ("clip.webm.mkv" if codec == "libopus" else "clip.mp4"), images, pts, audio=codec)
    out = tmp_path / f"out{suffix}"
    encode(out, clip, images, pts, 5)
    before, after = audio_packets(clip), audio_packets(out)
    assert [data for _, data in after] == [data for _, data in before]
    # Matroska shifts everything where sound begins before 0, as AAC does: it must stay with the pictures.
    shift = decode(out)[1][0] - decode(clip)[1][0]
    np.testing.assert_allclose([t - shift for t, _ in after], [t for t, _ in before], atol=0.0015)


def test_sound_that_the_container_cannot_hold_is_encoded_anew(tmp_path: Path) -> None:
    images, pts = pictures(10), [STEP * i for i in range(10)]
    clip = write_clip(tmp_path / "clip.mp4", images, pts, audio="aac")
    out = tmp_path / "out.webm"
    encode(out, clip, images, pts, 5)
    assert _tone_hz(out) == pytest.approx(_tone_hz(clip), abs=5) == pytest.approx(440, abs=5)


def _tone_hz(path: Path) -> float:
    import av

    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.rate == 48000
        samples = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)]).astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * 48000 / len(samples))


def test_a_part_that_fails_leaves_nothing(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "out.mp4", {})
    with (
        pytest.raises(KeyboardInterrupt),
        PartWriter(parts.path(0), CODINGS[".mp4"], (64, 64), TIME_BASE, 25.0) as part,
    ):
        part.add(np.zeros((64, 64, 3), np.uint8), 0)
        raise KeyboardInterrupt
    assert [path.name for path in parts.folder.iterdir()] == ["job.json"]


def test_a_part_counts_once_its_state_is_kept(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "out.mp4", {"show": "albedo"})
    parts.path(0).touch()
    assert parts.done() == 0
    parts.save_state(1, {"a": np.arange(3)})
    parts.path(1).touch()
    assert parts.done() == 1
    again = Parts(tmp_path / "out.mp4", {"show": "albedo"})
    assert again.done() == 1 and again.load_state(1)["a"].tolist() == [0, 1, 2]
    assert Parts(tmp_path / "out.mp4", {"show": "normal"}).done() == 0


def test_a_folder_of_that_name_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out.mp4.parts").mkdir()
    (tmp_path / "out.mp4.parts" / "mine.txt").touch()
    with pytest.raises(InputError, match="not written by illures"):
        Parts(tmp_path / "out.mp4", {})
    assert (tmp_path / "out.mp4.parts" / "mine.txt").exists()


def test_a_damaged_note_of_the_job_is_that_of_another_job(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "out.mp4", {"clip": "a"})
    parts.path(0).touch()
    (parts.folder / "job.json").write_bytes(b"\xff\xfe{")
    assert Parts(tmp_path / "out.mp4", {"clip": "a"}).done() == 0 and not parts.path(0).exists()


def test_unknown_suffix() -> None:
    with pytest.raises(InputError, match="must end in .mp4"):
        coding_for(Path("out.avi"))


def test_time_base_of_a_clip(tmp_path: Path) -> None:
    assert time_base_of(write_clip(tmp_path / "clip.mp4", pictures(2))) == TIME_BASE


@pytest.mark.parametrize("name", ["out.mov", "out.mkv", "out.%03d.png"])
def test_alpha_is_kept(tmp_path: Path, name: str) -> None:
    import av

    rng = np.random.default_rng(0)
    images = [np.dstack([p, np.full(p.shape[:2], 20 + 30 * i, np.uint8)]) for i, p in enumerate(pictures(4))]
    images[2][:40, :, 3] = rng.integers(0, 255)
    clip = write_clip(tmp_path / "clip.mp4", pictures(4), [STEP * i for i in range(4)], audio="aac")
    coding, parts = coding_for(tmp_path / name, alpha=True), Parts(tmp_path / name, {"job": 1})
    with PartWriter(parts.path(0), coding, images[0].shape[:2], TIME_BASE, 25.0) as writer:
        for number, image in enumerate(images):
            writer.add(image, STEP * number)
    parts.save_state(1, {})
    join(parts, 1, clip, coding, TIME_BASE)
    where = tmp_path / name
    seen = []
    with av.open(str(where), **({"format": "image2"} if "%" in name else {})) as container:
        for frame in container.decode(video=0):
            assert "a" in frame.format.name
            seen.append(frame.to_ndarray(format="rgba"))
    if name.endswith(".mov"):  # by this code in the file players choose the decoder; those of 422 know no alpha
        data = where.read_bytes()
        assert b"ap4h" in data and b"apch" not in data
    for image, found in zip(images, seen, strict=True):
        tolerance = 6 if name.endswith(".mov") else 0
        assert np.abs(image.astype(int) - found)[..., 3].max() <= tolerance
        assert np.abs(image.astype(int) - found)[..., :3].mean() <= tolerance


def test_alpha_needs_a_file_that_holds_it(tmp_path: Path) -> None:
    for name in ("out.mp4", "out.webm", "out.%04d.jpg"):
        with pytest.raises(InputError, match="alpha"):
            coding_for(tmp_path / name, alpha=True)
