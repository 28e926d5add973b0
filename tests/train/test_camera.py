"""The camera: image and light change together, albedo stays."""

from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
import torch

from illures.data.cache import UNKNOWN
from illures.math.color import linear_to_srgb, luminance
from illures.render import render
from illures.train import augment
from illures.train.camera import CameraConfig, compressed, cut, expose, photograph
from illures.types import Region

CAMERA = CameraConfig()


def residual_of(batch):
    return batch.image - render(batch.albedo, batch.normal, batch.light[:, None])


@pytest.fixture
def batch(cache):
    return cache.batch(range(16))


def test_exposure_scales_image_residual_and_light_alike(batch, rng):
    dim = replace(batch, image=batch.image * 0.2, light=batch.light * 0.2)  # nothing clips
    exposed = expose(dim, CameraConfig(grey=0.0), rng)
    gain = exposed.light[:, :1] / dim.light[:, :1]
    torch.testing.assert_close(residual_of(exposed), residual_of(dim) * gain[:, None], rtol=0, atol=1e-5)
    torch.testing.assert_close(exposed.albedo, dim.albedo)
    around = dim.context[..., :3] * gain[:, None]
    torch.testing.assert_close(exposed.context[..., :3], around.clamp(0, 1), rtol=0, atol=1e-5)


def test_extreme_exposures_burn_and_drown_images(batch, rng):
    usual = expose(batch, CameraConfig(grey=0.0), rng).light[:, 0, 1] / batch.light[:, 0, 1]
    config = CameraConfig(grey=0.0, extreme=1.0)
    draws = [expose(batch, config, rng).light[:, 0, 1] / batch.light[:, 0, 1] for _ in range(20)]
    stops = torch.cat(draws).log2()
    assert stops.min() > -2.6 and stops.max() < 2.1
    assert stops.min() < -1.8 and stops.max() > 1.3 > usual.log2().abs().max()


def test_highlights_are_compressed_toward_white():
    linear = torch.linspace(0, 4, 4001, dtype=torch.float64)
    clipped = compressed(linear, torch.ones_like(linear))
    torch.testing.assert_close(clipped, linear.clamp(0, 1), rtol=0, atol=1e-6)
    for knee in (0.3, 0.6, 0.9):
        soft = compressed(linear, torch.full_like(linear, knee))
        slope = soft.diff() / linear.diff()
        assert (slope >= 0).all() and slope.max() <= 1 + 1e-9 and slope.diff().abs().max() < 0.02  # no crease
        torch.testing.assert_close(soft[linear <= knee], linear[linear <= knee])
        assert 0.98 < soft[-1] <= 1 and (soft <= clipped + 1e-9).all()


def test_camera_compresses_image_and_thumbnail_and_leaves_albedo_and_light(batch, rng):
    bright = replace(batch, image=batch.image + 0.7)
    still = {"grey": 0.0, "exposure": 0.0, "white_balance": 0.0}
    hard = expose(bright, CameraConfig(**still), np.random.default_rng(1))
    soft = expose(bright, CameraConfig(**still, shoulder=1.0), np.random.default_rng(1))
    torch.testing.assert_close(soft.albedo, hard.albedo, rtol=0, atol=0)
    torch.testing.assert_close(soft.light, hard.light, rtol=0, atol=0)
    assert (soft.image <= hard.image + 1e-6).all() and (hard.image - soft.image).amax((1, 2, 3)).min() > 0.01
    assert (soft.context[..., :3] <= hard.context[..., :3] + 1e-6).all()


def test_contrast_is_a_curve_through_black_and_white(rng):
    ramp = torch.linspace(0, 1, 32).repeat(32, 1)[None, :, :, None].expand(8, 32, 32, 3)
    quiet = {"tone": 0.0, "noise": 0.0, "blur": 0.0, "jpeg": 0.0}
    context = torch.cat([ramp, torch.zeros(8, 32, 32, 1)], dim=-1)
    plain, _ = photograph(ramp, context, CameraConfig(**quiet), rng)
    curved, around = photograph(ramp, context, CameraConfig(**quiet, contrast=1.0), rng)
    assert (curved.diff(dim=2) > 0).all()
    torch.testing.assert_close(curved[:, :, [0, -1]], plain[:, :, [0, -1]], rtol=0, atol=1e-3)
    assert (curved - plain).abs().amax((1, 2, 3)).max() > 0.02
    torch.testing.assert_close(around[..., :3], curved, rtol=0, atol=1e-6)


