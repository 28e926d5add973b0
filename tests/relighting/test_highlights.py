"""Highlights: on hair they keep its colour, and neither those on hair nor those on skin end at the crop's edge."""

from dataclasses import replace

import numpy as np

from face_scene import crop_at, perfect, scene
from illures.io.photos import as_linear
from illures.math.color import luminance
from illures.relighting.composite import relight_photo
from illures.relighting.light import Light
from illures.relighting.surface import surface_of
from illures.types import Region


def test_highlights_on_hair_keep_black_strands_black_and_go_on_above_the_crop():
    strands = (np.arange(420) % 8 < 4)[None, :, None]
    s = scene(roll_deg=0)
    photo = np.where(strands, s.photo, 0).astype(np.uint8)
    crop = crop_at((215.0, 170.0), 100.0, 0.0, 128, (360, 420))  # the ball is higher than it
    hair = np.zeros((128, 128, len(Region)), np.float32)
    hair[..., Region.HAIR] = 1
    face = perfect(as_linear(photo), s.albedo * strands, s.normal, s.light, s.residual, s.mask, crop)
    face, rim = replace(face, regions=hair), Light.from_direction(0, 60, ambient=0.1)
    assert relight_photo(photo, [face], rim)[~np.broadcast_to(strands, photo.shape)].max() <= 1
    skin = replace(face, regions=np.roll(hair, Region.SKIN - Region.HAIR, axis=-1))
    shiny, dull = (surface_of(one, "recompute", shadows=False).under(rim, 20) for one in (face, skin))
    assert dull.specular.any() and not shiny.specular.any()
    inside = slice(20 + 128 // 10, 60)
    assert shiny.diffuse[inside].mean() > 1.03 * dull.diffuse[inside].mean()
    edge = shiny.diffuse[19:21, 20:-20, 1]
    np.testing.assert_allclose(edge[0], edge[1], rtol=0.03)


def test_highlights_on_skin_go_on_above_the_crop():
    s = scene(roll_deg=0)
    crop = crop_at((215.0, 170.0), 100.0, 0.0, 128, (360, 420))  # the ball is higher than it
    face = perfect(as_linear(s.photo), s.albedo, s.normal, s.light, s.residual, s.mask, crop)
    skin = np.zeros((128, 128, len(Region)), np.float32)
    skin[..., Region.SKIN] = 1
    face = replace(face, regions=skin)
    surface, lamp = surface_of(face, "recompute", shadows=False), Light.from_direction(0, 60, ambient=0.1)
    seen, plain = surface.under(lamp, 20), replace(surface, specular_tint=0 * surface.specular_tint).under(lamp, 20)
    inner = slice(20 + 13, -20 - 13)
    np.testing.assert_array_equal(seen.diffuse[inner, inner], plain.diffuse[inner, inner])
    assert seen.specular[inner, inner].max() > 0.05 and seen.specular[:20].max() == 0
    albedo = float((luminance(face.albedo) * face.mask).sum() / face.mask.sum())
    light = (albedo * seen.diffuse + seen.specular)[:, 84, 1]  # down the middle of the ball
    assert light[19] > 1.03 * albedo * plain.diffuse[19, 84, 1]
    assert np.abs(np.diff(np.log(light[10:60]))).max() < 0.04
