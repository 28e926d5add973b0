"""Photo resolution: the sum is exact whatever the network says, and a perfect network's maps come back in full."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from face_scene import crop_at, scene, shading
from illures.decompose.photo_maps import photo_maps
from illures.errors import InputError
from illures.faces import bounds, feather, feathered, upright
from illures.faces.crop import extract, to_photo
from illures.io.formats import Format
from illures.io.photos import as_linear
from illures.math.color import linear_to_srgb
from illures.math.normals import angular_error_deg
from illures.types import Region


def sum_of(maps) -> np.ndarray:
    decoded = [maps.format.decode(name, maps.take(name)) for name in ("albedo", "shading", "residual")]
    return decoded[0] * decoded[1] + decoded[2]


def eight_bits(linear: np.ndarray) -> np.ndarray:
    return linear_to_srgb(np.clip(linear, 0, 1)) * 255


@pytest.mark.parametrize("roll", [0.0, 25.0, -70.0, 180.0])
def test_upright_turns_directions_as_the_crop_turns_points(roll):
    crop = crop_at((50, 40), 30, roll, 64, (100, 100))
    points = np.array([[10.0, 20.0], [11.0, 20.0]])  # one pixel to the right in the crop
    step = np.diff(to_photo(points, crop), axis=0)[0]
    expected = np.array([step[0], -step[1], 0]) / np.linalg.norm(step)
    np.testing.assert_allclose(upright(crop) @ [1, 0, 0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("roll", [0.0, 25.0, -100.0])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_window_gives_the_photo_back(roll, dtype):
    s = scene(roll_deg=roll, dtype=dtype)
    window = s.face.photo_resolution(s.photo)
    np.testing.assert_allclose(window.reconstruct(), window.image, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(window.image, as_linear(extract(s.photo, window.crop)))
    x0, y0, x1, y1 = bounds(s.face.crop)
    assert window.image.shape == (y1 - y0, x1 - x0, 3)
    np.testing.assert_array_equal(window.image[40:60, 50:70], as_linear(s.photo[y0 + 40 : y0 + 60, x0 + 50 : x0 + 70]))


@pytest.mark.parametrize("roll", [0.0, 25.0, -100.0])
def test_a_perfect_network_comes_back_in_full(roll):
    s = scene(roll_deg=roll)
    window = s.face.photo_resolution(s.photo)
    # Where the maps begin they are interpolated with nothing.
    inner = cv2.erode((window.mask > 0.99).astype(np.uint8), np.ones((5, 5))) > 0
    x0, y0, x1, y1 = bounds(s.face.crop)
    crop = window.crop
    truth = {name: extract(getattr(s, name).astype(np.float32), crop) for name in ("albedo", "normal", "residual")}
    assert angular_error_deg(window.normal, truth["normal"])[inner].max() < 3
    np.testing.assert_allclose(window.shading[inner], extract(shading(s), crop)[inner], rtol=0, atol=0.03)
    assert np.abs(window.residual - truth["residual"])[inner].mean() < 0.006
    # The freckles are one to three photo pixels wide, finer than the network saw.
    assert np.corrcoef(window.albedo[inner].ravel(), truth["albedo"][inner].ravel())[0, 1] > 0.97
    assert np.abs(window.albedo - truth["albedo"])[inner].mean() < 0.015


@pytest.mark.parametrize("radius", [25.0, 60.0, 170.0])
def test_any_scale(radius):
    s = scene(radius=radius)
    window = s.face.photo_resolution(s.photo)
    np.testing.assert_allclose(window.reconstruct(), window.image, rtol=0, atol=2e-6)
    inner = window.mask > 0.99
    assert inner.any()
    assert angular_error_deg(window.normal, extract(s.normal, window.crop))[inner].mean() < 2


def nonsense(s, rng):
    """A network that says anything, shading below zero included."""
    shape = s.face.albedo.shape
    normal = rng.standard_normal(shape).astype(np.float32)
    return replace(
        s.face,
        albedo=rng.random(shape, np.float32),
        normal=normal / np.linalg.norm(normal, axis=-1, keepdims=True),
        light=rng.standard_normal((9, 3)).astype(np.float32),
        residual=rng.standard_normal(shape).astype(np.float32) * 0.3,
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("sane", [True, False])
@pytest.mark.parametrize("name", ["png16", "exr"])
def test_files_sum_to_the_photo_to_eight_bit_rounding(rng, name, sane, dtype):
    s = scene(dtype=dtype)
    face = s.face if sane else nonsense(s, rng)
    maps = photo_maps(s.photo, [face], Format(name))
    assert np.abs(eight_bits(sum_of(maps)) - eight_bits(as_linear(s.photo))).max() < 0.5
    assert (maps.mask > 0).any()


def test_eight_bit_files_sum_to_half_a_residual_step():
    s = scene()
    maps = photo_maps(s.photo, [s.face], Format("png"))
    assert np.abs(sum_of(maps) - as_linear(s.photo)).max() < 0.5 / 127 + 1e-6


@pytest.mark.parametrize("name", ["png", "png16", "exr"])
def test_outside_the_mask_nothing_is_taken_apart(name):
    s, format = scene(), Format(name)
    maps = photo_maps(s.photo, [s.face], format)
    outside = maps.mask == 0
    assert outside[0].all() and not outside.all()
    codes = format.quantise("normal", np.array([[0.0, 0.0, 1.0]], np.float32))
    np.testing.assert_array_equal(maps.normal[outside], np.broadcast_to(codes, maps.normal[outside].shape))
    step = {"png": 2 / 255, "png16": 2 / 65535, "exr": 1e-3}[name]
    albedo, residual = format.decode("albedo", maps.albedo), format.decode("residual", maps.take("residual"))
    np.testing.assert_allclose(albedo[outside], as_linear(s.photo)[outside], rtol=0, atol=step)
    np.testing.assert_allclose(format.decode("shading", maps.shading)[outside], 1, rtol=0, atol=1e-6)
    if name == "exr":
        np.testing.assert_allclose(residual[outside], 0, rtol=0, atol=step)
    else:
        assert (residual[outside] == 0).all()


def test_no_seam():
    """On a flat photo a network that is far off gives maps without a step anywhere."""
    s = scene()
    photo = np.full_like(s.photo, 128)
    crop, size = s.face.crop, s.face.crop.size
    normal = np.zeros((size, size, 3), np.float32)
    normal[..., 2] = 1
    face = replace(s.face, image=as_linear(extract(photo, crop)), normal=normal, albedo=np.full_like(normal, 0.05))
    maps = photo_maps(photo, [face], Format("exr"))
    for name in ("albedo", "shading", "residual"):
        values = maps.format.decode(name, maps.take(name))
        steps = max(np.abs(np.diff(values, axis=0)).max(), np.abs(np.diff(values, axis=1)).max())
        assert steps < 0.15 * np.ptp(values), name


def test_faces_overlap_and_leave_the_photo(rng):
    s = scene(centre=(400.0, 20.0))
    other = replace(s.face, crop=crop_at((330.0, 60.0), 100, -10, 128, s.photo.shape[:2]))
    maps = photo_maps(s.photo, [s.face, other], Format("exr"))
    assert np.abs(eight_bits(sum_of(maps)) - eight_bits(as_linear(s.photo))).max() < 0.5
    s.face.photo_resolution(s.photo)


def test_reconstruction_is_the_sum():
    s = scene()
    maps = photo_maps(s.photo, [s.face], Format("png16"))
    reconstruction = maps.format.decode("reconstruction", maps.take("reconstruction"))
    np.testing.assert_allclose(reconstruction, sum_of(maps), rtol=0, atol=1e-4)


def test_another_photo_is_refused():
    s = scene()
    with pytest.raises(InputError, match="420 x 360"):
        s.face.photo_resolution(s.photo[:-1])


def test_feather_is_smooth_and_inside():
    """A hard mask fades inside its edge, and every mask at the crop's edge."""
    mask = np.ones((128, 128), np.float32)
    mask[:, 90:] = 0
    face = replace(scene(height=700, width=700, centre=(350.0, 350.0)).face, mask=mask, regions=None)
    soft = feathered(face.head, face.crop)
    assert soft[mask == 0].max() < 0.02 and soft[64, 40] > 0.999
    assert soft[0].max() == 0 and soft[:, 0].max() == 0
    assert np.abs(np.diff(soft, axis=1)).max() < 0.3


