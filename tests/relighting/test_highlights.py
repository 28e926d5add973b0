"""Highlights: on hair they keep its colour, and neither those on hair nor those on skin end at the crop's edge."""

from dataclasses import replace

import numpy as np

from face_scene import crop_at, perfect, scene
from illures.io.photos import as_linear
from illures.math.color import luminance
from illures.relighting.composite import relight_photo
from illures.relighting.exposure import own_tint, tinted
from illures.relighting.light import Light
from illures.relighting.relight import relight
from illures.relighting.shading import F0, ROUGHNESS
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


def reflected(facing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What GGX reflects to the viewer of an even light of radiance 1, by sampled half vectors (Walter et al.)."""
    u, turn = rng.random(20000), rng.uniform(0, 2 * np.pi, 20000)
    up = np.sqrt((1 - u) / (1 + (ROUGHNESS**2 - 1) * u))  # cosine of the half vector to the normal
    aside = np.sqrt(1 - up**2) * np.cos(turn)

    def smith(cosine: np.ndarray) -> np.ndarray:
        tangent2 = 1 / np.maximum(cosine, 1e-6) ** 2 - 1
        return (np.sqrt(1 + ROUGHNESS**2 * tangent2) - 1) / 2

    found = []
    for z in facing:
        to_half = np.sqrt(1 - z * z) * aside + z * up
        lamp = 2 * to_half * up - z  # cosine of the mirrored ray to the normal
        fresnel = F0 + (1 - F0) * (1 - np.clip(to_half, 0, 1)) ** 5
        weight = fresnel * np.clip(to_half, 0, None) / (z * up * (1 + smith(z) + smith(lamp)))
        found.append((weight * (lamp > 0)).mean())
    return np.array(found)


def test_the_colour_of_the_light_is_found_below_its_highlights(rng):
    """A reddish ball under an even yellowish light, with the highlights of that light. White is then that light's
    colour: in new light of the same kind the ball keeps its colour, though its highlights are in its albedo's way."""
    tint, albedo = np.float32([1.15, 1.0, 0.75]), np.float32([0.45, 0.28, 0.2])
    s = scene(size=64, roll_deg=0)
    facing = np.linspace(0.15, 1, 30)
    shine = np.interp(s.face.normal[..., 2], facing, reflected(facing, rng)).astype(np.float32)[..., None]
    even = np.zeros((9, 1), np.float32)
    even[0] = np.sqrt(4 * np.pi)
    image = tint * (albedo + shine)
    face = replace(s.face, image=image, albedo=np.broadcast_to(albedo, image.shape), light=even * tint, regions=None)
    inside = face.mask > 0.5
    naive = (image / albedo)[inside].mean(axis=0)
    true = tint / luminance(tint)
    assert np.abs(naive / luminance(naive) / true - 1).max() > 0.04
    np.testing.assert_allclose(own_tint(face), true, rtol=0.015)
    white = Light.from_sh(np.repeat(even, 3, axis=1))
    before, after = (v[inside].mean(axis=0) for v in (image, relight(face, tinted(white, face))))
    np.testing.assert_allclose(np.log(after / luminance(after)), np.log(before / luminance(before)), rtol=0, atol=0.02)