def test_a_meter_makes_light_skin_brighter_than_dark(batch):
    """With all of it, the order of the photos' brightness is that of the tones."""
    dim = replace(batch, image=batch.image * 0.8, light=batch.light * 0.8)
    still = {"grey": 0.0, "exposure": 0.0, "white_balance": 0.0}

    def skin(values):
        inside = batch.mask * (batch.region == Region.SKIN)
        return ((luminance(values)[..., None] * inside).sum((1, 2)) / inside.sum((1, 2)))[:, 0]

    metered = expose(dim, CameraConfig(**still, metered=1.0), np.random.default_rng(2))
    tone, before, after = skin(dim.albedo), skin(dim.image), skin(metered.image)
    wanted = 0.30 * (tone / 0.35) ** 0.7
    off = [(value.clamp(max=1) / wanted).log().abs() for value in (before, after)]
    assert (off[1] < 0.6 * off[0] + 0.05).all()
    torch.testing.assert_close(metered.albedo, dim.albedo, rtol=0, atol=0)
    gain = metered.light[:, :1] / dim.light[:, :1]
    torch.testing.assert_close(metered.image, (dim.image * gain[:, None]).clamp(0, 1), rtol=0, atol=1e-5)


def test_stronger_colours_keep_the_product_of_albedo_and_illumination(batch):
    """The image under E of a coloured light: I / A has the same colour everywhere, before and after."""
    colour = torch.tensor([1.0, 0.8, 0.5])
    lit = replace(batch, image=batch.albedo.clamp(min=0.01) * 0.5 * colour, albedo=batch.albedo.clamp(min=0.01))
    still = {"grey": 0.0, "exposure": 0.0, "white_balance": 0.0}
    strong = expose(lit, CameraConfig(**still, saturated=1.0), np.random.default_rng(1))
    light = strong.image / strong.albedo
    for image in light[(strong.albedo < 1).all(dim=-1).all(dim=(1, 2))]:
        torch.testing.assert_close(image, image[:1, :1].expand_as(image), rtol=1e-4, atol=0)
    ratio = (strong.albedo[..., 0] / strong.albedo[..., 2]).log() / (lit.albedo[..., 0] / lit.albedo[..., 2]).log()
    skin = (batch.region == Region.SKIN)[..., 0] & (strong.albedo < 1).all(dim=-1)
    assert (ratio[skin] > 0.99).all() and (ratio[skin] < 1.61).all() and ratio[skin].std() > 0.02


def test_shadows_on_skin_get_redder_and_all_else_stays(batch):
    """Under grey light, log red over green of the illumination falls on a line with its log brightness."""
    fall = torch.linspace(0.05, 0.6, batch.image.shape[2])[None, None, :, None]
    lit = replace(batch, image=(batch.albedo * fall - 0.003).clamp(min=0))  # so the quotient is `fall`
    still = {"grey": 0.0, "exposure": 0.0, "white_balance": 0.0}
    red = expose(lit, CameraConfig(**still, reddened=1.0), np.random.default_rng(1))
    torch.testing.assert_close(red.albedo, lit.albedo, rtol=0, atol=0)
    torch.testing.assert_close(red.light, lit.light, rtol=0, atol=1e-6)
    torch.testing.assert_close(red.image[..., 1], lit.image.clamp(0, 1)[..., 1], rtol=0, atol=1e-6)
    skin = (batch.region == Region.SKIN)[..., 0] & (lit.image > 0.02).all(dim=-1) & (lit.image < 0.6).all(dim=-1)
    others = (batch.region != Region.SKIN)[..., 0] & (batch.region != Region.LIPS)[..., 0]
    torch.testing.assert_close(red.image[others], lit.image[others].clamp(0, 1), rtol=0, atol=1e-6)
    slopes = []
    for change, here in zip((red.image / lit.image).log(), skin, strict=True):
        x = fall.expand_as(batch.image)[0, ..., 0][here].log()
        (slope, _), residuals, *_ = np.polyfit(x, change[..., 0][here], 1, full=True)
        slopes.append(slope)
        assert residuals[0] < 1e-3 * here.sum()
    assert min(slopes) > -0.31 and max(slopes) < 0.06 and np.std(slopes) > 0.05


def test_a_white_balance_takes_colour_from_the_light_and_leaves_albedo(batch, rng):
    tinted = torch.tensor([1.0, 0.7, 0.5])
    warm = replace(batch, image=batch.image * 0.2 * tinted, light=batch.light * 0.2 * tinted)
    before = warm.light[:, 0] / warm.light[:, 0].amax(dim=1, keepdim=True)
    camera = CameraConfig(grey=0.0, exposure=0.0, white_balance=0.0, balanced=1.0)
    exposed = expose(warm, camera, rng)
    after = exposed.light[:, 0] / exposed.light[:, 0].amax(dim=1, keepdim=True)
    assert ((1 - after.amin(dim=1)) < 0.75 * (1 - before.amin(dim=1))).all()
    torch.testing.assert_close(exposed.albedo, warm.albedo, rtol=0, atol=0)
    gain = exposed.light[:, :1] / warm.light[:, :1]
    assert gain.min() > 1 - 1e-6
    torch.testing.assert_close(residual_of(exposed), residual_of(warm) * gain[:, None], rtol=0, atol=1e-5)


