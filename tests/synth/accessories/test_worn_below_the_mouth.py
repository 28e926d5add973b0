"""Beards and necklaces: where they lie, how far they reach, and who has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from illures.synth.accessories.beards import random_beard
from illures.synth.accessories.necklaces import random_necklace
from illures.synth.accessories.outfit import NECKLACE_SHARE, random_accessories
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


def test_how_often_they_occur():
    worn = [random_accessories(np.random.default_rng(seed), COLOUR) for seed in range(600)]
    assert np.mean([each.necklace is not None for each in worn]) == pytest.approx(NECKLACE_SHARE, abs=0.05)
    assert 0.4 < np.mean([each.beard is not None for each in worn]) < 0.6
    bare = [random_accessories(np.random.default_rng(seed), COLOUR, share=0) for seed in range(50)]
    assert all(each.necklace is None and each.beard is None for each in bare)
