"""Heights out of normals, and what they hide."""

from functools import cache

import numpy as np
import pytest

from illures.relighting.depth import Heights, heights, without_pits
from illures.relighting.light import direction_of
from illures.relighting.shadows import from_heights, occlusion
from illures.types import Region

SIZE, SIDE = 96, 128
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
    found = heights(normal, np.ones((SIZE, SIZE), np.float32), NO_MESH).head
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
    found = heights(flat, np.ones((SIZE, SIZE), np.float32), points).head
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


def wall_shadow(high: float, radius: float, elevation: float) -> np.ndarray:
    """Shadow of a wall on a plain, from 3.5 pixels from the wall on, away from a lamp at image left."""
    side = 160
    z = np.zeros((side, side), np.float32)
    z[:, :40] = high
    flat = np.zeros((side, side, 3), np.float32)
    flat[..., 2] = 1
    around = from_heights(flat, Heights(z, np.full_like(z, np.nan)), np.ones_like(z))
    return around.shadow(direction_of(elevation - 90, 0), radius)[side // 2, 43:]


@pytest.mark.parametrize("high", [10.0, 20.0, 30.0])
@pytest.mark.parametrize("radius", [5.0, 10.0])
def test_a_penumbra_is_as_wide_as_similar_triangles_say(high, radius):
    """A wall's shadow ends where the lamp's edges, seen over its top, meet the ground; it grows with lamp and wall."""
    elevation = 45.0
    shadow = wall_shadow(high, radius, elevation)
    away = np.arange(len(shadow)) + 3.5
    dark, half, lit = (np.interp(-share, -shadow, away) for share in (0.95, 0.5, 0.05))
    first, middle, last = (high / np.tan(np.deg2rad(elevation + k * radius)) for k in (1, 0, -1))
    assert half == pytest.approx(middle, abs=1.0)
    # The first and last 5 % of a disc are a tenth of its width each.
    assert lit - dark == pytest.approx(0.8 * (last - first), rel=0.15, abs=1.2)
    assert first - 1.5 < dark < lit < last + 1.5


def test_a_shadow_is_soft_on_hair_and_as_sharp_on_skin_beside_it():
    """A wall's shadow on skin above and hair below: all of it is there on both, blurred on hair, no darker on skin."""
    side, elevation = 160, 45.0
    z, flat = np.zeros((side, side), np.float32), np.zeros((side, side, 3), np.float32)
    z[:, :40], flat[..., 2] = 20.0, 1
    hair = np.zeros((side, side), np.float32)
    hair[80:] = 1
    seen, lamp = Heights(z, np.full_like(z, np.nan)), direction_of(elevation - 90, 0)
    plain = from_heights(flat, seen, np.ones_like(z)).shadow(lamp, 5.0)
    mixed = from_heights(flat, seen, np.ones_like(z), hair).shadow(lamp, 5.0)
    np.testing.assert_array_equal(mixed[:80], plain[:80])
    assert mixed[81:, 43:].sum() == pytest.approx(plain[81:, 43:].sum(), rel=0.1)
    edge, steepest = 40 + 20 / np.tan(np.deg2rad(elevation)), [-np.diff(m[120, 43:]).min() for m in (plain, mixed)]
    assert steepest[1] < 0.5 * steepest[0]
    assert np.interp(edge, np.arange(side), mixed[120]) == pytest.approx(0.5, abs=0.15)


def test_light_passes_behind_glasses():
    """A thin bar before a plain darkens only where its shadow falls, and not the plain between it and there."""
    side, high, elevation = 160, 16.0, 45.0
    glasses = np.full((side, side), np.nan, np.float32)
    glasses[20:-20, 50:54] = high
    z, flat = np.zeros((side, side), np.float32), np.zeros((side, side, 3), np.float32)
    flat[..., 2] = 1
    around = from_heights(flat, Heights(z, glasses), np.ones_like(z))
    row = around.shadow(direction_of(elevation - 90, 0), 3.5)[side // 2]
    falls = 51.5 + high / np.tan(np.deg2rad(elevation))
    assert abs(float((row * np.arange(side)).sum() / row.sum()) - falls) < 2
    assert row[round(falls)] > 0.5
    assert row[:60].max() < 0.05 and row[75:].max() < 0.05  # nor the bar itself


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


@cache
def stranger(number: int):
    """A person that the fit of heights never saw."""
    from illures.synth.heads.models import people
    from illures.synth.sets import Recipe

    return people(Recipe(identities=2, seed=77))(number)


@pytest.fixture(scope="module", params=[0, 1])
def rendered(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A head that the fit never saw: normals, classes, landmarks, and its true height (NaN where nothing is)."""
    from dataclasses import replace

    from illures.synth.heads.expressions import random_expression
    from illures.synth.renderer import kernels
    from illures.synth.renderer.first_hits import first_hits
    from illures.synth.renderer.scene import Jitter, Pose, merge, place
    from illures.synth.renderer.transport import Transport

    kernels.start(threads=1)
    person = stranger(request.param)
    # Locks over the face came after the fit, which knows none.
    person = replace(person, accessories=replace(person.accessories, lock=None))
    head = person.head(random_expression(np.random.default_rng(1)))
    # As small and high in the crop as landmarks make it, which then shows the neck.
    view = place(head.landmarks, Pose(15 * request.param, 0, 0, 1.0), SIDE, Jitter(0.92, (0, -0.04)))
    surface = merge(head, view)
    guides = Transport(surface, view, 4, depth=0).guides
    height = first_hits(surface, view, []).height
    normal, classes, _ = _maps(guides, view, height)
    return normal, classes, view.landmarks.astype(np.float32), height


def _maps(guides, view, height: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normals of a traced head in the crop's frame, its classes, and where it is."""
    from illures.math.normals import turn

    there = ~np.isnan(height)
    normal = turn(guides.normal, view.to_crop_frame)
    normal[~there | ~np.any(normal, axis=-1)] = (0, 0, 1)
    classes = (guides.region[..., None] == np.arange(len(Region))).astype(np.float32)
    return normal.astype(np.float32), classes, there


def test_heights_are_those_of_the_head_with_neck_and_hair(rendered):
    """Against the traced head: nearer than the landmark mesh says, and the neck lies behind the chin as it does."""
    normal, classes, landmarks, true = rendered
    known = ~np.isnan(true)
    mask = known.astype(np.float32)
    skin = known & (classes[..., Region.SKIN] > 0.5)

    def error(height: np.ndarray) -> float:
        off = (height - true)[known]
        return float(np.abs(off - np.median(off)).mean())

    found = heights(normal, mask, landmarks, classes).head
    assert error(found) < 0.04 * SIDE and error(found) < 0.7 * error(heights(normal, mask, landmarks).head)
    chin = np.rint(landmarks[152, :2]).astype(int)
    column = np.flatnonzero(skin[:, chin[0]])
    above, below = chin[1] - 3, column[column > chin[1] + 6][:6]
    step = true[above, chin[0]] - true[below, chin[0]].mean()
    assert step > 0.05 * SIDE  # there is one
    assert found[above, chin[0]] - found[below, chin[0]].mean() == pytest.approx(
        float(step), rel=0, abs=0.4 * float(step)
    )


def test_a_lamp_above_leaves_the_neck_in_the_shadow_of_the_chin(rendered):
    normal, classes, landmarks, true = rendered
    around = occlusion(normal, (~np.isnan(true)).astype(np.float32), landmarks, classes)
    chin = np.rint(landmarks[152, :2]).astype(int)
    neck = slice(chin[1] + 6, chin[1] + 10), slice(chin[0] - 2, chin[0] + 3)
    assert around.shadow(direction_of(0, 60), 4.0)[neck].mean() > 0.7
    assert around.shadow(direction_of(0, 0), 4.0)[neck].mean() < 0.2


@pytest.fixture(scope="module", params=[("cap", 55.0), ("wide", 55.0), ("cap", 40.0), ("wide", 40.0)])
def under_a_hat(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Under a lamp high in front, with and without a hat: skin that faces the lamp, its true shadow, the estimated."""
    kind, elevation = request.param
    shown = _shadows_of(kind, elevation), _shadows_of(None, elevation)
    skin, true, found = (np.stack(fields) for fields in zip(*shown, strict=True))
    return skin, true, found


@cache
def _shadows_of(hat: str | None, elevation: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """With a hat of this kind, or none: skin that faces the lamp, its true shadow, the estimated."""
    from dataclasses import replace

    from illures.synth.accessories.hats import random_hat
    from illures.synth.heads.expressions import random_expression
    from illures.synth.renderer import kernels
    from illures.synth.renderer.first_hits import first_hits
    from illures.synth.renderer.scene import Jitter, Pose, merge, place
    from illures.synth.renderer.transport import Transport

    kernels.start(threads=1)
    rng = np.random.default_rng(5)
    worn = hat and next(one for one in (random_hat(rng) for _ in range(100)) if one.kind == hat)
    outfit = replace(stranger(0).accessories, style=None, hair=(), lock=None, glasses=None, hat=worn)
    person = replace(stranger(0), accessories=outfit)
    head, lamp = person.head(random_expression(np.random.default_rng(1))), direction_of(0, elevation)
    view = place(head.landmarks, Pose(0, 0, 0, 1.0), SIDE, Jitter(0.92, (0, 0.04)))
    surface = merge(head, view)
    guides, hits = Transport(surface, view, 4, depth=0).guides, first_hits(surface, view, [lamp])
    normal, classes, there = _maps(guides, view, hits.height)
    around = occlusion(normal, there.astype(np.float32), view.landmarks.astype(np.float32), classes)
    skin = (guides.region == Region.SKIN) & (normal @ lamp > 0.25)
    return skin, skin & ~hits.visible[0], skin & (around.shadow(lamp, 4.0) > 0.5)


def test_a_brim_shades_the_face_below_it(under_a_hat):
    """Against the traced head: where the brim's shadow is, and without the hat there is none."""
    skin, true, found = under_a_hat
    for k, least in ((0, 0.5), (1, 0.4)):  # without a hat: small shadows of nose and brows
        assert (found[k] & true[k]).sum() > least * (found[k] | true[k]).sum()
    assert (found[0] & ~true[0]).sum() < 0.05 * skin[0].sum()
    by_the_hat = true[0] & skin[1] & ~true[1]
    assert by_the_hat.sum() > 0.1 * skin[1].sum()  # there is one
    assert found[0][by_the_hat].mean() > 0.75 and found[1][by_the_hat].mean() < 0.025


def test_narrow_pits_of_hair_are_filled_and_nothing_else():
    y, x = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE

    def pit(width: float) -> np.ndarray:
        return (-9 * np.exp(-(np.maximum(0, np.hypot(x - 0.5, y - 0.5) * 2 / width) ** 8))).astype(np.float32)

    hair, skin = np.ones((SIZE, SIZE), np.float32), np.zeros((SIZE, SIZE), np.float32)
    assert np.abs(without_pits(pit(0.08), hair)).max() < 0.5
    np.testing.assert_array_equal(without_pits(pit(0.08), skin), pit(0.08))
    np.testing.assert_allclose(without_pits(pit(0.5), hair)[SIZE // 2, SIZE // 2], -9, rtol=0, atol=0.1)