def test_nothing_fades_where_the_photo_ends():
    """A mask ends with its photo at the left; at the top, where the photo goes on, it fades as in the middle of one."""
    ones = np.ones((128, 128), np.float32)
    middle = feathered(ones, crop_at((300.0, 300.0), 64.0, 0.0, 128, (600, 600)))
    at_left = feathered(ones, crop_at((63.5, 300.0), 64.0, 0.0, 128, (600, 600)))
    cut = feathered(ones, crop_at((30.0, 300.0), 64.0, 0.0, 128, (600, 600)))
    assert (at_left[64] == middle[64])[64:].all() and (at_left[64, :64] == 1).all()
    assert (at_left[:, 64] == middle[:, 64]).all() and middle[:, 64].min() == 0
    assert (cut[20:100, 34:64] == 1).all()


def test_the_head_is_what_is_not_background(rng):
    regions = rng.random((128, 128, len(Region)), np.float32)
    regions /= regions.sum(axis=-1, keepdims=True)
    face = replace(scene().face, regions=regions)
    np.testing.assert_allclose(face.head, regions[..., 1:].sum(axis=-1), rtol=0, atol=1e-5)


def test_a_feather_can_leave_the_lower_edge():
    crop = crop_at((300.0, 300.0), 64.0, 0.0, 128, (600, 600))
    soft, plain = feather(crop, 0.1, below=False), feather(crop, 0.1)
    assert (soft[-1, 20:-20] == 1).all() and plain[-1].max() == 0
    assert soft[0].max() == 0 and soft[:64, 0].max() == 0
    np.testing.assert_array_equal(soft[:64], plain[:64])
