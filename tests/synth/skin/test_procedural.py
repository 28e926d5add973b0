"""Painted people: tones even over the typology angle, hues of skin, bump of the right sign, size and places."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.color import rgb2lab

from illures.math.color import linear_to_srgb, luminance
from illures.synth.heads.makehuman import MakeHumanModel
from illures.synth.renderer.scene import Pose, merge, place
from illures.synth.skin.displacement import RIGHT_EYE, carve, furrows
from illures.synth.skin.procedural import Looks, Skin, eye_strip, face_mask, paint_skin, random_looks
from illures.synth.skin.uv_painting import PX_PER_CM, Canvas, Layers
from illures.types import Head, Part

PEOPLE = 42


@pytest.fixture(scope="module")
def canvas() -> Canvas:
    return MakeHumanModel().anatomy.canvas


@pytest.fixture(scope="module")
def people(canvas: Canvas) -> list[tuple[Looks, Skin]]:
    cv2.setNumThreads(1)  # small pictures: threads cost more than they bring
    made = []
    for person in range(PEOPLE):
        rng = np.random.default_rng([7, person])
        looks = random_looks(rng)
        made.append((looks, paint_skin(canvas, looks, rng)))
    return made


def lab(linear: np.ndarray) -> np.ndarray:
    """By scikit-image, not by ours."""
    return rgb2lab(np.asarray(linear_to_srgb(linear)).reshape(1, -1, 3))[0]


def angles_deg(colour: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(colour[:, 0] - 50, colour[:, 2]))


def typical(canvas: Canvas, skin: Skin) -> np.ndarray:
    """CIELAB of the median of cheeks and forehead, where no hair grows and no make-up is heavy."""
    bare = (np.abs(np.abs(canvas.s) - 3) < 1.5) & (np.abs(canvas.y + 2.7) < 1)
    bare |= (np.abs(canvas.s) < 3) & (np.abs(canvas.y - 3.7) < 0.7)
    return lab(np.median(skin.albedo[bare], axis=0))[0]


def uneven(ita: np.ndarray) -> float:
    """Chi-square of a histogram of 7 bins over [-50, 55] degrees against an even one; 22.5 is its 99.9 % point."""
    counts, _ = np.histogram(ita, np.linspace(-50, 55, 8))
    return float(((counts - counts.mean()) ** 2 / counts.mean()).sum())


def test_people_are_even_over_the_typology_angle(canvas: Canvas, people: list[tuple[Looks, Skin]]) -> None:
    """ITA = atan2(L* - 50, b*) (Chardon et al. 1991), of tones as drawn and of skins as painted."""
    drawn = angles_deg(np.array([lab(np.exp(random_looks(np.random.default_rng(k)).skin))[0] for k in range(400)]))
    assert uneven(drawn) < 22.5
    assert 0.83 < ((drawn > -50) & (drawn < 55)).mean() < 0.92, "105 of 120 degrees"
    painted = angles_deg(np.array([typical(canvas, skin) for _, skin in people]))
    assert uneven(painted) < 22.5
    meant = angles_deg(lab(np.exp([looks.skin for looks, _ in people])))
    assert np.median(np.abs(painted - meant)) < 5 and abs(np.mean(painted - meant)) < 4


def test_hues_are_those_of_skin(canvas: Canvas, people: list[tuple[Looks, Skin]]) -> None:
    """Hue angles atan2(b*, a*) of skin: between red and yellow, 35 to 80 degrees."""
    colour = np.array([typical(canvas, skin) for _, skin in people])
    hue = np.degrees(np.arctan2(colour[:, 2], colour[:, 1]))
    assert hue.min() > 35 and hue.max() < 80
    assert hue.std() > 3, "people of one tone differ in hue"


def test_ranges(people: list[tuple[Looks, Skin]]) -> None:
    for looks, skin in people:
        assert 18 <= looks.age <= 80
        assert skin.albedo.dtype == skin.bump.dtype == np.float32 and skin.albedo.flags.c_contiguous
        assert skin.albedo.min() >= 0.004 and skin.albedo.max() <= 0.9
        assert np.isfinite(skin.bump).all() and np.abs(skin.bump).max() < 0.01
        assert 0.25 <= skin.roughness <= 0.5 and 0.15 <= skin.specular <= 0.7


def test_the_same_seed_paints_the_same(canvas: Canvas, people: list[tuple[Looks, Skin]]) -> None:
    rng = np.random.default_rng([7, 3])
    again = paint_skin(canvas, random_looks(rng), rng)
    np.testing.assert_array_equal(again.albedo, people[3][1].albedo)
    np.testing.assert_array_equal(again.bump, people[3][1].bump)


def test_lips_and_brows_stand_out(canvas: Canvas, people: list[tuple[Looks, Skin]]) -> None:
    """Lips are redder than the skin about them on nearly all, brows of the young are darker."""
    mouth = canvas.layout([54, 51, 57])
    lips = (np.abs(canvas.s) < 0.6) & (np.abs(canvas.y - mouth[:, 1].min() - 0.4) < 0.25)
    brow = np.hypot(canvas.s - canvas.layout([24])[0, 0], canvas.y - canvas.layout([24])[0, 1]) < 0.25
    redder, darker = [], []
    for looks, skin in people:
        redder.append(lab(skin.albedo[lips].mean(0))[0, 1] > typical(canvas, skin)[1] + 2)
        if looks.age < 40 and looks.melanin < 0.7:
            darker.append(luminance(skin.albedo[brow]).mean() < 0.9 * luminance(np.exp(looks.skin)))
    assert np.mean(redder) > 0.75 and np.mean(darker) > 0.85


def slopes_deg(bump: np.ndarray) -> np.ndarray:
    """Steepness of a height texture, blurred to 1.8 mm texels as a small crop does."""
    coarse = bump.reshape(bump.shape[0] // 2, 2, -1, 2).mean((1, 3))
    down, across = np.gradient(coarse, 0.02 / PX_PER_CM)
    return np.degrees(np.arctan(np.hypot(down, across)))


def bump_of(canvas: Canvas, depth: float, seed: int) -> np.ndarray:
    layers = Layers(
        np.zeros((3, *canvas.s.shape), np.float32), np.zeros_like(canvas.s), np.ones(canvas.s.shape, np.uint8)
    )
    carve(layers, canvas, depth, np.random.default_rng(seed))
    return layers.height


def test_wrinkles_tilt_normals_as_on_faces(canvas: Canvas) -> None:
    """Old skin is steeper than young skin, and at its steepest 5 to 35 degrees; plain cheeks stay near flat."""
    face = face_mask(canvas)[::2, ::2] > 0.5
    old, young = ([slopes_deg(bump_of(canvas, depth, seed))[face] for seed in range(3)] for depth in (1.0, 0.05))
    assert np.mean(old) > 1.5 * np.mean(young)
    for steep in old:
        assert 5 < np.percentile(steep, 99) < 35 and np.median(steep) < 6
    assert np.mean([np.median(steep) for steep in young]) < 2


def test_furrows_are_as_deep_as_asked_and_where(canvas: Canvas) -> None:
    part = canvas.window(-3, 3, 1, 6)
    height = furrows(part, [(np.array([[-2.0, 3], [2, 3]]), 1.0)], 1e-3, 1.5)
    bottom = np.unravel_index(height.argmin(), height.shape)
    assert abs(part.y[bottom] - 3) < 0.1 and abs(part.s[bottom]) < 1.5
    assert -1e-3 < height.min() < -0.5e-3 and 0 < height.max() < 0.5e-3


def test_a_ridge_is_bright_on_its_upper_side(canvas: Canvas) -> None:
    """As the renderer goes: the normal n - dh/du grad u - dh/dv grad v tilts up above a ridge."""
    model = MakeHumanModel()
    cut = next(piece for piece in model.anatomy.cuts if piece.material == "skin")
    points = model.average()
    ridge = (1e-3 * np.exp(-(((canvas.y - 4) / 0.3) ** 2))).astype(np.float32)
    grey, ones = np.full((*ridge.shape, 3), 0.4, np.float32), np.ones_like(ridge)
    part = Part("skin", points[cut.vertices].astype(np.float32), cut.triangles, cut.uv, grey, ones, ridge)
    landmarks = model.anatomy.embedding.points(points).astype(np.float32)
    surface = merge(Head((part,), landmarks), place(landmarks, Pose(), 64))
    middle = points[cut.vertices][cut.triangles].mean(1) * 100
    for side, sign in ((4.2, 1), (3.8, -1)):
        near = (np.abs(middle[:, 0]) < 2) & (np.abs(middle[:, 1] - side) < 0.1) & (middle[:, 2] > 0)
        assert near.any()
        u, v = surface.uv[surface.triangles[near]].mean(1).T
        texel = ((1 - v) * 400).astype(int) * 640 + (u * 640).astype(int)
        slopes = surface.slopes[near]
        tilt = -surface.texels[texel, 5:6] * slopes[:, :3] - surface.texels[texel, 6:7] * slopes[:, 3:]
        assert (sign * tilt[:, 1] > 0.1).all()


def test_windows_are_parts_of_the_whole(canvas: Canvas) -> None:
    part = canvas.window(-5, -1, -2, 2)
    np.testing.assert_array_equal(part.s, canvas.s[part.at])
    np.testing.assert_array_equal(part.blob(-3, 0, 1, 1), canvas.blob(-3, 0, 1, 1)[part.at])
    np.testing.assert_allclose(part.layout(RIGHT_EYE), canvas.layout(RIGHT_EYE), rtol=0, atol=1e-9)
    np.testing.assert_allclose(part.fill(RIGHT_EYE, 1.0), canvas.fill(RIGHT_EYE, 1.0)[part.at], rtol=0, atol=0.01)


def test_eyes_from_dark_to_pale_with_pupil_rim_and_white() -> None:
    radius = np.linspace(0, 1.6, 128)
    strips = [luminance(eye_strip(np.random.default_rng(seed))[0]) for seed in range(80)]
    iris = np.array([strip[(radius > 0.32) & (radius < 0.45)].mean() for strip in strips])
    assert iris.min() < 0.03 and iris.max() > 0.15
    for strip, middle in zip(strips, iris, strict=True):
        assert strip[radius < 0.08].max() < min(0.01, middle) and strip[radius > 0.75].min() > 0.3
        assert strip[(radius > 0.51) & (radius < 0.54)].mean() < middle, "the rim of the iris is darker"
    dark = [luminance(eye_strip(np.random.default_rng(seed), 0.9)[0])[30] for seed in range(40)]
    assert np.mean(dark) < 0.6 * np.mean([strip[30] for strip in strips])
