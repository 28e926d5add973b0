"""Light that leaked into albedo goes; what belongs to the person stays, also where it is on one side alone."""

import numpy as np
import pytest

from illures.decompose.leaked_light import without_leaked_light
from illures.faces import atlas, guide_normals
from illures.math.quotient import BLACK
from illures.types import Region

SIZE = 128
SKIN = np.array([0.5, 0.32, 0.24], np.float32)


def head(yaw_deg: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Landmarks of the canonical head [px], the mesh's normals and where it is seen."""
    a = np.radians(yaw_deg)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    points = atlas.canonical_points() @ turn.T
    scale = 0.7 * SIZE / np.ptp(points[:, 1])
    landmarks = (points * [scale, -scale, scale] + [SIZE / 2, SIZE / 2, 0]).astype(np.float32)
    landmarks = np.concatenate([landmarks, np.zeros((10, 3), np.float32)])
    normal = guide_normals(landmarks, SIZE)
    seen = normal.any(axis=-1)
    return landmarks, np.where(seen[..., None], normal, np.float32([0, 0, 1])), seen


def photo(rng, yaw_deg: float) -> dict[str, np.ndarray]:
    """Skin with fine detail and a dark mark on one cheek, under a light from above left."""
    landmarks, normal, seen = head(yaw_deg)
    detail = np.exp(rng.normal(0, 0.05, (SIZE, SIZE, 3))).astype(np.float32)
    albedo = np.where(seen[..., None], SKIN, np.float32(0.1)) * detail
    mark = np.zeros((SIZE, SIZE), bool)
    x, y = landmarks[50, :2].astype(int)  # middle of one cheek
    mark[y - 4 : y + 5, x - 4 : x + 5] = True
    albedo[mark] *= np.float32([0.5, 0.4, 0.4])
    shading = 0.15 + np.clip(normal @ np.float32([-0.45, 0.5, 0.74]), 0, None)[..., None]
    regions = np.eye(len(Region), dtype=np.float32)[np.where(seen, Region.SKIN, Region.BACKGROUND)]
    light = np.broadcast_to(shading, albedo.shape).astype(np.float32)
    return dict(
        albedo=albedo, normal=normal, regions=regions, landmarks=landmarks, seen=seen, mark=mark & seen, light=light
    )


def cleaned(true: dict[str, np.ndarray], leak: np.ndarray) -> np.ndarray:
    image = np.clip(true["albedo"] * true["light"] - BLACK, 0, 1)
    return without_leaked_light(
        image, np.clip(true["albedo"] * leak, 0, 1), true["normal"], true["regions"], true["landmarks"]
    )


def error(found: np.ndarray, true: dict[str, np.ndarray]) -> np.ndarray:
    """Log error a channel of the visible skin."""
    return np.log(found / true["albedo"])[true["seen"]]


@pytest.mark.parametrize("yaw_deg", [0, 20, -35])
def test_right_albedo_stays(rng, yaw_deg):
    true = photo(rng, yaw_deg)
    assert np.abs(error(cleaned(true, np.float32(1)), true)).max() < 0.05
    off = (cleaned(true, np.float32(1)) / true["albedo"])[true["mark"]] - 1
    assert np.abs(off).max() < 0.03  # a mark on one side is not spread over both


@pytest.mark.parametrize("yaw_deg", [0, 20, -35])
def test_light_from_one_side_goes(rng, yaw_deg):
    true = photo(rng, yaw_deg)
    side = (true["normal"] @ atlas.head_rotation(true["landmarks"]))[..., :1]
    leak = np.exp(0.2 * side * np.float32([1.0, 0.8, 0.5])).astype(np.float32)
    before = error(true["albedo"] * leak, true).std()
    after = error(cleaned(true, leak), true).std()
    assert before > 0.06 and after < 0.35 * before


@pytest.mark.parametrize("exponents", [(-0.2, 0.1), (0.1, -0.05)])
def test_colour_that_follows_brightness_goes(rng, exponents):
    true = photo(rng, 10)
    brightness = np.log(true["light"][..., 0])
    red, blue = exponents
    leak = np.exp(np.stack([red * brightness, 0 * brightness, blue * brightness], -1)).astype(np.float32)

    def slopes(albedo: np.ndarray) -> np.ndarray:
        colour = np.log(albedo[..., [0, 2]] / albedo[..., 1:2])[true["seen"] & ~true["mark"]]
        return np.polyfit(brightness[true["seen"] & ~true["mark"]], colour, 1)[0]

    np.testing.assert_allclose(slopes(true["albedo"] * leak), exponents, rtol=0, atol=0.03)
    assert (np.abs(slopes(cleaned(true, leak))) < 0.4 * np.abs(exponents)).all()


def test_without_enough_skin_nothing_changes(rng):
    true = photo(rng, 0)
    true["regions"] = np.eye(len(Region), dtype=np.float32)[np.full((SIZE, SIZE), Region.HAIR)]
    np.testing.assert_array_equal(cleaned(true, np.float32(1)), true["albedo"])
