"""Normals in each head's own frame: the witness is SciPy's rotation, by which the head was turned."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation
from skimage.data import astronaut

from command_line import run_captured
from face_scene import scene
from illures import Decomposer, save_image
from illures.decompose.folder import write_photo
from illures.decompose.photo_maps import photo_maps
from illures.editing.edit import apply_normal
from illures.faces import upright
from illures.faces.atlas import canonical_points, head_axes
from illures.io.formats import Format
from illures.video.render import show_frame

ROLL = 25.0
TURNS = [(0, 0, 0), (30, 0, 0), (-40, 15, ROLL), (20, -25, -10)]


def turned_scene(angles):
    """The ball, with the landmarks of a face turned by `angles` (yaw, pitch, roll)."""
    s, turn = scene(roll_deg=ROLL), Rotation.from_euler("YXZ", angles, degrees=True)
    points = s.face.crop.face.landmarks.copy()
    points[:468] += 9 * turn.apply(canonical_points()) * [1, -1, 1]
    face = replace(s.face, crop=replace(s.face.crop, face=replace(s.face.crop.face, landmarks=points)))
    return replace(s, face=face), turn


def written(folder: Path, s, format: Format) -> Path:
    write_photo(folder, Path("a.png"), s.photo, [s.face], format, {}, names=("normal", "mask", "crop"))
    return folder


@pytest.mark.parametrize("angles", TURNS)
@pytest.mark.parametrize("name", ["png16", "exr32"])
def test_files_hold_normals_as_the_head_sees_them(tmp_path, name, angles):
    s, turn = turned_scene(angles)
    camera = written(tmp_path / "camera", s, Format(name))
    head = written(tmp_path / "head", s, Format(name, normals="directx", normal_space="head"))
    both = [Format(name, normals=n).read(f, "normal") for f, n in ((camera, "opengl"), (head, "directx"))]
    mask = Format(name).read(camera, "mask")
    inner = cv2.erode((mask > 0.99).astype(np.uint8), np.ones((5, 5))) > 0
    assert inner.sum() > 10_000
    np.testing.assert_allclose(both[1][inner], turn.inv().apply(both[0][inner]), rtol=0, atol=1e-3)
    np.testing.assert_allclose(both[1][0, 0], [0, 0, 1], rtol=0, atol=1e-4)  # outside the people: as it was
    # The crop is turned in the plane, too.
    crops = [Format(name, normals=n).read(f / "face-1", "normal") for f, n in ((camera, "opengl"), (head, "directx"))]
    straight = Rotation.from_euler("Z", -ROLL, degrees=True).apply(crops[0].reshape(-1, 3))
    np.testing.assert_allclose(crops[1].reshape(-1, 3), turn.inv().apply(straight), rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["png", "exr"])
def test_what_they_are_is_said(tmp_path, name):
    import OpenEXR

    s, turn = turned_scene(TURNS[2])
    for space in ("camera", "head"):
        folder = written(tmp_path / space, s, Format(name, normal_space=space))
        about = json.loads((folder / "face-1" / "face.json").read_text())
        np.testing.assert_allclose(about["head_rotation"], turn.as_matrix(), rtol=0, atol=1e-5)
        for maps in (about["maps"], json.loads((folder / "photo.json").read_text())["maps"]):
            assert maps["normal_space"] == space and f"{space} space" in maps["normal"]
        if name == "exr":
            for path, known in (("maps.exr", turn), ("face-1/maps.exr", Rotation.from_euler("Z", ROLL, True) * turn)):
                with OpenEXR.File(str(folder / path)) as file:
                    header = dict(file.header())
                assert header["illures:normal_space"] == space
                np.testing.assert_allclose(np.reshape(header["illures:head"], (3, 3)), known.as_matrix(), atol=1e-5)


@pytest.mark.parametrize("angles", TURNS)
def test_a_face_tells_its_rotation(angles):
    """In the frame of its maps: of the crop, or upright at the photo's resolution."""
    s, turn = turned_scene(angles)
    in_plane = Rotation.from_euler("Z", ROLL, degrees=True)
    np.testing.assert_allclose(s.face.head_rotation, (in_plane * turn).as_matrix(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(s.face.photo_resolution(s.photo).head_rotation, turn.as_matrix(), rtol=0, atol=1e-5)


def test_each_head_has_its_own(rng):
    """Two people in a photo, turned apart."""
    first, turn = turned_scene(TURNS[1])
    second, other = turned_scene(TURNS[3])
    left = replace(first.face, crop=_moved(first.face.crop, -150))
    right = replace(second.face, crop=_moved(second.face.crop, 150))
    photo = np.concatenate([first.photo] * 2, axis=1)
    crops = [replace(face.crop, photo_size=photo.shape[:2]) for face in (left, right)]
    faces = [replace(face, crop=crop) for face, crop in zip((left, right), crops, strict=True)]
    seen = {
        space: (f := Format("exr32", normal_space=space)).decode("normal", photo_maps(photo, faces, f).normal)
        for space in ("camera", "head")
    }
    for centre, by in ((65, turn), (365, other)):
        here = slice(150, 190), slice(centre - 20, centre + 20)
        turned = by.inv().apply(seen["camera"][here].reshape(-1, 3))
        np.testing.assert_allclose(seen["head"][here].reshape(-1, 3), turned, rtol=0, atol=1e-3)


def _moved(crop, by: int):
    """The crop so many pixels further right."""
    matrix = crop.matrix.copy()
    matrix[:, 2] -= matrix[:, 0] * by
    points = crop.face.landmarks + np.float32([by, 0, 0])
    return replace(crop, matrix=matrix, face=replace(crop.face, landmarks=points))


def test_a_frame_of_a_clip_shows_them_alike():
    s, turn = turned_scene(TURNS[2])
    inner = cv2.erode(s.mask.astype(np.uint8), np.ones((31, 31))) > 0

    def shown(**options: str) -> np.ndarray:
        frame = show_frame(s.photo, [s.face], "normal", codes=Format("png", **options))
        return Format("png").decode("normal", frame[inner])

    np.testing.assert_allclose(shown(normals="directx"), shown() * [1, -1, 1], rtol=0, atol=0.01)
    np.testing.assert_allclose(shown(normal_space="head"), turn.inv().apply(shown()), rtol=0, atol=0.015)


def test_a_photo_turned_in_the_plane_has_the_same_normals_to_the_head():
    """By the real networks: to the camera they turn by 20 degrees."""
    photo, decomposer = astronaut(), Decomposer.from_pretrained()
    matrix = cv2.getRotationMatrix2D((224.0, 110.0), 20, 1.0)
    other = cv2.warpAffine(photo, matrix, (512, 512), borderMode=cv2.BORDER_REFLECT)
    found = []
    for each in (photo, other):
        (face,) = decomposer(each)
        straight = face.normal @ upright(face.crop).T
        found.append(
            (face, straight[face.mask > 0.9].mean(0), (straight @ head_axes(face.crop))[face.mask > 0.9].mean(0))
        )
    (_, camera, head), (_, camera_too, head_too) = found

    def angle(a, b) -> float:
        return float(np.rad2deg(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))))

    turn = Rotation.from_euler("Z", 20, degrees=True)
    assert angle(head, head_too) < 2 and angle(turn.apply(camera), camera_too) < 2
    axes = [head_axes(face.crop) for face, *_ in found]
    apart = Rotation.from_matrix(axes[1] @ axes[0].T) * turn.inv()
    assert np.rad2deg(apart.magnitude()) < 2


