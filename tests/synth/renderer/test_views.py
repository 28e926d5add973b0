"""Views: what is equal in a person's views, and where shadows go."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from scipy.stats import kstest

from fake_people import pyramids
from illures.data.context import WIDE, WIDE_PX
from illures.data.shards import samples
from illures.math.color import EXPOSURE_SPREAD
from illures.math.sh import directions, project_environment
from illures.render import render
from illures.synth import lighting
from illures.synth.renderer.scene import Pose, merge, place
from illures.synth.renderer.transport import Transport
from illures.synth.renderer.views import Lit, Studio, _backdrop, random_exposure, render_view
from illures.synth.sets import SETS, AlignNormal, ExpreSyn, Recipe, SfsnetSyn
from illures.types import Head, Part, Region

RECIPE = Recipe(identities=2, poses=2, expressions=2, lights=2, size=24, samples=4, shadow_samples=4, denoise=False)


@pytest.fixture(scope="module")
def views():
    studio = Studio(RECIPE, pyramids(RECIPE), [])
    return [render_view(studio, k) for k in range(RECIPE.views)]


def power(light: np.ndarray) -> np.ndarray:
    """Of each band and channel of SH coefficients."""
    return np.stack([np.linalg.norm(band, axis=0) for band in np.split(light, [1, 4])])


def test_equal_ids_mean_the_same(views) -> None:
    assert [v.identity for v in views] == [0] * 4 + [1] * 4
    assert [v.pose for v in views] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [v.expression for v in views] == [0, 1, 0, 1, 2, 3, 2, 3]
    for one in views:
        for other in views:
            for i, a in enumerate(one.lightings):
                for j, b in enumerate(other.lightings):
                    # The frame is the crop's: equal lights differ by a turn, which leaves the power of each band.
                    assert (a == b) == np.allclose(power(one.lights[i]), power(other.lights[j]), rtol=0, atol=1e-4)


def test_normals_turn_with_the_lights_into_the_frame_of_the_crop(monkeypatch) -> None:
    """Shading by what is stored is nearer to the image than shading by the light as the camera has it.

    Under soft light, where images are what shading says; a flash draws cast shadows.
    """
    monkeypatch.setattr(lighting, "random_environment", lambda rng, hdris: lighting.studio(rng))
    recipe = dataclasses.replace(RECIPE, identities=24, poses=1, expressions=1, motion="posed", roll_limit_deg=40.0)
    recipe = dataclasses.replace(recipe, size=48, samples=16, shadow_samples=16)
    studio = Studio(recipe, pyramids(recipe), [])
    gains, rolls = [], []
    for k in range(recipe.views):
        view = render_view(studio, k)
        for image, light, lit in zip(view.images, view.lights, studio.lights(k), strict=True):
            seen = image.mean(-1)[view.mask]
            stored, unturned = (
                np.corrcoef(seen, render(view.albedo, view.normal, x).mean(-1)[view.mask])[0, 1]
                for x in (light, lit.coefficients)
            )
            gains.append(stored - unturned)
            (y, x), (y0, x0) = light[[1, 3], 0], lit.coefficients[[1, 3], 0]
            rolls.append(np.degrees(np.arctan2(x * y0 - y * x0, x * x0 + y * y0)))
    assert np.abs(rolls).max() > 15
    turned = np.abs(rolls) > 5  # less of a turn hardly shows
    assert np.mean(gains) > 0.02 and np.mean(np.array(gains)[turned] > 0) > 0.75


def test_views_can_be_made_alone_in_any_order(views) -> None:
    studio = Studio(RECIPE, pyramids(RECIPE), [])
    for k in (6, 1):
        again = render_view(studio, k)
        np.testing.assert_array_equal(again.images[1], views[k].images[1])
        np.testing.assert_array_equal(again.landmarks, views[k].landmarks)


def test_sets_without_transport_are_shaded_when_read(views) -> None:
    recipe = dataclasses.replace(RECIPE, transport=False)
    view = render_view(Studio(recipe, pyramids(recipe), []), 0)
    assert not view.images and len(view.lights) == 2
    np.testing.assert_array_equal(view.lights[0], views[0].lights[0])
    for sample in samples(view):
        lit = (sample.image > 0).all(-1) & sample.mask
        assert lit.any()
        np.testing.assert_allclose(sample.residual[lit], 0, atol=1e-6)


def test_the_sets_have_the_counts_of_the_method() -> None:
    counts = {name: (kind().views, kind().views * kind().lights) for name, kind in SETS.items()}
    assert counts["sfsnet-syn"] == (187_500, 187_500)
    assert counts["expre-syn"][1] == 13_680 and counts["caric-syn"][1] == 12_000
    assert counts["align-albedo"][0] == counts["align-normal"][0] == 540 * 24
    assert ExpreSyn().transport and not SfsnetSyn().transport and AlignNormal().lights == 0


def test_exposure_puts_faces_where_cameras_do() -> None:
    rng = np.random.default_rng(0)
    light = project_environment(lighting.studio(rng))
    stops = [np.log2(random_exposure(light, 0.35, rng) / random_exposure(light * 2, 0.35, rng)) for _ in range(400)]
    assert np.mean(stops) == pytest.approx(1, abs=0.1), "twice the light is half the gain"
    logs = np.log([random_exposure(light, 0.35, rng) for _ in range(400)])
    assert kstest((logs - logs.mean()) / EXPOSURE_SPREAD, "norm").pvalue > 1e-3
    dark, fair = (np.median([random_exposure(light, tone, rng) for _ in range(400)]) for tone in (0.06, 0.5))
    assert 1.5 < dark / fair < 0.5 / 0.06, "a camera lifts dark skin part of the way"


def _quad(z: float, low: tuple[float, float], high: tuple[float, float], albedo: float, mask: float) -> Part:
    corners = np.array([[low[0], low[1], z], [high[0], low[1], z], [high[0], high[1], z], [low[0], high[1], z]])
    return Part(
        name="quad",
        vertices=corners.astype(np.float32),
        triangles=np.array([[0, 1, 2], [0, 2, 3]]),
        uv=np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32),
        albedo=np.full((2, 2, 3), albedo, np.float32),
        mask=np.full((2, 2), mask, np.float32),
        specular=0.0,
    )


def test_a_cast_shadow_is_in_the_residual_not_in_albedo_or_normal() -> None:
    """A wall under a lamp from the right; a screen outside the picture throws its shadow on the wall."""
    wall, screen = _quad(0.0, (-0.3, -0.3), (0.3, 0.3), 0.5, 1.0), _quad(0.2, (0.22, -0.5), (0.5, 0.5), 0.1, 0.0)
    points = pyramids(RECIPE)(0).head({}).landmarks
    view = place(points, Pose(distance=1.0), 32)
    direction = np.array([1.0, 0.0, 1.0]) / np.sqrt(2)
    spot = np.exp(60 * (directions(lighting.HEIGHT, lighting.WIDTH) @ direction - 1))
    environment = lighting.split(np.repeat(spot[..., None] + 0.002, 3, -1).astype(np.float32))
    light = project_environment(environment.radiance)

    def made(*parts: Part):
        transport = Transport(merge(Head(parts, points), view), view, samples=64, seed=3)
        image = transport.light(environment, shadow_samples=64)
        return transport.guides, image

    (open_guides, open_image), (guides, image) = made(wall), made(wall, screen)
    np.testing.assert_allclose(guides.albedo, 0.5, atol=1e-6)
    np.testing.assert_allclose(guides.albedo, open_guides.albedo, atol=1e-6)
    np.testing.assert_allclose(guides.normal, open_guides.normal, atol=1e-6)

    local = render(guides.albedo, guides.normal, light)
    residual, open_residual = (image - local).mean(-1), (open_image - local).mean(-1)
    shadow = image.mean(-1) < 0.3 * open_image.mean(-1)
    assert 0.1 < shadow.mean() < 0.9
    change = residual - open_residual
    assert change[shadow].max() < -0.4 * local.mean(), "where the shadow falls the residual takes the light away"
    assert np.abs(change[open_image.mean(-1) - image.mean(-1) < 0.02]).max() < 0.03


def test_regions_and_surroundings_belong_to_the_view(views) -> None:
    for view in views:
        assert view.region.shape == view.mask.shape and len(view.contexts) == len(view.images)
        surface = np.abs(view.normal).sum(-1) > 0
        # What is half covered may count as either.
        assert ((view.region != Region.BACKGROUND) == surface).mean() > 0.95
        for image, around in zip(view.images, view.contexts, strict=True):
            assert around.shape == (WIDE_PX, WIDE_PX, 3) and np.isfinite(around).all() and around.min() >= 0
            # In the crop's own square the surroundings are what the image has behind the head.
            side = WIDE_PX // WIDE
            inner = slice((WIDE_PX - side) // 2, (WIDE_PX + side) // 2)
            small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
            near = cv2.dilate(surface.astype(np.float32), np.ones((5, 5)))  # shadow rays have samples of their own
            free = cv2.resize(near, (side, side), interpolation=cv2.INTER_AREA) == 0
            if free.any():
                np.testing.assert_allclose(small[free], around[inner, inner][free], rtol=0.5, atol=0.1)


def test_walls_are_lit_by_the_light_that_falls_on_the_face(monkeypatch) -> None:
    """Twice the light, twice as bright a wall: that is what tells dark skin from dim light."""
    recipe = dataclasses.replace(RECIPE, size=16)
    view = place(pyramids(recipe)(0).head({}).landmarks, Pose(), recipe.size)
    white = np.ones((128, 256, 3), np.float32)
    x, y = np.meshgrid(np.arange(16, dtype=np.float32), np.arange(16, dtype=np.float32))
    for seed in range(6):
        pictures = []
        for gain in (1.0, 2.0):
            lit = Lit(lighting.split(white * gain), project_environment(white * gain))
            pictures.append(_backdrop(lit, view, np.random.default_rng(seed))(x, y))
        np.testing.assert_allclose(pictures[1], 2 * pictures[0], rtol=1e-3, atol=1e-4)
