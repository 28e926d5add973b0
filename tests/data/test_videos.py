"""Clips to shards: the frames that differ most, cut out where the face is, the same bytes however they are made."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from clips import pictures, still, write_clip
from illures.cli import main
from illures.data import videos
from illures.data.candidates import VideoRecipe, best_frames
from illures.data.choice import describe, farthest, measure
from illures.data.footage import Footage, find_footage, read_points
from illures.data.frames import read_frame_shards
from illures.data.videos import make_videos
from illures.errors import InputError
from illures.faces import crop_face, extract, face_mask, find_faces, points68, to_crop
from illures.faces.atlas import canonical_points
from illures.faces.contour import INDICES
from illures.faces.pose import head_pose, pose_free

SIZE = (240, 280)
RECIPE = VideoRecipe(frames_per_clip=5, per_second=100, least_change=0.05)


def lit(picture: np.ndarray, slope: float) -> np.ndarray:
    """The picture under a light from image right (positive) or left."""
    ramp = 1 + slope * np.linspace(-1, 1, picture.shape[1])[None, :, None]
    return np.clip(picture * ramp, 0, 255).astype(np.uint8)


def swinging(count: int = 12) -> list[np.ndarray]:
    """The light goes from left to right; the first and the last frame are the extremes."""
    face = pictures(1, still, size=SIZE)[0]
    return [lit(0.6 * face, slope) for slope in np.linspace(-0.6, 0.6, count)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "a.light.mp4", swinging())
    write_clip(folder / "b.mp4", swinging(6))
    write_clip(folder / "empty.mp4", [np.full((*SIZE, 3), 90, np.uint8)] * 4)
    (folder / "text.mp4").write_text("no video")
    return folder


@pytest.fixture(scope="module")
def made(clips, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made")
    make_videos(find_footage([clips])[0], out, RECIPE, workers=1)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def test_the_frames_kept_differ_most_and_show_the_face(made) -> None:
    frames = list(read_frame_shards([made / "a_light.tar"]))
    assert [f.frame for f in frames] == sorted(f.frame for f in frames)
    assert len(frames) == 5 and frames[0].frame <= 1 and frames[-1].frame >= 10
    for frame in frames:
        picture = swinging()[frame.frame]
        face = find_faces(picture)[0]
        crop = crop_face(face, SIZE, 128)
        assert np.abs(extract(picture, crop).astype(int) - frame.image).mean() < 6
        error = np.linalg.norm(to_crop(face.landmarks, crop)[:, :2] - frame.landmarks[:, :2], axis=1)
        assert error.mean() < 2
        assert frame.mask.sum() == pytest.approx(face_mask(frame.image / np.float32(255), frame.landmarks).sum())
        assert (frame.clip, frame.identity, frame.shot) == ("a_light", "a_light", 0)
        assert frame.time_s == pytest.approx(frame.frame / 25, abs=1e-3)
        assert frame.score > 0.8 and abs(frame.pose.yaw_deg) < 25


def test_a_clip_that_fails_is_told_and_stops_nothing(made) -> None:
    report = json.loads((made / "report.json").read_text())
    errors = {each["clip"]: each["error"] for each in report["each"]}
    assert errors["a_light"] is None and errors["b"] is None
    assert "no face found" in errors["empty"] and "not a readable video" in errors["text"]
    assert report["failed"] == 2 and report["kept"] == 10 and report["identities"] == 2
    assert {path.name for path in made.glob("*.tar")} == {"a_light.tar", "b.tar"}
    for each in report["each"]:
        assert each["looked"] == each["kept"] + sum(each["rejected"].values())


def test_processes_write_the_bytes_that_one_does(clips, made, tmp_path) -> None:
    make_videos(find_footage([clips])[0], tmp_path, RECIPE, workers=2)
    assert contents(tmp_path) == contents(made)


def test_what_is_done_is_not_done_again(clips, made, tmp_path, monkeypatch) -> None:
    whole = contents(made)
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "b.tar").unlink()
    (tmp_path / ".a.tar.partial-1").write_bytes(b"half")
    done = []
    monkeypatch.setattr(
        videos, "best_frames", lambda clip, recipe: (done.append(clip.name), best_frames(clip, recipe))[1]
    )
    footage = find_footage([clips])[0]
    make_videos(footage, tmp_path, RECIPE, workers=1)
    assert done == ["b", "empty", "text"]  # those that failed are tried again
    assert contents(tmp_path) == whole
    # Another identity, and another file under the same name.
    done.clear()
    named = [Footage(f.path, f.name, "somebody" if f.name == "b" else f.identity) for f in footage[:2]]
    make_videos(named, tmp_path, RECIPE, workers=1)
    assert done == ["b"]
    assert {f.identity for f in read_frame_shards([tmp_path / "b.tar"])} == {"somebody"}


def test_another_recipe_may_not_join(clips, made) -> None:
    with pytest.raises(InputError, match="another recipe"):
        make_videos(find_footage([clips])[0], made, VideoRecipe(size=256), workers=1)
    with pytest.raises(InputError, match="frames_per_clip = 0"):
        VideoRecipe(frames_per_clip=0)
    with pytest.raises(InputError, match="workers = 0"):
        make_videos([], made, RECIPE, workers=0)


def test_the_command_says_what_it_skipped(clips, tmp_path, capsys) -> None:
    arguments = ["videos", str(clips / "b.mp4"), str(tmp_path / "none.mp4"), "-o", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as exit:
        main([*arguments, "--frames-per-clip", "2", "--size", "256", "--workers", "1", "--smallest", "0.3"])
    assert exit.value.code == 2
    out, err = capsys.readouterr()
    assert "1 clips: 2 frames of 1 people" in out and "1 skipped" in out and "none.mp4" in err
    assert next(read_frame_shards([tmp_path / "out" / "b.tar"])).image.shape == (256, 256, 3)


def test_blurred_dark_small_and_cut_off_frames_are_left_out(tmp_path) -> None:
    good = swinging(4)
    soft = [cv2.GaussianBlur(picture, (0, 0), 4) for picture in good]
    dark = [(0.01 * picture).astype(np.uint8) for picture in good]
    small = pictures(4, lambda k: (0.0, 0.0, 0.5), size=SIZE)
    cut = pictures(4, lambda k: (-95.0, 0.0, 1.0), size=SIZE)
    clip = Footage(write_clip(tmp_path / "a.mp4", good + soft[::-1]), "a", "a")
    kept, tally = best_frames(clip, VideoRecipe(per_second=100, least_change=0))
    assert [f.frame for f in kept] == [0, 1, 2, 3] and tally.rejected["blurred"] == 4
    for pictures_, reason in [(dark, "too dark"), (small, "face too small"), (cut, "cut off by the frame")]:
        kept, tally = best_frames(Footage(write_clip(tmp_path / "b.mp4", pictures_), "b", "b"), RECIPE)
        assert not kept
        assert tally.rejected[reason] == tally.looked


def test_shots_are_counted_and_the_main_face_is_the_largest(tmp_path) -> None:
    first = swinging(5)
    rng = np.random.default_rng(0)
    blocks = cv2.resize(rng.integers(0, 255, (6, 7, 3), np.uint8), SIZE[::-1], interpolation=cv2.INTER_NEAREST)
    second = [np.where(np.arange(SIZE[1])[None, :, None] < 20, blocks, p[:, ::-1]) for p in swinging(5)]
    path = write_clip(tmp_path / "a.mp4", first + [blocks] * 3 + second)
    kept, tally = best_frames(Footage(path, "a", "a"), VideoRecipe(per_second=100, least_change=0))
    assert tally.shots == 3
    assert {f.shot for f in kept} == {0, 2}
    assert all((f.frame < 5) == (f.shot == 0) for f in kept)


def write_points(path: Path, points: np.ndarray) -> None:
    lines = "\n".join(f"{x:.3f} {y:.3f}" for x, y in points + 1)
    path.write_text(f"version: 1\nn_points: {len(points)}\n{{\n{lines}\n}}\n")


def test_300vw_is_aligned_by_its_own_points(tmp_path) -> None:
    folder = tmp_path / "300VW" / "007"
    (folder / "annot").mkdir(parents=True)
    images = swinging(4)
    write_clip(folder / "vid.avi", images)
    points = points68(find_faces(images[0])[0].landmarks)[:, :2].astype(float)
    for k in (0, 1, 3):  # the third frame is not annotated
        write_points(folder / "annot" / f"{k + 1:06d}.pts", points + [6, 0])
    (clip,), problems = find_footage([tmp_path / "300VW"])
    assert (clip.name, problems) == ("007", [])
    kept, _ = best_frames(clip, VideoRecipe(per_second=100, least_change=0))
    assert [f.frame for f in kept] == [0, 1, 3]
    plain, _ = best_frames(Footage(clip.path, "x", "x"), VideoRecipe(per_second=100, least_change=0))
    # The crop follows the annotation, 6 px to the right: our own landmarks move to the left in it.
    scale = np.ptp(plain[0].landmarks[:, 0]) / np.ptp(find_faces(images[0])[0].landmarks[:, 0])
    moved = kept[0].landmarks[:, :2].mean(0) - plain[0].landmarks[:, :2].mean(0)
    np.testing.assert_allclose(moved, [-6 * scale, 0], atol=1.5)
    write_points(folder / "annot" / "000002.pts", points[:67])
    with pytest.raises(InputError, match=r"000002\.pts: holds 67 points"):
        best_frames(clip, RECIPE)
    (folder / "annot" / "000002.pts").write_text("{ a b }")
    with pytest.raises(InputError, match="not a readable .pts"):
        read_points(folder / "annot" / "000002.pts")


def test_who_is_who_comes_from_the_table(clips, tmp_path) -> None:
    table = tmp_path / "people.tsv"
    table.write_text("file\tidentity\tnote\nb.mp4\tann\t\na.light.mp4\tann\t\n")
    people = {f.name: f.identity for f in find_footage([clips], table)[0]}
    assert people == {"a_light": "ann", "b": "ann", "empty": "empty", "text": "text"}
    table.write_text("file\twho\nb.mp4\tann\n")
    with pytest.raises(InputError, match="'identity'"):
        find_footage([clips], table)
    with pytest.raises(InputError, match="not a readable table"):
        find_footage([clips], tmp_path / "none.tsv")


def test_clips_are_named_once(clips, tmp_path) -> None:
    (tmp_path / "b.mp4").write_bytes((clips / "b.mp4").read_bytes())
    footage, problems = find_footage([clips / "b.mp4", tmp_path / "b.mp4", clips, tmp_path / "empty"])
    assert [f.name for f in footage] == ["b", "b-2", "a_light", "empty", "text"]
    assert [path.name for path, _ in problems] == ["empty"]


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (-45, 10, 5), (20, -15, -20)])
def test_head_pose_finds_the_rotation_of_the_canonical_face(angles) -> None:
    yaw, pitch, roll = angles
    turned = Rotation.from_euler("YXZ", [yaw, -pitch, roll], degrees=True).apply(canonical_points())
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:468] = 7 * turned * [1, -1, 1] + [100, 80, 0]
    pose = head_pose(landmarks)
    np.testing.assert_allclose([pose.yaw_deg, pose.pitch_deg, pose.roll_deg], angles, atol=1e-3)
    np.testing.assert_allclose(pose_free(landmarks), 0, atol=1e-5)


def test_turning_moving_and_relighting_a_face_each_count() -> None:
    picture = pictures(1, still, size=SIZE)[0]
    face = find_faces(picture)[0]
    crop = crop_face(face, SIZE, 128)
    image, landmarks = extract(picture, crop), to_crop(face.landmarks, crop)
    mask = face_mask(image.astype(np.float32) / 255, landmarks)
    plain = describe(image, landmarks, mask)
    turned, open_mouth = landmarks.copy(), landmarks.copy()
    about = Rotation.from_euler("Y", 24, degrees=True)
    turned = about.apply((landmarks - landmarks.mean(0)) * [1, -1, 1]) * [1, -1, 1] + landmarks.mean(0)
    open_mouth[INDICES[48:68], 1] += 8
    pose = np.linalg.norm((describe(image, turned.astype(np.float32), mask) - plain)[:3])
    mouth = np.linalg.norm(describe(image, open_mouth, mask) - plain)
    light = np.linalg.norm(describe(lit(image, 0.7), landmarks, mask) - plain)
    shifted = describe(image, landmarks + np.float32([0.3, 0, 0]), mask)
    assert pose == pytest.approx(2, abs=0.1)  # 24° in units of 12°
    assert mouth > 0.3 and light > 0.8 and np.linalg.norm(shifted - plain) < 0.2


def test_sharpness_and_exposure() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(60, 200, (64, 64, 3), np.uint8)
    mask = np.zeros((64, 64), np.float32)
    mask[8:56, 8:56] = 1
    soft = measure(cv2.GaussianBlur(image, (0, 0), 2), mask)
    assert soft.sharpness < 0.3 * measure(image, mask).sharpness
    side = measure(lit(0.6 * image, 0.6), mask)
    assert side.sharpness == pytest.approx(measure(image, mask).sharpness, rel=0.15)
    half = image.copy()
    half[:, :32], half[:32, 32:] = 255, 0
    quality = measure(half, mask)
    assert quality.clipped == pytest.approx(0.5) and quality.black == pytest.approx(0.25)


def test_farthest_points_cover() -> None:
    line = np.array([[0.0], [0.1], [5.0], [5.2], [10.0], [2.4]])
    assert farthest(line, 0, 3, 0.0).tolist() == [0, 4, 2]
    assert farthest(line, 0, 10, 1.0).tolist() == [0, 4, 2, 5]
    cloud = np.random.default_rng(0).normal(size=(60, 4))
    chosen = farthest(cloud, 0, 8, 0.0)
    distances = np.linalg.norm(cloud[:, None] - cloud[chosen][None], axis=2)
    # Gonzalez' bound: what is left over is nearer to the chosen than these are to each other.
    apart = min(np.linalg.norm(cloud[a] - cloud[b]) for a in chosen for b in chosen if a != b)
    assert distances.min(1).max() <= apart + 1e-12


def test_licences_come_from_the_table_and_stay_with_the_frames(clips, tmp_path) -> None:
    table = tmp_path / "people.tsv"
    rows = ["file\tidentity\tlicence\trelease", "b.mp4\tann\tCC0\tyes", "a.light.mp4\tbob\tresearch only\tno"]
    table.write_text("\n".join(rows) + "\n")
    licences = {f.name: f.licence for f in find_footage([clips], table)[0]}
    assert licences["b"] == "CC0" and licences["a_light"] == "research only"
    (free,) = find_footage([clips], table, released=True)[0]
    assert free.name == "b"
    (report,) = make_videos([free], tmp_path / "out", RECIPE, workers=1)
    assert report.kept and report.licence == "CC0"
    assert {f.licence for f in read_frame_shards([tmp_path / "out" / "b.tar"])} == {"CC0"}
    table.write_text("file\tidentity\nb.mp4\tann\n")
    with pytest.raises(InputError, match="column 'release'"):
        find_footage([clips], table, released=True)
    with pytest.raises(InputError, match="no table"):
        find_footage([clips], released=True)
