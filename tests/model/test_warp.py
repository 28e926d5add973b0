"""The mesh carries maps between frames: witnesses are a sphere known in closed form and the mesh's own normals."""

import numpy as np
import pytest
import torch

from illures.faces import mesh_normals
from illures.faces.mask import LOWER_INSIDE, UPPER_INSIDE
from illures.math.normals import angular_error_deg
from illures.model.warp import batched as side_by_side
from illures.model.warp import both_ways, correspond, warp_map, warp_normal
from turned_sphere import TurnedSphere, canonical, rotation, to_landmarks

SIZE = 128


def posed(yaw: float, pitch: float = 0.0, roll: float = 0.0, points: np.ndarray | None = None) -> np.ndarray:
    return to_landmarks((canonical() if points is None else points) @ rotation(yaw, pitch, roll).T, SIZE, 0.42 * SIZE)


def as_batch(value: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(value)).float()[None]


@pytest.mark.parametrize("turns", [((0, 0, 0), (30, 0, 0)), ((-25, 10, 8), (20, -5, -10))])
def test_albedo_and_normals_of_a_turned_sphere(turns):
    i, j = (TurnedSphere(rotation(*turn)) for turn in turns)
    pair = correspond(i.landmarks, j.landmarks, SIZE)
    sure = pair.valid > 0.5
    assert sure.mean() > 0.15
    batch = side_by_side([pair])
    albedo, normal = warp_map(as_batch(i.albedo), batch)[0].numpy(), warp_normal(as_batch(i.normal), batch)[0].numpy()
    unchanged = np.abs(i.albedo - j.albedo)[sure].mean()
    assert np.abs(albedo - j.albedo)[sure].mean() < 0.005 < 0.1 * unchanged
    assert angular_error_deg(normal, j.normal)[sure].mean() < 1
    assert angular_error_deg(normal, j.normal)[sure].max() < 6


@pytest.mark.parametrize("turn", [(20, 0, 0), (-35, 10, 5), (0, 20, -12)])
def test_normals_of_the_mesh_turn_with_it(turn):
    i, j = posed(0), posed(*turn)
    pair = correspond(i, j, SIZE)
    found = warp_normal(as_batch(mesh_normals(i, SIZE)), side_by_side([pair]))[0].numpy()
    error = angular_error_deg(found, mesh_normals(j, SIZE))[pair.valid > 0.5]
    # mesh_normals blurs them in the image, by which the two views differ.
    assert error.mean() < 2
    assert error.mean() < 0.2 * angular_error_deg(mesh_normals(i, SIZE), mesh_normals(j, SIZE))[pair.valid > 0.5].mean()


def test_equal_frames_change_nothing(rng):
    points = posed(12, 5, 3)
    pair = correspond(points, points, SIZE)
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    np.testing.assert_allclose(pair.grid, np.stack([x, y], axis=-1), atol=1e-3)
    np.testing.assert_allclose(pair.rotation, np.broadcast_to(np.eye(3), pair.rotation.shape), atol=1e-5)
    values = rng.random((SIZE, SIZE, 2))
    np.testing.assert_allclose(warp_map(as_batch(values), side_by_side([pair]))[0].numpy(), values, atol=2e-3)


def test_there_and_back_is_where_it_started():
    forth, back = both_ways(posed(-15, 5), posed(25, -8, 6), SIZE)
    coordinates = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1).astype(np.float32)
    there = warp_map(as_batch(coordinates), side_by_side([forth]))
    again = warp_map(there, side_by_side([back]))[0].numpy()
    seen = warp_map(as_batch(forth.valid[..., None]), side_by_side([back]))[0, ..., 0].numpy()
    sure = (back.valid > 0.7) & (seen > 0.7)
    assert sure.sum() > 1000
    assert np.percentile(np.linalg.norm(again - coordinates, axis=-1)[sure], 95) < 0.5


def test_both_ways_are_the_two_correspondences():
    i, j = posed(-15, 5), posed(25, -8, 6)
    for ours, one in zip(both_ways(i, j, SIZE), (correspond(i, j, SIZE), correspond(j, i, SIZE)), strict=True):
        for name in ("grid", "rotation", "valid"):
            np.testing.assert_allclose(getattr(ours, name), getattr(one, name), atol=1e-5)


def test_what_a_frame_does_not_show_has_no_weight():
    front, side = posed(0), posed(60)
    valid = correspond(side, front, SIZE).valid
    # Turned to image right, the face shows the half that lies at image left of the frontal view.
    left, right = valid[:, : SIZE // 2].sum(), valid[:, SIZE // 2 :].sum()
    assert left > 5 * right > 0


def test_what_stands_behind_the_nose_is_not_seen():
    points = canonical()
    cheek, nose = points[50], 1
    pulled = points.copy()
    near = np.linalg.norm(points - points[nose], axis=1) < 0.22
    pulled[near] += cheek - points[nose] + [0, 0, 0.5]  # the nose reaches over the cheek
    x, y = np.rint(posed(0)[50, :2]).astype(int)
    seen, hidden = correspond(posed(0), posed(0), SIZE), correspond(posed(0, points=pulled), posed(0), SIZE)
    assert seen.valid[y, x] > 0.5
    assert hidden.valid[y - 1 : y + 2, x - 1 : x + 2].max() == 0


def test_the_mouth_and_what_is_off_the_mesh_have_no_weight():
    points = canonical()
    lower = [95, 88, 178, 87, 14, 317, 402, 318, 324]
    points[lower, 1] -= 0.08  # the inner edge of the lower lip goes down: an open mouth
    landmarks = posed(0, points=points)
    valid = correspond(landmarks, landmarks, SIZE).valid
    x, y = np.rint(landmarks[[UPPER_INSIDE, LOWER_INSIDE], :2].mean(0)).astype(int)
    assert valid[y, x] == 0
    assert valid[0].max() == valid[:, 0].max() == 0


def test_outside_the_image_nothing_is_known():
    i = posed(0)
    moved = i.copy()
    moved[:, 0] -= SIZE / 2
    pair = correspond(moved, i, SIZE)
    assert pair.valid[pair.grid[..., 0] < 0].max() == 0
    assert pair.valid.max() == 1


def test_gradients_reach_the_map(rng):
    pair = side_by_side([correspond(posed(0), posed(20), SIZE)])
    values = torch.from_numpy(rng.random((1, SIZE, SIZE, 1))).requires_grad_()
    weight = pair.valid[..., None].double()
    (warp_map(values, pair) * weight).sum().backward()
    # Bilinear weights sum to 1, so that all that goes in comes out.
    assert values.grad.sum().item() == pytest.approx(weight.sum().item(), rel=1e-4)
