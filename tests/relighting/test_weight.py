"""Who a pixel belongs to: the matte of a person, and which of two faces."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import illures
from face_scene import crop_at, scene
from illures.decompose.decomposition import Decomposition
from illures.decompose.extent import own_share
from illures.decompose.photo_maps import photo_maps
from illures.faces import find_faces, to_crop, to_photo
from illures.faces.crop import crop_face
from illures.faces.matte import Matte, PhotoMatte, widened
from illures.io.formats import Format
from illures.io.photos import as_float, as_linear, read_photo
from illures.relighting.composite import PhotoRelighter
from illures.relighting.light import Light
from illures.relighting.weight import grid_weight, photo_weight
from illures.types import Region


@pytest.fixture(scope="module")
def astronaut():
    photo = read_photo(Path(illures.__file__).parent / "assets" / "astronaut.jpg")
    return photo, crop_face(find_faces(photo)[0], photo.shape[:2])


def test_the_matte_has_face_and_hair_and_no_flag(astronaut):
    photo, crop = astronaut
    matte = PhotoMatte(photo, [crop]).over(as_float(photo), (0, 0))
    points = crop.face.landmarks[:, :2].round().astype(int)
    assert matte.min() >= 0 and matte.max() <= 1
    assert matte[points[:, 1], points[:, 0]].mean() > 0.97
    top = points[:, 1].min()
    assert matte[top - 12, points[10, 0]] > 0.9  # her hair
    assert matte[:80, :60].mean() < 0.05  # the flag and the wall


def test_bands_of_a_matte_are_the_matte(astronaut):
    photo, crop = astronaut
    matte, srgb = PhotoMatte(photo, [crop]), as_float(photo)
    np.testing.assert_allclose(
        matte.over(srgb[100:164], (0, 100)), matte.over(srgb, (0, 0))[100:164], rtol=0, atol=1e-4
    )


def test_two_faces_share_the_photo():
    first = crop_at((200.0, 200.0), 100.0, 10.0, 128, (400, 700))
    second = crop_at((330.0, 210.0), 50.0, -20.0, 128, (400, 700))
    one = own_share(first, first, [second])
    x, y = np.meshgrid(np.arange(128.0), np.arange(128.0))
    places = to_crop(to_photo(np.stack([x.ravel(), y.ravel()], -1), first), second).round().astype(int)
    shown = ((places >= 0) & (places < 128)).all(axis=1)
    two = own_share(second, second, [first])[places[shown, 1], places[shown, 0]]
    assert shown.sum() > 500
    np.testing.assert_allclose(one.ravel()[shown] + two, 1, rtol=0, atol=0.2)
    assert one[64, 64] == 1 and own_share(first, first, []).min() == 1


def test_a_neighbour_keeps_its_own_maps():
    s = scene(height=400, width=900, centre=(215.0, 170.0), roll_deg=0, dtype=np.float32)
    photo = np.concatenate([s.photo[:, :450], s.photo[:, :450]], axis=1)
    first = replace(s.face, crop=replace(s.face.crop, photo_size=photo.shape[:2]))
    everywhere = np.ones_like(s.face.mask)
    red = s.face.image / np.float32([0.2, 0.8, 0.8])
    crops = [crop_at((x, 170.0), 1.15 * 120, 0.0, 128, photo.shape[:2]) for x in (215.0, 415.0)]
    faces = [
        replace(first, mask=everywhere, albedo=np.clip(a, 0.01, 1).astype(np.float32), crop=c)
        for a, c in zip((s.face.albedo, red), crops, strict=True)
    ]
    for order in (faces, faces[::-1]):
        maps = photo_maps(photo, order, Format("exr"))
        alone = photo_maps(photo, [faces[0]], Format("exr"))
        here = slice(120, 220), slice(165, 265)
        np.testing.assert_allclose(maps.albedo[here], alone.albedo[here], rtol=0, atol=2e-3)
    assert as_linear(photo).shape == maps.albedo.shape


def head_in_a_square(above: Region) -> tuple[np.ndarray, Decomposition, Matte]:
    """A photo of a round face in a square of one colour, a class `above`; the matte has the face only."""
    side, size = 240, 128
    crop = crop_at(((side - 1) / 2, (side - 1) / 2), side / 2, 0.0, size, (side, side))
    y, x = np.mgrid[:side, :side] / (side - 1)
    face_there = np.hypot(x - 0.5, y - 0.6) < 0.3
    photo = np.where(face_there[..., None], np.float32([0.7, 0.55, 0.5]), np.float32(0.3)).astype(np.float32)
    skin = cv2.resize(face_there.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    regions = np.zeros((size, size, len(Region)), np.float32)
    regions[..., Region.SKIN], regions[..., above] = skin, 1 - skin
    face = replace(scene().face, mask=skin, regions=regions, crop=crop)
    alpha = cv2.resize(face_there.astype(np.float32), (512, 512), interpolation=cv2.INTER_AREA)
    zoom = np.array([[512 / side, 0, 256 / side - 0.5], [0, 512 / side, 256 / side - 0.5]])
    return photo, face, Matte(alpha, np.zeros((512, 512, 3), np.float32), alpha, zoom)


def test_hair_that_the_border_cuts_is_relit(monkeypatch):
    """The segmenter of people misses it; the network's classes do not, up to the last pixel of the photo."""
    photo, face, missed = head_in_a_square(Region.HAIR)
    monkeypatch.setattr("illures.relighting.weight.face_matte", lambda photo, crop: missed)
    rect, weight = photo_weight(photo, face, [])
    assert rect == (0, 0, *photo.shape[1::-1])
    for border in (weight[0], weight[:, 0], weight[-1], weight[:, -1]):
        assert border.min() > 250