def test_grey_images_are_explained_in_grey(batch, rng):
    exposed = expose(batch, CameraConfig(grey=1.0), rng)
    for value in (exposed.image, exposed.albedo, exposed.light, residual_of(exposed)):
        torch.testing.assert_close(value.std(dim=-1), torch.zeros(value.shape[:-1]), rtol=0, atol=1e-5)


def test_cut_photos_count_only_what_they_show(batch, rng):
    shortened = cut(batch, CameraConfig(cut=1.0), rng)
    shown = shortened.mask > 0
    assert 0.2 * batch.mask.sum() < shortened.mask.sum() < batch.mask.sum()
    assert torch.equal(shortened.surface > 0, (batch.surface > 0) & (shortened.region != UNKNOWN))
    keep = shown.expand_as(batch.image)
    torch.testing.assert_close(shortened.image[keep], batch.image[keep])


def test_of_tight_photos_nothing_is_known_round_the_face(batch, rng):
    # A batch of one image, many times: its context is that of a wider photo.
    wide = replace(batch, context=torch.rand_like(batch.context))
    tight = 0
    for _ in range(20):
        shortened = cut(wide, CameraConfig(cut=1.0), rng)
        for k in range(len(batch.image)):
            if torch.equal(shortened.context[k], wide.context[k]):
                continue
            tight += 1
            rows = torch.where((shortened.region[k] != UNKNOWN).any(dim=1)[:, 0])[0]
            columns = torch.where((shortened.region[k] != UNKNOWN).any(dim=0)[:, 0])[0]
            shown = batch.image[k][rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            assert (shortened.context[k, ..., 3] == 1).all()
            mean = shortened.context[k, ..., :3].mean(dim=(0, 1))
            torch.testing.assert_close(mean, shown.mean(dim=(0, 1)), rtol=0, atol=0.05)
    assert 0.3 < tight / (20 * len(batch.image)) < 0.7


def test_a_camera_without_faults_only_encodes(batch, rng):
    perfect = CameraConfig(tone=0.0, noise=0.0, blur=0.0, jpeg=0.0)
    found, context = photograph(batch.image, batch.context, perfect, rng)
    torch.testing.assert_close(found, linear_to_srgb(batch.image).clamp(0, 1), rtol=0, atol=2e-3)
    colours = linear_to_srgb(batch.context[..., :3]).clamp(0, 1)
    torch.testing.assert_close(context[..., :3], colours, rtol=0, atol=2e-3)
    assert torch.equal(context[..., 3], batch.context[..., 3])


def test_a_real_camera_stays_near_and_in_range(batch, rng):
    found, context = photograph(batch.image, batch.context, CAMERA, rng)
    assert context.min() >= 0 and context.max() <= 1
    assert found.min() >= 0 and found.max() <= 1
    error = (found - linear_to_srgb(batch.image)).abs().mean()
    assert 0.003 < error < 0.1


def test_augmentation_repeats_with_its_seed(batch):
    once, again = (photograph(batch.image, batch.context, CAMERA, np.random.default_rng(3))[0] for _ in range(2))
    assert torch.equal(once, again)


def test_the_frames_of_a_pair_are_mirrored_and_grey_alike(batch, rng):
    pairs = replace(batch, **{f.name: torch.cat([getattr(batch, f.name)[:8]] * 2) for f in fields(batch)})
    flipped = augment.flip(pairs, rng, tied=2)
    torch.testing.assert_close(flipped.image[:8], flipped.image[8:])
    torch.testing.assert_close(flipped.landmarks[:8], flipped.landmarks[8:])
    changed = (flipped.image - pairs.image).abs().amax(dim=(1, 2, 3)) > 0.01
    assert changed.any() and not changed.all()
    exposed = expose(pairs, replace(CAMERA, grey=0.5), rng, tied=2)
    grey = exposed.image.std(dim=-1).amax(dim=(1, 2)) < 1e-6
    assert grey.any() and not grey.all() and torch.equal(grey[:8], grey[8:])
    assert not torch.allclose(exposed.image[:8], exposed.image[8:])


def test_frames_of_videos_go_through_the_same_camera(batch):
    frames = augment.Frames(batch.image, batch.mask, batch.guide, batch.landmarks, batch.mask)
    for change in (augment.flip, partial(expose, config=CAMERA)):
        ours, theirs = (change(x, rng=np.random.default_rng(1)) for x in (frames, batch))
        torch.testing.assert_close(ours.image, theirs.image)