@pytest.mark.parametrize("stored", [("directx", "camera"), ("opengl", "head"), ("directx", "head")])
def test_edited_normals_come_back_as_they_were_stored(tmp_path, stored):
    """Whichever way they are stored, the same edit gives the same photo."""
    s, _ = turned_scene(TURNS[1])
    made = []
    bent = Rotation.from_euler("Y", 20, degrees=True)
    for normals, space in (("opengl", "camera"), stored):
        format = Format("png16", normals=normals, normal_space=space)
        codes = photo_maps(s.photo, [s.face], format).normal
        here, path = (slice(150, 190), slice(190, 240)), tmp_path / f"{normals}-{space}.png"
        save_image(path, codes, 16)
        np.testing.assert_array_equal(apply_normal(s.photo, [s.face], path, normals, space), s.photo)
        axes = np.eye(3) if space == "camera" else head_axes(s.face.crop)
        values = (format.decode("normal", codes[here]) @ axes.T).reshape(-1, 3)
        codes[here] = format.quantise("normal", (bent.apply(values) @ axes).reshape(40, 50, 3).astype(np.float32))
        save_image(path, codes, 16)
        made.append(apply_normal(s.photo, [s.face], path, normals, space).astype(int))
    assert np.abs(made[0] - s.photo)[150:190, 190:240].mean() > 3
    assert np.abs(made[0] - made[1]).max() <= 1


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (["decompose", "a.png", "-o", "out", "--normal-space", "tangent"], '"head"'),
        (["decompose", "a.png", "-o", "a.glb", "--normals", "directx"], "name a folder or a .exr file"),
        (["video", "a.mp4", "-o", "b.mp4", "--show", "albedo", "--normals", "directx"], "goes with --show normal"),
        (["edit", "a.png", "-o", "b.png", "--lipstick", "red", "--normal-space", "head"], "goes with --normal"),
    ],
)
def test_where_there_are_no_normals_it_is_refused(command, rule, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 40)).save("a.png")
    code, stdout, stderr = run_captured(capsys, *command)
    assert code == 2 and rule in stdout + stderr and "--normal" in stdout + stderr
