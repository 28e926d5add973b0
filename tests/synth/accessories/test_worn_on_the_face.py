"""Beards, necklaces and locks: where they lie, how far they reach, and who has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from illures.synth.accessories.beards import random_beard
from illures.synth.accessories.locks import SHARE as LOCK_SHARE
from illures.synth.accessories.locks import random_lock
from illures.synth.accessories.necklaces import random_necklace
from illures.synth.accessories.outfit import HAIR_SHARE, HAT_SHARE, NECKLACE_SHARE, random_accessories
from illures.synth.heads.makehuman import MakeHumanModel
from illures.types import Part, Region

COLOUR = np.log(np.array([0.05, 0.03, 0.02]))


@pytest.fixture(scope="module")
def posed() -> tuple[Part, np.ndarray]:
    """Bare skin and 68 landmarks of a random head."""
    model = MakeHumanModel()
    vertices = model.shape(np.random.default_rng(4))({"jawOpen": 0.3})
    piece = next(piece for piece in model.anatomy.cuts if piece.material == "skin")
    points = vertices[piece.vertices].astype(np.float32)
    plain = np.full((2, 2, 3), 0.4, np.float32), np.ones((2, 2), np.float32)
    return Part("skin", points, piece.triangles, piece.uv, *plain), vertices[model.anatomy.points68].astype(np.float32)


def bearded(skin: Part, landmarks: np.ndarray) -> Part:
    """The same head with a beard painted from the lower lip down to the chin, and brows."""
    region = np.full((400, 640), Region.SKIN, np.uint8)
    low = (np.abs(skin.vertices[:, 0]) < 0.03) & (skin.vertices[:, 1] < landmarks[57, 1] - 0.004)
    low &= (skin.vertices[:, 1] > landmarks[8, 1] - 0.005) & (skin.vertices[:, 2] > 0)
    brow = (np.abs(skin.vertices[:, 1] - landmarks[19, 1]) < 0.004) & (skin.vertices[:, 2] > 0)
    for u, v in skin.uv[low | brow]:
        row, column = int((1 - v) * 400), int(u * 640)
        region[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3] = Region.FACIAL_HAIR
    return replace(skin, region=region)


def test_a_beard_stands_on_the_skin_and_hangs_below_the_chin(posed):
    skin, landmarks = posed
    painted = bearded(skin, landmarks)
    beard = replace(random_beard(np.random.default_rng(1), COLOUR), thick=0.005, length=0.06)
    shells = beard.parts(painted, landmarks)
    assert [part.name for part in shells] == ["beard"] * 3
    lowest = [part.vertices[:, 1].min() for part in shells]
    assert lowest[0] > lowest[1] > lowest[2], "outer shells hang lower"
    assert landmarks[8, 1] - 0.075 < lowest[2] < landmarks[8, 1] - 0.03
    for part in shells:
        assert part.vertices[:, 1].max() < landmarks[33, 1], "brows do not grow"
        away, _ = cKDTree(skin.vertices).query(part.vertices)
        assert (away < 1e-6).sum() > 20, "its edge lies on the skin"
        assert (part.region == Region.FACIAL_HAIR).all() and not part.mask.any()


def test_no_beard_where_none_is_painted(posed):
    assert random_beard(np.random.default_rng(1), COLOUR).parts(*posed) == ()


@pytest.mark.parametrize("seed", range(6))
def test_a_necklace_goes_round_the_neck_and_rests_on_it(posed, seed):
    skin, _ = posed
    necklace = random_necklace(np.random.default_rng(seed))
    (part,) = necklace.parts(skin)
    front, back = (part.vertices[side] for side in (part.vertices[:, 2] > -0.04, part.vertices[:, 2] < -0.11))
    assert len(front) and len(back)
    assert front[:, 1].min() == pytest.approx(necklace.back - necklace.drop - necklace.radius, abs=0.004)
    near, _ = cKDTree(skin.vertices).query(part.vertices)
    assert np.median(near) < 0.012 and near.max() < 0.05


def test_a_head_without_a_neck_has_no_necklace(posed):
    skin, _ = posed
    high = skin.vertices * np.float32([1, 0.2, 1])
    assert random_necklace(np.random.default_rng(0)).parts(replace(skin, vertices=high)) == ()


@pytest.mark.parametrize("side", [-1, 1])
def test_a_lock_covers_an_eye_on_its_side_and_leaves_the_other_free(posed, side):
    """Rays from the viewer to landmarks: sheets have triangles before the one eye, none before the other."""
    skin, landmarks = posed
    lock = replace(random_lock(np.random.default_rng(2), COLOUR), side=side, parting=0.0, inner=10.0, end=-0.15)
    eyes = {1: landmarks[42:48].mean(axis=0), -1: landmarks[36:42].mean(axis=0)}  # the subject's left is at +x
    for part in lock.parts(skin):
        assert (part.region == Region.HAIR).all() and not part.mask.any()
        for where, eye in eyes.items():
            triangles = part.vertices[part.triangles]
            assert _before(triangles, eye) == (where == side)
        normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
        assert (normals[:, 2] > 0).mean() > 0.95, "its outside looks forward"
        assert part.vertices[:, 1].min() == pytest.approx(-0.15, abs=1e-6)


def test_a_lock_lies_on_the_face_and_hangs_free_below_the_chin(posed):
    skin, landmarks = posed
    lock = replace(random_lock(np.random.default_rng(3), COLOUR), inner=15.0, end=-0.16, lift=0.006)
    for part in lock.parts(skin):
        near, _ = cKDTree(skin.vertices).query(part.vertices)
        height = part.vertices[:, 1]
        face, below = (height > landmarks[57, 1]) & (height < 0.03), height < landmarks[8, 1] - 0.03
        assert np.median(near[face]) < 0.02
        assert np.median(near[below]) > np.median(near[face])


def _before(triangles: np.ndarray, point: np.ndarray) -> bool:
    """Whether a ray from the point toward the viewer (+z) meets a triangle."""
    a, b, c = (triangles[:, k, :2].astype(float) for k in range(3))
    p = point[:2].astype(float)

    def signed(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return (v[:, 0] - u[:, 0]) * (p[1] - u[:, 1]) - (v[:, 1] - u[:, 1]) * (p[0] - u[:, 0])

    sides = np.stack([signed(a, b), signed(b, c), signed(c, a)], axis=1)
    met = (sides >= 0).all(axis=1) | (sides <= 0).all(axis=1)
    return bool((triangles[met].mean(axis=1)[:, 2] > point[2]).any())


@pytest.mark.usefixtures("unpainted")
def test_how_often_they_occur():
    worn = [random_accessories(np.random.default_rng(seed), COLOUR) for seed in range(600)]
    assert np.mean([each.necklace is not None for each in worn]) == pytest.approx(NECKLACE_SHARE, abs=0.05)
    assert 0.4 < np.mean([each.beard is not None for each in worn]) < 0.6
    locks = HAIR_SHARE * (1 - HAT_SHARE) * LOCK_SHARE
    assert np.mean([each.lock is not None for each in worn]) == pytest.approx(locks, abs=0.06)
    bare = [random_accessories(np.random.default_rng(seed), COLOUR, share=0) for seed in range(50)]
    assert all(each.necklace is None and each.beard is None and each.lock is None for each in bare)
