"""The preview: its numbers are those of the views, for all kinds of sets."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from illures.data.shards import ViewRecord, write_shard
from illures.errors import InputError
from illures.math.sh import main_direction, project_environment
from illures.synth.preview import head_angles_deg, preview
from illures.synth.renderer.scene import Pose, place

GREY = 0.18406  # linear, L* = 50: ITA is 0 where the colour is yellowish


def canonical() -> np.ndarray:
    """The canonical face and its irises' middles, which the pose leaves out."""
    with np.load(str(files("illures.faces") / "weights" / "face_mesh.npz")) as mesh:
        positions = mesh["positions"]
    return np.concatenate([positions, np.zeros((10, 3), np.float32)])


def turned(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Landmarks of the canonical face, roll after pitch after yaw about the camera's axes."""
    rotation = Rotation.from_euler("yxz", [yaw, pitch, roll], degrees=True)
    points = 5 * rotation.apply(canonical()) * [1, -1, 1] + [64, 64, 0]
    return points.astype(np.float32)


def view(identity: int, images: int, lights: int, angles=(0.0, 0.0, 0.0)) -> ViewRecord:
    mask = np.zeros((16, 16), bool)
    mask[4:12, 4:12] = True
    white = np.zeros((9, 3), np.float32)
    white[0] = np.sqrt(4 * np.pi)  # radiance 1 from everywhere: f(N, L) = 1
    return ViewRecord(
        albedo=np.full((16, 16, 3), GREY, np.float32) * [1.2, 1, 0.6] if identity else np.full((16, 16, 3), 0.8),
        normal=np.tile(np.float32([0, 0, 1]), (16, 16, 1)),
        mask=mask,
        region=mask.astype(np.uint8),
        landmarks=turned(*angles),
        images=tuple(np.full((16, 16, 3), 0.4, np.float32) for _ in range(images)),
        lights=(white,) * lights,
        lightings=tuple(range(lights)),
        identity=identity,
        expression=0,
        pose=0,
        seed=0,
    )


def made(folder: Path, views: list[ViewRecord]) -> tuple[dict, Image.Image]:
    write_shard(folder / "shard-000000.tar", [(str(k), v) for k, v in enumerate(views)])
    out = preview(folder)
    assert {path.name for path in out.iterdir()} == {"sheet.png", "statistics.png", "statistics.json"}
    return json.loads((out / "statistics.json").read_text()), Image.open(out / "sheet.png")


@pytest.mark.parametrize("angles", [(0, 0, 0), (50, 0, 0), (0, -25, 0), (0, 0, 12), (-60, 20, -10)])
def test_angles_are_those_of_the_turn(angles) -> None:
    np.testing.assert_allclose(head_angles_deg(turned(*angles)), angles, rtol=0, atol=0.01)


def test_angles_mean_what_poses_mean() -> None:
    pose = Pose(-35.0, 15.0, 0.0, distance=50.0)  # far: weak perspective
    points = (canonical() / 100).astype(np.float32)
    yaw, pitch, _ = head_angles_deg(place(points, pose, 128).landmarks)
    # The crop turns the face upright, so that roll is not the pose's.
    assert (yaw, pitch) == pytest.approx((-35, 15), abs=7)


def test_light_comes_from_where_the_environment_is_bright() -> None:
    radiance = np.full((32, 64, 3), 0.1)
    radiance[4:8, 14:18] = 5  # up, at the left half's middle: image left
    x, y, z = main_direction(project_environment(radiance))
    assert x < -0.4 and y > 0.6 and abs(z) < 0.1


def test_numbers_are_those_of_the_views(tmp_path) -> None:
    facts, sheet = made(tmp_path, [view(0, 2, 2, (20, 0, 0)), view(1, 2, 2, (30, 10, -5))])
    assert (facts["views"], facts["people"], facts["samples"]) == (2, 2, 4)
    assert facts["yaw_deg"]["mean"] == pytest.approx(25, abs=0.1)
    assert facts["pitch_deg"]["p95"] == pytest.approx(9.5, abs=0.1)
    assert facts["exposure"]["mean"] == pytest.approx(0.4, abs=0.01)
    # |0.4 - 0.8| / 0.4 = 1 for the first; (0.4 - GREY (1.2, 1, 0.6)) / 0.4 for the second.
    second = np.linalg.norm(0.4 - GREY * np.array([1.2, 1, 0.6])) / np.linalg.norm([0.4] * 3)
    assert facts["residual_share"]["mean"] == pytest.approx((1 + second) / 2, abs=0.01)
    assert facts["ita_deg"]["p5"] < 15 < 60 < facts["ita_deg"]["p95"]
    assert sheet.size[0] > 3 * 6 * 96


@pytest.mark.parametrize(("lights", "tiles"), [(0, 3), (1, 5)])
def test_sets_without_images_have_a_preview(tmp_path, lights, tiles) -> None:
    facts, sheet = made(tmp_path, [view(1, 0, lights)])
    assert facts["samples"] == lights and ("exposure" in facts) == bool(lights)
    assert sheet.size[0] == 3 * (tiles * 96 + 8) + 8


def test_nonsense_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="count = 0"):
        preview(tmp_path, count=0)
    with pytest.raises(InputError, match="holds no .tar"):
        preview(tmp_path)
