"""Heights out of normals, and what they hide."""

from importlib.resources import files

import numpy as np
import pytest

from illures.relighting.depth import height_map
from illures.relighting.light import direction_of
from illures.relighting.shadows import occlusion
from illures.types import Region

SIZE = 96
NO_MESH = np.zeros((478, 3), np.float32)


def bump(width: float = 0.08, high: float = 14.0) -> tuple[np.ndarray, np.ndarray]:
    """A hill in the middle of a plain [px], and its normals."""
    y, x = (np.mgrid[:SIZE, :SIZE].astype(np.float32) - (SIZE - 1) / 2) / SIZE
    z = high * np.exp(-(x * x + y * y) / (2 * width**2))
    down, right = np.gradient(z)
    normal = np.stack([-right, down, np.ones_like(z)], axis=-1)
    return z.astype(np.float32), (normal / np.linalg.norm(normal, axis=-1, keepdims=True)).astype(np.float32)


def test_normals_give_the_height_back():
    z, normal = bump(0.04, 9.0)  # what is much wider is the mesh's to say
    found = height_map(normal, np.ones((SIZE, SIZE), np.float32), NO_MESH)
    residual = (found - found.mean()) - (z - z.mean())
    assert np.abs(residual).max() < 0.15 * np.ptp(z)


def test_the_mesh_gives_the_broad_shape():
    """Normals that all face the viewer say nothing of a slope that the landmarks show."""
    from illures.faces.mesh import triangles

    columns = np.linspace(4, SIZE - 5, 22)
    x, y = (v.ravel()[:478] for v in np.meshgrid(columns, columns))
    points = np.stack([x, y, 0.5 * x], axis=-1).astype(np.float32)
    assert len(points) == 478 and triangles().max() < 478
    flat = np.zeros((SIZE, SIZE, 3), np.float32)
    flat[..., 2] = 1
    found = height_map(flat, np.ones((SIZE, SIZE), np.float32), points)
    assert found[:, -1].mean() - found[:, 0].mean() > 2


@pytest.mark.parametrize("azimuth", [-70.0, 70.0])
def test_a_hill_casts_its_shadow_away_from_the_lamp(azimuth):
    _, normal = bump()
    around = occlusion(normal, np.ones((SIZE, SIZE), np.float32), NO_MESH)
    shadow = around.shadow(direction_of(azimuth, 0), 3.0)
    left, right = shadow[SIZE // 2, : SIZE // 2], shadow[SIZE // 2, SIZE // 2 :]
    dark, lit = (left, right) if azimuth > 0 else (right, left)
    assert dark.max() > 0.8 and lit.max() < 0.2
    assert shadow[0].max() < 0.05  # the plain far away
    assert around.shadow(direction_of(0, 0), 3.0).max() < 0.05


def test_larger_lamps_have_softer_shadows():
    _, normal = bump()
    around = occlusion(normal, np.ones((SIZE, SIZE), np.float32), NO_MESH)
    rows = [around.shadow(direction_of(70, 0), radius)[SIZE // 2] for radius in (4.0, 25.0)]
    sharp, soft = (int(((row > 0.1) & (row < 0.9)).sum()) for row in rows)
    assert soft > 1.5 * sharp > 0


def test_a_plain_hides_nothing_and_the_foot_of_a_hill_does():
    ones = np.ones((SIZE, SIZE), np.float32)
    flat = np.zeros((SIZE, SIZE, 3), np.float32)
    flat[..., 2] = 1
    assert np.abs(occlusion(flat, ones, NO_MESH).hidden).max() < 1e-3
    _, normal = bump()
    hidden = occlusion(normal, ones, NO_MESH).hidden[..., 0]
    foot = hidden[SIZE // 2, SIZE // 2 + round(0.2 * SIZE)]
    assert foot > 5 * hidden[SIZE // 2, SIZE // 2] and foot > 0.003


def test_nothing_outside_the_mask_casts_a_shadow():
    _, normal = bump()
    mask = np.ones((SIZE, SIZE), np.float32)
    mask[:, SIZE // 3 : 2 * SIZE // 3] = 0
    shadow = occlusion(normal, mask, NO_MESH).shadow(direction_of(70, 0), 3.0)
    assert shadow[SIZE // 2, : SIZE // 4].max() < 0.1


def one_hot(region: np.ndarray) -> np.ndarray:
    return (region[..., None] == np.arange(len(Region))).astype(np.float32)


def head(chin_row: float = 0.62) -> tuple[np.ndarray, np.ndarray]:
    """The mesh of a real face, its chin at a row of the map, and normals that all face the viewer."""
    with np.load(str(files("illures.faces") / "weights" / "face_mesh.npz")) as mesh:
        points = mesh["positions"].astype(np.float64)
    points = np.concatenate([points, np.repeat(points[:1], 478 - len(points), axis=0)])
    scale = 0.5 * SIZE / np.ptp(points[:468, 0])
    points = (points - points[152]) * scale * [1, -1, 1] + [SIZE / 2, chin_row * SIZE, 0]
    flat = np.zeros((SIZE, SIZE, 3), np.float32)
    flat[..., 2] = 1
    return points.astype(np.float32), flat


def test_the_chin_shades_the_neck_and_not_the_chest_before_it():
    points, flat = head()
    skin = one_hot(np.full((SIZE, SIZE), Region.SKIN))
    mask = np.ones((SIZE, SIZE), np.float32)
    above = direction_of(0, 60)
    neck = slice(round(0.67 * SIZE), round(0.75 * SIZE)), slice(SIZE // 2 - 3, SIZE // 2 + 4)
    found = occlusion(flat, mask, points, skin).shadow(above, 4.0)
    assert found[neck].mean() > 0.8
    assert occlusion(flat, mask, points).shadow(above, 4.0)[neck].mean() < 0.5 * found[neck].mean()
    # A lamp beside the camera sees under the chin.
    assert occlusion(flat, mask, points, skin).shadow(direction_of(0, 5), 4.0)[neck].mean() < 0.1


def test_a_cap_shades_the_brow_below_it_alone():
    points, flat = head(chin_row=0.9)
    region = np.full((SIZE, SIZE), Region.SKIN)
    edge = SIZE // 4
    region[:edge] = Region.CLOTHES
    mask = np.ones((SIZE, SIZE), np.float32)
    bare, capped = (
        occlusion(flat, mask, points, one_hot(r)).shadow(direction_of(0, 55), 4.0)[:, SIZE // 2]
        for r in (np.full_like(region, Region.SKIN), region)
    )
    assert capped[edge + 1 : edge + 4].mean() > bare[edge + 1 : edge + 4].mean() + 0.5
    np.testing.assert_allclose(capped[edge + 24 :], bare[edge + 24 :], rtol=0, atol=0.05)
