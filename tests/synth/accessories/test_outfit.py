"""What is worn: where it lies, what it hides, what shadow it casts, how often it occurs."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from scipy.spatial import cKDTree

from illures.faces import points68
from illures.math.color import luminance
from illures.math.sh import directions
from illures.synth import lighting
from illures.synth.accessories import glasses, hair, hats, outfit
from illures.synth.accessories.occluders import random_occluder
from illures.synth.accessories.outfit import Accessories, random_accessories
from illures.synth.heads.makehuman import MakeHumanModel
from illures.synth.renderer import kernels
from illures.synth.renderer.scene import Pose, merge, place, smooth_normals
from illures.synth.renderer.transport import Transport
from illures.types import Head, Part

COLOUR = np.log(np.array([0.05, 0.03, 0.02]))


@pytest.fixture(scope="module")
def model():
    return MakeHumanModel()


@pytest.fixture(scope="module")
def vertices(model):
    return model.shape(np.random.default_rng(4))({"jawOpen": 0.3})


@pytest.fixture(scope="module")
def posed(model, vertices):
    """Skin and 68 landmarks of a random head."""
    piece = next(piece for piece in model.anatomy.cuts if piece.material == "skin")
    points = vertices[piece.vertices].astype(np.float32)
    skin = Part(
        "skin", points, piece.triangles, piece.uv, np.full((2, 2, 3), 0.4, np.float32), np.ones((2, 2), np.float32)
    )
    return skin, vertices[model.anatomy.points68].astype(np.float32)


def style(kind: str, fringe: bool = False, seed: int = 0) -> hair.Style:
    return dataclasses.replace(hair.random_style(np.random.default_rng(seed)), kind=kind, fringe=fringe)


def worn(kind: str, fringe: bool = False, hat: hats.Hat | None = None) -> Accessories:
    chosen = style(kind, fringe)
    shells = hair.hair_shells(chosen, COLOUR, np.random.default_rng(1), None if hat is None else hats.under(hat))
    lashes = np.ones((16, 192), np.float32)
    return Accessories(
        chosen, shells, glasses.random_glasses(np.random.default_rng(2)), hat, 0.009, np.full(3, 0.01), lashes
    )


def height_over_skin(points: np.ndarray, skin: Part) -> np.ndarray:
    """Signed distance from the tangent planes of the nearest skin vertices [m]; outside is positive."""
    _, nearest = cKDTree(skin.vertices).query(points)
    normals = smooth_normals(skin.vertices.astype(np.float64), skin.triangles)
    return np.einsum("ij,ij->i", points - skin.vertices[nearest], normals[nearest])


@pytest.mark.parametrize("kind", ["crop", "swept", "curly", "bun", "long"])
@pytest.mark.parametrize("fringe", [False, True])
def test_hair_lies_on_the_skull_not_in_it(posed, kind, fringe):
    skin, landmarks = posed
    for part in worn(kind, fringe).parts(skin, landmarks):
        if part.name == "hair" and part.opacity is not None:  # the knot of a bun grows out of the head
            scalp = part.vertices[part.vertices[:, 1] > 0.03]
            heights = height_over_skin(scalp, skin)
            assert heights.min() > -0.002
            assert np.median(heights) < 0.05


@pytest.mark.parametrize("kind", list(hats.KINDS))
def test_hats_cover_the_hair(posed, kind):
    rng = np.random.default_rng(3)
    hat = next(hat for hat in iter(lambda: hats.random_hat(rng), None) if hat.kind == kind)
    skin, landmarks = posed
    parts = worn("long", hat=hat).parts(skin, landmarks)
    crown = next(part for part in parts if part.name == "hat").vertices
    assert height_over_skin(crown[crown[:, 1] > 0.06], skin).min() > 0.002
    for part in parts:
        if part.name == "hair":  # seen from the top of the axis, nothing sticks out
            top = part.vertices[np.hypot(part.vertices[:, 0], part.vertices[:, 2] + 0.085) < 0.03]
            assert top[:, 1].max() < crown[:, 1].max()


def test_only_skin_counts_as_face(posed, model):
    skin, landmarks = posed
    rng = np.random.default_rng(5)
    parts = worn("long", True, hats.random_hat(rng)).parts(skin, landmarks)
    assert {part.name for part in parts} == {"hair", "glasses", "lens", "hat", "lashes"}
    parts += tuple(part for _ in range(10) for part in random_occluder(rng, landmarks))
    for part in parts:
        assert part.mask.max() == 0
        assert part.triangles.min() >= 0 and part.triangles.max() < len(part.vertices)
        assert np.isfinite(part.vertices).all() and 0 <= part.uv.min() <= part.uv.max() <= 1
        assert 0 <= part.albedo.min() <= part.albedo.max() <= 1


def test_the_same_person_wears_the_same(posed, model):
    skin, landmarks = posed

    def parts(share: float) -> tuple[Part, ...]:
        return random_accessories(np.random.default_rng(1), COLOUR, share).parts(skin, landmarks)

    assert len(parts(1.0)) > 1
    for a, b in zip(parts(1.0), parts(1.0), strict=True):
        np.testing.assert_array_equal(a.vertices, b.vertices)
        np.testing.assert_array_equal(a.albedo, b.albedo)
    assert [part.name for part in parts(0.0)] == ["lashes"]


@pytest.mark.parametrize("seed", range(6))
def test_glasses_sit_before_the_eyes(posed, seed):
    skin, landmarks = posed
    mirrored = landmarks.copy()  # of a head with two like halves
    mirrored[42:48] = landmarks[[39, 38, 37, 36, 41, 40]] * [-1, 1, 1]
    mirrored[27:36, 0] = 0
    both = np.concatenate([skin.vertices, skin.vertices * np.float32([-1, 1, 1])])
    even = dataclasses.replace(skin, vertices=both, uv=np.tile(skin.uv, (2, 1)))
    pair = glasses.random_glasses(np.random.default_rng(seed))
    _, lens = pair.parts(outfit.Skull(even), even, mirrored)
    right, left = np.split(lens.vertices, 2)
    np.testing.assert_allclose(right.min(0)[1:], left.min(0)[1:], atol=1e-6)
    np.testing.assert_allclose(-right[:, 0].max(), left[:, 0].min(), atol=1e-6)
    for eye, glass in ((slice(36, 42), right), (slice(42, 48), left)):
        assert (glass.min(0)[:2] < mirrored[eye, :2].min(0)).all() or pair.height < 0.03
        assert glass.min(0)[0] < mirrored[eye, 0].mean() < glass.max(0)[0]
        assert glass.min(0)[1] < mirrored[eye, 1].mean() < glass.max(0)[1]
        assert glass[:, 2].min() > mirrored[eye, 2].max()
    assert height_over_skin(lens.vertices, skin).min() > 0


def test_a_fringe_shades_the_forehead(posed, model, vertices):
    kernels.start(threads=1)
    skin, landmarks = posed
    chosen = dataclasses.replace(style("swept", True), fringe_end=4.0, parting=0.0, volume=2.0, ragged=0.3)
    shells = hair.hair_shells(chosen, COLOUR, np.random.default_rng(1))
    skull = outfit.Skull(skin)
    fringe = tuple(skull.shell("hair", textures) for textures in shells)
    skin = dataclasses.replace(skin, specular=0.0)
    above = directions(lighting.HEIGHT, lighting.WIDTH) @ np.float32([0, np.sin(1.1), np.cos(1.1)]) > 0.995
    environment = lighting.split(np.tile(1e-3 + 100.0 * above[..., None], 3).astype(np.float32))
    dense = model.anatomy.embedding.points(vertices).astype(np.float32)
    view = place(dense, Pose(distance=1.0), 96)
    seen = points68(view.landmarks)
    lit, masks = [], []
    for parts in ((skin,), (skin, *fringe)):
        transport = Transport(merge(Head(parts, dense), view), view, samples=16, depth=1, seed=3)
        lit.append(luminance(transport.light(environment, 32)))
        masks.append(transport.guides.mask)
    brow = seen[17:27, 1].min()
    rows, columns = np.indices((96, 96))
    forehead = masks[0] & masks[1] & (rows < brow - 1) & (np.abs(columns - seen[27, 0]) < 12)
    cheeks = masks[0] & masks[1] & (rows > seen[30, 1]) & (rows < seen[51, 1])
    shaded = lit[1] < 0.5 * lit[0]
    assert masks[0].sum() > masks[1].sum()
    assert shaded[forehead].sum() > 12
    below = np.flatnonzero(shaded[forehead])
    assert rows[forehead][below].mean() < rows[forehead].mean()  # next to the fringe
    assert not shaded[cheeks].any()


@pytest.mark.usefixtures("unpainted")
def test_people_wear_what_people_wear():
    rng = np.random.default_rng(0)
    people = [random_accessories(rng, COLOUR) for _ in range(300)]
    haired = [person.style for person in people if person.style is not None]
    kinds = Counter(one.kind for one in haired)
    dark = [pair for pair in (person.glasses for person in people) if pair is not None]
    shares = {
        "hair": (len(haired), 300, outfit.HAIR_SHARE),
        "fringe": (sum(one.fringe for one in haired), len(haired), hair.FRINGE_SHARE),
        "long": (kinds["long"], len(haired), hair.LONG_SHARE),
        "glasses": (len(dark), 300, outfit.GLASSES_SHARE),
        "sun": (sum(pair.opacity[0] > 0.8 for pair in dark), len(dark), 0.2),
        "hat": (sum(person.hat is not None for person in people), 300, outfit.HAT_SHARE),
    }
    for name, (count, of, share) in shares.items():
        assert abs(count - of * share) < 4 * np.sqrt(of * share * (1 - share)), name
    assert set(kinds) == {"crop", "swept", "curly", "bun", "long"}
