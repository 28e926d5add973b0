"""Guide normals: nearer to a head's own than the mesh alone, unit, and blind to mirrors and turns."""

import numpy as np
import pytest
import torch

from illures.evaluate.methods.raster import normal_map
from illures.faces import alignment, crop_face, guide_normals, mesh_normals, points68, to_crop
from illures.faces.guide import mean_detail_normals
from illures.synth.heads.makehuman import MakeHumanModel
from illures.train.augment import mirror_landmarks

SIZE = 128


@pytest.fixture(scope="module")
def points(face, astronaut) -> np.ndarray:
    return to_crop(face.landmarks, crop_face(face, astronaut.shape[:2]))


def degrees(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.rad2deg(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))


@pytest.mark.parametrize("yaw_deg", [0, 20])
def test_the_guide_is_nearer_to_a_head_than_its_mesh(yaw_deg):
    """A head model's average, whose landmarks are known exactly; the relief is that of other people of two models."""
    model, yaw = MakeHumanModel(), np.deg2rad(yaw_deg)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    pixels = model.average() @ turn.T * np.array([1.0, -1, 1]) * 1000
    landmarks = model.anatomy.embedding.points(pixels).astype(np.float32)
    matrix = alignment(points68(landmarks)[:, :2], SIZE).astype(np.float64)
    scale = float(np.hypot(*matrix[:, 0]))

    def placed(p: np.ndarray) -> np.ndarray:
        return np.column_stack([p[:, :2] @ matrix[:, :2].T + matrix[:, 2], scale * p[:, 2]])

    triangles = np.concatenate([cut.vertices[cut.triangles] for cut in model.anatomy.cuts])
    true, points = normal_map(placed(pixels), triangles, SIZE), placed(landmarks).astype(np.float32)
    mesh, guide = mesh_normals(points, SIZE), guide_normals(points, SIZE)
    on = (np.linalg.norm(true, axis=-1) > 0.5) & (np.linalg.norm(mesh, axis=-1) > 0.5)
    assert degrees(guide, true)[on].mean() < 0.95 * degrees(mesh, true)[on].mean()


def test_unit_on_the_mesh_and_zero_elsewhere(points):
    guide, mesh = guide_normals(points, SIZE), mesh_normals(points, SIZE)
    on = mesh.any(axis=-1)
    np.testing.assert_allclose(np.linalg.norm(guide[on], axis=-1), 1, rtol=0, atol=1e-4)
    assert not guide[~on].any()


def test_a_mirrored_face_has_the_mirrored_guide(points):
    seen = mirror_landmarks(torch.from_numpy(points), SIZE).numpy()
    mirrored = guide_normals(points, SIZE)[:, ::-1] * np.float32([-1, 1, 1])
    guide = guide_normals(seen, SIZE)
    both = mirrored.any(axis=-1) & guide.any(axis=-1)
    assert np.median(degrees(guide, mirrored)[both]) < 1.5
    relief = mean_detail_normals()
    np.testing.assert_allclose(relief, relief[:, ::-1] * [-1, 1, 1], rtol=0, atol=2e-3)


def test_a_turned_face_has_the_turned_guide(points):
    """By a quarter of a circle, where pixels fall on pixels: x, y → y, -x of the image (y down)."""
    turned = points.copy()
    turned[:, 0], turned[:, 1] = points[:, 1], SIZE - 1 - points[:, 0]
    expected = np.rot90(guide_normals(points, SIZE)) @ np.float32([[0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    guide = guide_normals(turned, SIZE)
    both = expected.any(axis=-1) & guide.any(axis=-1)
    assert both.mean() > 0.15
    assert np.median(degrees(guide, expected)[both]) < 1.5