@pytest.mark.parametrize("painted", [False, True])
def test_a_hat_in_the_colour_of_hair_stays(monkeypatch, painted):
    """It is no hair, though its colour is that of hair beside it, or of a painted face with any colour."""
    photo, face, matte = head_in_a_square(Region.CLOTHES)
    size = len(face.mask)
    assert face.regions is not None
    face.regions[size // 2 :, :, Region.HAIR] = face.regions[size // 2 :, :, Region.CLOTHES]  # as dark as the hat
    face.regions[size // 2 :, :, Region.CLOTHES] = 0
    if painted:
        rng, there = np.random.default_rng(0), photo[..., 0] > 0.5
        photo[there] = rng.uniform(0.05, 0.9, (int(there.sum()), 3)).astype(np.float32)
    everywhere = replace(matte, coarse=np.ones_like(matte.coarse), offset=np.ones_like(matte.coarse))
    monkeypatch.setattr("illures.relighting.weight.face_matte", lambda photo, crop: everywhere)
    _, weight = photo_weight(photo, face, [])
    hat, hair = weight[20:50, 30:-30], weight[130:150, 10:30]
    assert hat.max() < 40 and hair.min() > 240


def test_shoulders_as_high_as_the_chin_are_no_head():
    """A dark suit that the network does not see, as it lies outside the crop, at the height of the chin."""
    face = scene(roll_deg=0).face
    size, wide = len(face.mask), widened(face.crop)
    regions = np.zeros((size, size, len(Region)), np.float32)
    regions[..., Region.SKIN], regions[: size // 4, :, Region.HAIR] = face.mask, 1 - face.mask[: size // 4]
    face, margin = replace(face, regions=regions), (wide.size - size) // 2
    rows, columns = np.indices((wide.size, wide.size))
    chin = to_crop(face.crop.face.landmarks[[152]], wide)[0, 1]
    suit, head = rows > chin - 6, np.abs(columns - wide.size / 2) < 0.3 * size
    image = np.where(head[..., None], np.float32([0.7, 0.55, 0.5]), np.float32([0.1, 0.1, 0.14]))
    weight = grid_weight(image, face, (suit | head).astype(np.float32))
    assert weight[(suit & ~head)[:, :margin].nonzero()].max() < 0.3
    assert weight[margin : margin + size // 2, wide.size // 2].min() > 0.9


def test_clothes_take_the_light_only_if_asked(astronaut):
    """Her orange suit, aside of the collar: nearly kept, or brighter where the lamp is."""
    photo, crop = astronaut
    face = replace(scene(size=128).face, crop=crop)
    left, right = (slice(235, 285), slice(115, 150)), (slice(235, 285), slice(300, 335))

    def change(background: str) -> float:
        """By how much more the right shoulder gains than the left when the lamp goes from left to right [log]."""
        tilt, relighter = [], PhotoRelighter(photo, [face], background=background)
        for side in (-60, 60):
            image = as_linear(relighter(Light.from_direction(side, 20, ambient=0.2)))
            tilt.append(np.log(image[right].mean() / image[left].mean()))
        return float(tilt[1] - tilt[0])

    kept, asked = change("keep"), change("relight")
    assert abs(kept) < 0.1 * asked and asked > 0.2
