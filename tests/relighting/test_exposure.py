"""A light is adapted to a face: its strength is kept, and skin and hair keep their colours."""

from dataclasses import replace

import numpy as np
import pytest

from face_scene import crop_at, scene
from illures.decompose.decomposition import Decomposition
from illures.faces import upright
from illures.io.photos import as_linear
from illures.math.color import luminance
from illures.relighting.composite import relight_photo
from illures.relighting.exposure import exposed, matched, tinted
from illures.relighting.light import Light
from illures.relighting.relight import relight
from illures.render import shade
from illures.types import Region

# No highlight: it would have the lamp's colour, and not the skin's.
WHITE = Light.from_sh(np.outer([3.0, 0.6, 0.3, -0.8, 0, 0, 0, 0, 0], [1, 1, 1]).astype(np.float32))


def test_a_white_lamp_changes_no_hue():
    s = scene(dtype=np.float32)
    lit = relight_photo(s.photo, [s.face], exposed(tinted(WHITE, s.face), s.face))
    old, new = (as_linear(v)[120:220, 165:265] for v in (s.photo, lit))
    chroma = [np.log(v[..., [0, 2]] / v[..., 1:2]).mean((0, 1)) for v in (old, new)]
    assert not np.allclose(old, new, rtol=0.1)
    np.testing.assert_allclose(chroma[0], chroma[1], rtol=0, atol=0.03)


def test_skin_taken_for_light_changes_no_colour_of_the_second_person():
    """The same face twice, but the second albedo is too grey and its light too red: both are relit alike."""
    s = scene(height=400, width=900, centre=(215.0, 170.0), roll_deg=0, dtype=np.float32)
    photo = np.concatenate([s.photo[:, :450], s.photo[:, :450]], axis=1)
    crops = [crop_at((x, 170.0), 1.15 * 120, 0.0, 128, photo.shape[:2]) for x in (215.0, 665.0)]
    first, second = (replace(s.face, crop=crop) for crop in crops)
    grey = np.float32([0.7, 0.95, 1.2])
    second = replace(second, albedo=second.albedo * grey, light=second.light / grey)
    inner = slice(120, 220), slice(165, 265)
    for light in (Light.preset("split"), Light.preset("candle")):
        out = relight_photo(photo, [first, second], exposed(tinted(light, first), first))
        one, two = (as_linear(v[inner]).mean((0, 1)) for v in (out, out[:, 450:]))
        np.testing.assert_allclose(two / luminance(two), one / luminance(one), rtol=0.02)


def haired(face: Decomposition) -> Decomposition:
    """The face with hair in place of its upper half."""
    size = len(face.mask)
    hair = np.zeros((size, size), np.float32)
    hair[: size // 2] = 1
    regions = np.zeros((size, size, len(Region)), np.float32)
    regions[..., Region.HAIR], regions[..., Region.SKIN] = hair, 1 - hair
    return replace(face, mask=face.mask * (1 - hair), regions=regions)


def test_white_light_leaves_hair_its_colour():
    """Hair whose estimated light is bluer than that of skin, as a purple wall behind it would have it."""
    s = scene(roll_deg=0, dtype=np.float32)
    face = haired(s.face)
    leaked = face.albedo / np.where(face.regions[..., [Region.HAIR]] > 0, np.float32([1.0, 0.9, 1.4]), 1)
    face = replace(face, albedo=leaked.astype(np.float32))
    out = relight_photo(s.photo, [face], exposed(tinted(WHITE, face), face))
    inner = slice(90, 140), slice(180, 250)  # hair
    old, new = (as_linear(v)[inner] for v in (s.photo, out))
    chroma = [np.log(v[..., [0, 2]] / v[..., 1:2]).mean((0, 1)) for v in (old, new)]
    assert not np.allclose(old, new, rtol=0.1)
    np.testing.assert_allclose(chroma[0], chroma[1], rtol=0, atol=0.08)


@pytest.mark.parametrize("part", [Region.HAIR, Region.SKIN])
def test_gaps_between_strands_stay_dark_and_shade_on_skin_goes(part):
    """A dark patch that the network takes for shade alone."""
    face = haired(scene(roll_deg=0, dtype=np.float32).face)
    size = len(face.mask)
    rows = slice(size // 2 - 16, size // 2 - 8) if part == Region.HAIR else slice(size // 2 + 8, size // 2 + 16)
    here, beside = (rows, slice(size // 2 - 8, size // 2)), (rows, slice(size // 2, size // 2 + 8))
    image = face.image.copy()
    image[here] /= 3
    out, bare = (luminance(relight(f, WHITE)) for f in (replace(face, image=image), face))
    kept = out[here].mean() / bare[here].mean()
    assert out[beside].mean() == pytest.approx(bare[beside].mean(), rel=0.02)
    assert 0.45 < kept < 0.7 if part == Region.HAIR else kept > 0.9


def test_exposure_keeps_the_mean_and_colour_can_be_kept():
    s = scene()
    light = Light.preset("candle")
    weight = s.face.mask[..., None]

    def mean(light: Light) -> np.ndarray:
        turned = light.rotated(upright(s.face.crop).T).sh.astype(np.float32)
        return (shade(s.face.normal, turned) * weight).sum((0, 1)) / weight.sum()

    own = (s.face.shading * weight).sum((0, 1)) / weight.sum()
    assert luminance(mean(exposed(light, s.face))) == pytest.approx(luminance(own), rel=0.08)
    assert luminance(mean(exposed(light, s.face, 1))) == pytest.approx(2 * luminance(own), rel=0.08)
    np.testing.assert_allclose(mean(matched(light, s.face)), own, rtol=0.1)
