"""Framing and merging of heads."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from illures.errors import InputError
from illures.faces.contour import INDICES, points68
from illures.faces.crop import alignment
from illures.synth.renderer.scene import Jitter, Pose, merge, place, smooth_normals
from illures.types import Head, Part


def landmarks() -> np.ndarray:
    points = np.random.default_rng(1).normal(0, 0.03, (478, 3)).astype(np.float32)
    points[INDICES[36:42]] += (-0.05, 0, 0.02)
    points[INDICES[42:48]] += (0.05, 0, 0.02)
    points[INDICES[48:60]] += (0, -0.08, 0.02)
    return points


@pytest.mark.parametrize("pose", [Pose(), Pose(40.0, -15.0, 10.0, 0.5, (8.0, -4.0))])
def test_crop_is_the_alignment_of_its_own_landmarks(pose: Pose) -> None:
    view = place(landmarks(), pose, 128)
    # Landmarks of an aligned crop are aligned already: their alignment moves nothing.
    np.testing.assert_allclose(
        alignment(points68(view.landmarks)[:, :2], 128), [[1, 0, 0], [0, 1, 0]], rtol=0, atol=2e-3
    )


def test_rays_through_landmarks_meet_them() -> None:
    view = place(landmarks(), Pose(30.0, 10.0, -5.0, 0.7, (3.0, 6.0)), 96, Jitter(1.05, (0.02, -0.03), 5.0))
    points = landmarks().astype(np.float64) @ view.rotation.T + view.translation
    plane = view.landmarks[:, :2].astype(np.float64) @ view.plane[:, :2].T + view.plane[:, 2]
    ray = np.stack([plane[:, 0], -plane[:, 1], -np.ones(478)], 1)
    np.testing.assert_allclose(ray * -points[:, 2:], points, rtol=0, atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.5])
@pytest.mark.parametrize("offset", [(2.0, 3.0), (-9.0, 6.0)])
def test_crop_frame_is_that_of_the_pixels(angle: float, offset: tuple[float, float]) -> None:
    """A step across the line of sight shows in the crop's middle where the frame's rotation says."""
    pose, jitter = Pose(20.0, 5.0, -25.0, 0.8, offset), Jitter(1.0, (0.0, 0.0), 5.0)
    view = place(landmarks(), pose, 128, jitter)
    across, down = view.plane @ (63.5, 63.5, 1.0)
    ray = np.array([across, -down, -1.0])
    to_frame = view.to_crop_frame
    np.testing.assert_allclose(to_frame @ ray / np.linalg.norm(ray), [0, 0, -1], rtol=0, atol=1e-12)
    np.testing.assert_allclose(to_frame @ to_frame.T, np.eye(3), rtol=0, atol=1e-12)
    free = [k for k in range(468) if k not in set(INDICES.tolist())]
    near = min(free, key=lambda k: np.hypot(*(view.landmarks[k, :2] - 63.5)))
    step = to_frame.T @ [np.cos(angle), np.sin(angle), 0]
    moved = landmarks().astype(np.float64)
    moved[near] += 0.01 * (view.rotation.T @ step)
    x, y, _ = place(moved.astype(np.float32), pose, 128, jitter).landmarks[near] - view.landmarks[near]
    # The picture's plane stands up to 11 degrees off across the line of sight, and so do steps in it: 1 - cos = 0.02.
    np.testing.assert_allclose(np.array([x, -y]) / np.hypot(x, y), [np.cos(angle), np.sin(angle)], rtol=0, atol=0.03)


def test_crop_frame_does_not_depend_on_the_place_in_the_photo() -> None:
    """Frontal heads have the same normals there, wherever the camera sees them; in its own frame they turn by 12°."""
    straight, aside = (place(landmarks(), pose, 128) for pose in (Pose(), Pose(yaw_deg=-12.0, offset_deg=(12.0, 0.0))))
    forward = np.array([0.0, 0.0, 1.0])
    a, b = (view.to_crop_frame @ view.rotation @ forward for view in (straight, aside))
    turned = np.degrees(np.arccos(aside.rotation[2, 2]))
    assert turned == pytest.approx(12, abs=0.1)
    np.testing.assert_allclose(a, b, rtol=0, atol=0.02)


def test_jitter_is_the_similarity_it_says() -> None:
    exact, moved = (
        place(landmarks(), Pose(), 128, jitter).landmarks for jitter in (None, Jitter(1.06, (0.03, 0.0), 4.0))
    )
    found, _ = cv2.estimateAffinePartial2D(exact[:, :2].copy(), moved[:, :2].copy())
    assert np.hypot(found[0, 0], found[1, 0]) == pytest.approx(1.06, rel=1e-4)
    assert np.rad2deg(np.arctan2(found[1, 0], found[0, 0])) == pytest.approx(4, abs=1e-2)
    middle = found @ np.array([63.5, 63.5, 1])
    np.testing.assert_allclose(middle - 63.5, [0.03 * 128, 0], rtol=0, atol=0.02)


def test_yaw_turns_the_face_to_image_right() -> None:
    assert (place(landmarks(), Pose(30.0), 64).rotation @ [0, 0, 1])[0] == pytest.approx(0.5)
    assert (place(landmarks(), Pose(0.0, 30.0), 64).rotation @ [0, 0, 1])[1] == pytest.approx(-0.5)


def test_a_head_inside_the_camera_is_refused() -> None:
    with pytest.raises(InputError, match="camera distance 0.05 m"):
        place(landmarks(), Pose(distance=0.05), 64)


def test_doubled_vertices_of_a_seam_share_their_normal() -> None:
    # A roof whose ridge is doubled, as a UV seam doubles it.
    vertices = np.array([[-1, 0, 0], [0, 1, 0], [0, 1, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0.0]])
    normals = smooth_normals(vertices, np.array([[0, 2, 1], [3, 4, 5]], np.int32))
    np.testing.assert_allclose(normals[[1, 2]], normals[[3, 4]], rtol=0, atol=1e-12)
    np.testing.assert_allclose(normals[1], [0, 1, 0], rtol=0, atol=1e-12)


def test_parts_keep_their_textures_apart() -> None:
    triangle = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], np.float32)
    parts = tuple(
        Part(
            name="p",
            vertices=triangle,
            triangles=np.array([[0, 1, 2]], np.int32),
            uv=np.eye(3, 2, dtype=np.float32),
            albedo=np.full((k, 3, 3), k / 8, np.float32),
            mask=np.ones((2, 2), np.float32),
        )
        for k in (2, 4)
    )
    surface = merge(Head(parts, landmarks()), place(landmarks(), Pose(), 32))
    np.testing.assert_array_equal(surface.parts[:, :3], [[0, 3, 2], [6, 3, 4]])
    np.testing.assert_array_equal(surface.texels[:6, 0], 0.25)
    np.testing.assert_array_equal(surface.texels[6:, 0], 0.5)
    assert surface.triangles.max() == 5 and surface.opaque
