"""Augmentation: what a camera does to an image, from its exposure to its JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from illures.data.cache import UNKNOWN, Batch
from illures.data.pairs import VideoBatch
from illures.faces.context import whole_photo
from illures.math.color import greyed, linear_to_srgb, luminance, photographed_luminance
from illures.math.curves import smoothstep
from illures.math.quotient import illumination_of
from illures.types import Region

Images = TypeVar("Images", Batch, VideoBatch)

_LARGEST_BALANCE = 3.0
_CUT = 0.3  # largest part of the crop's side that may lie outside the photo
_EXTREME_STOPS = (-2.5, 2.0)
_METERED_SHARE = (0.6, 1.0)
_METER = (0.5, 3.0)
_KNEE = (0.3, 0.9)
# Skin in photos is redder than skin is: log(R / G) of 77 photos 0.70, of light skin's albedo 0.44 to 0.58.
_SATURATION = (1.0, 1.6)
_LEAST = 1e-4  # linear; colours are saturated above it
# Exponents of red and blue over green in skin's illumination: in 13 photos the slope of log(R / G) against log E is
# -0.16 (median; standard deviation 0.21), of log(B / G) 0.10 (0.11), part of it by lights of several colours.
_RED = (-0.3, 0.05)
_BLUE_OVER_RED = -0.6
_BLUE_SPREAD = 0.04
_LOG_SHADOW = (-2.5, 1.5)  # within these illumination over its mean [log] changes colour
_CONTRAST = (-0.2, 0.7)  # share of a smoothstep in the tone curve; the middle's slope is up to 1.35


@dataclass(frozen=True)
class CameraConfig:
    """Probabilities and strengths of camera effects, sampled per image.

    Attributes:
        grey: chance of a grey image (albedo and light become grey with it).
        exposure: standard deviation of the exposure [stops].
        extreme: chance of an exposure up to 2 stops too long or 2.5 too short instead.
        metered: chance that the exposure moves to the one that a photographer would choose for the face, by 60 % of the
            way or more. Light skin then stays brighter than dark skin.
        balanced: chance of automatic white balance, which removes half to all of the light's colour.
        white_balance: its error: standard deviation of the gain of red and of blue [stops].
        saturated: chance of stronger colours, as cameras make them, by a factor of up to 1.6. The albedo gets them too.
            Otherwise the network would take strong colours for those of the light.
        reddened: chance that red of skin falls more slowly than green toward its shadows, and blue faster, as
            by light that scatters below the skin, and by curves on each channel. It is part of the illumination.
        shoulder: chance that highlights are compressed toward white, as film and most cameras do, instead of clipped.
        tone: standard deviation of the exponent (log) of the tone curve on the encoded image.
        contrast: chance of a tone curve in the shape of an S as well.
        noise: largest standard deviation of the sensor noise, of encoded values.
        blur: chance of a loss of resolution by up to 2.5 times.
        jpeg: chance of JPEG compression of quality 30 to 95.
        no_guide: chance that the guide is missing.
        cut: chance that the photo ends inside the crop, by up to 0.3 of its side, which `faces.extract` then fills with
            its mirror image.
    """

    grey: float = 0.4
    exposure: float = 0.35
    extreme: float = 0.0
    metered: float = 0.0
    balanced: float = 0.0
    white_balance: float = 0.12
    saturated: float = 0.0
    reddened: float = 0.0
    shoulder: float = 0.0
    tone: float = 0.15
    contrast: float = 0.0
    noise: float = 0.04
    blur: float = 0.35
    jpeg: float = 0.4
    no_guide: float = 0.1
    cut: float = 0.3


def expose(batch: Images, config: CameraConfig, rng: np.random.Generator, tied: int = 1) -> Images:
    """Change exposure and white balance: image and light change together, albedo stays.

    Some images turn grey or get stronger colours, with their albedo and light. The residual takes what differs from the
    product of both. Frames of videos keep their colours.

    Args:
        batch: holds `tied` equally long runs of images; the k-th of each run become grey together.
        config: strengths.
        rng: draws them.
        tied: as in `flip`.
    """
    count = len(batch.image)
    exposure = rng.normal(0, config.exposure, (count, 1))
    if config.extreme > 0:
        extreme = rng.random((count, 1)) < config.extreme
        exposure = np.where(extreme, rng.uniform(*_EXTREME_STOPS, (count, 1)), exposure)
    stops = exposure + rng.normal(0, config.white_balance, (count, 3)) * [1, 0, 1]
    gain = torch.from_numpy(2.0**stops).float()
    if isinstance(batch, Batch) and config.metered > 0:
        gain = gain * _metered(batch, config, rng)
    if isinstance(batch, Batch) and config.balanced > 0:
        gain = gain * _balance(batch.light[:, 0], config, rng)
    grey = torch.from_numpy(np.tile(rng.random(count // tied) < config.grey, tied))

    def some_grey(value: Tensor) -> Tensor:
        return torch.where(grey.view(-1, *[1] * (value.ndim - 1)), greyed(value), value)

    knee = torch.from_numpy(_knees(count, config, rng)).float()[:, None, None, None]
    if isinstance(batch, VideoBatch):
        return replace(batch, image=compressed(some_grey(batch.image * gain[:, None, None]), knee))
    strength = _saturations(count, tied, config, rng)[:, None, None, None]
    coloured = _reddened(batch, config, rng) * gain[:, None, None]
    image = compressed(some_grey(saturated(coloured, strength)), knee)
    colours = compressed(some_grey(saturated(batch.context[..., :3] * gain[:, None, None], strength)), knee)
    light = batch.light * gain[:, None]
    mean = light[:, :1].clamp(min=_LEAST)
    return replace(
        batch,
        image=image,
        light=some_grey(light * saturated(mean, strength[..., 0]) / mean),
        albedo=some_grey(saturated(batch.albedo, strength).clamp(max=1)),
        context=torch.cat([colours, batch.context[..., 3:]], dim=-1),
    )


def _knees(count: int, config: CameraConfig, rng: np.random.Generator) -> Float[np.ndarray, " count"]:
    """Values at which the compression of highlights begins; 1 clips."""
    if config.shoulder == 0:
        return np.ones(count)
    return np.where(rng.random(count) < config.shoulder, rng.uniform(*_KNEE, count), 1.0)


def _reddened(batch: Batch, config: CameraConfig, rng: np.random.Generator) -> Float[Tensor, "batch height width 3"]:
    """The images with redder shadows on the skin."""
    if config.reddened == 0:
        return batch.image
    count = len(batch.image)
    red = rng.uniform(*_RED, count) * (rng.random(count) < config.reddened)
    blue = _BLUE_OVER_RED * red + rng.normal(0, _BLUE_SPREAD, count) * (red != 0)
    exponents = torch.from_numpy(np.stack([red, np.zeros(count), blue], axis=-1)).float()[:, None, None]
    skin = ((batch.region == Region.SKIN) | (batch.region == Region.LIPS)).float()
    light = illumination_of(batch.image, batch.albedo)[..., 1:2].log()
    mean = (light * skin).sum(dim=(1, 2), keepdim=True) / skin.sum(dim=(1, 2), keepdim=True).clamp(min=1)
    return batch.image * (exponents * (light - mean).clamp(*_LOG_SHADOW) * skin).exp()


def _saturations(count: int, tied: int, config: CameraConfig, rng: np.random.Generator) -> Float[Tensor, " count"]:
    """Gain of the colours of each image; equal in tied images."""
    if config.saturated == 0:
        return torch.ones(count)
    strength = np.where(rng.random(count // tied) < config.saturated, rng.uniform(*_SATURATION, count // tied), 1.0)
    return torch.from_numpy(np.tile(strength, tied)).float()


def saturated(linear: Float[Tensor, "*values 3"], strength: Float[Tensor, "*#values 1"]) -> Float[Tensor, "*values 3"]:
    """Strengthen colours: the distance of each log channel from their mean is multiplied.

    The factors of a product change as the product does, so image = albedo ∘ illumination still holds.
    """
    if (strength == 1).all():
        return linear
    logs = linear.clamp(min=_LEAST).log()
    mean = logs.mean(dim=-1, keepdim=True)
    return (mean + strength * (logs - mean)).exp()


def compressed(linear: Float[Tensor, "*values"], knee: Float[Tensor, "*#values"]) -> Float[Tensor, "*values"]:
    """Values above the knee approach 1 as an exponential does, with slope 1 at the knee; a knee of 1 clips."""
    room = (1 - knee).clamp(min=1e-6)
    above = (linear - knee).clamp(min=0)
    return torch.minimum(linear, knee).clamp(min=0) + room * (1 - torch.exp(-above / room))


def _metered(batch: Batch, config: CameraConfig, rng: np.random.Generator) -> Float[Tensor, "batch 1"]:
    """Gains that move the skin's brightness toward that of photos of people with such a tone."""
    share = rng.uniform(*_METERED_SHARE, (len(batch.image), 1)) * (rng.random((len(batch.image), 1)) < config.metered)
    skin = batch.mask * (batch.region == Region.SKIN)
    count = skin.sum(dim=(1, 2)).clamp(min=1)
    tone, seen = ((luminance(v)[..., None] * skin).sum(dim=(1, 2)) / count for v in (batch.albedo, batch.image))
    gains = (photographed_luminance(tone) / seen.clamp(min=1e-3)).clamp(*_METER) ** torch.from_numpy(share).float()
    return torch.where(tone > 0, gains, torch.ones_like(gains))


def _balance(
    mean: Float[Tensor, "batch 3"], config: CameraConfig, rng: np.random.Generator
) -> Float[Tensor, "batch 3"]:
    """Gains that move the mean light toward grey; none below 1, as clipped white must stay white."""
    share = rng.uniform(0.5, 1.0, (len(mean), 1)) * (rng.random((len(mean), 1)) < config.balanced)
    mean = mean.clamp(min=1e-3)
    gains = (mean.amax(dim=1, keepdim=True) / mean) ** torch.from_numpy(share).float()
    return gains.clamp(max=_LARGEST_BALANCE)


def cut(batch: Batch, config: CameraConfig, rng: np.random.Generator) -> Batch:
    """Let some photos end inside the crop; pixels outside the photo do not count.

    Half of them end on one or two sides, half are tight on all sides, like pictures of face databases and passports.
    The thumbnail of such a photo shows only the face.
    """
    size = batch.image.shape[1]
    changed = replace(
        batch, **{name: getattr(batch, name).clone() for name in ("image", "mask", "surface", "region", "context")}
    )
    image = changed.image
    for i in np.flatnonzero(rng.random(len(image)) < config.cut):
        tight = rng.random() < 0.5
        shares = rng.uniform(0, _CUT) + rng.uniform(-0.05, 0.05, 4) if tight else rng.uniform(0, _CUT, 4)
        margins = (np.clip(shares, 0, _CUT) * size).astype(int)
        low, high = margins[:2], size - 1 - margins[2:]
        if tight:
            shown = image[i, low[0] : high[0] + 1, low[1] : high[1] + 1]
            changed.context[i] = torch.from_numpy(whole_photo(np.ascontiguousarray(shown.numpy())))
        rows, columns = (_mirrored(size, int(a), int(b)) for a, b in zip(low, high, strict=True))
        image[i] = image[i][rows][:, columns]
        seen = (rows == torch.arange(size))[:, None] & (columns == torch.arange(size))
        changed.mask[i] *= seen[..., None]
        changed.surface[i] *= seen[..., None]
        changed.region[i][~seen] = UNKNOWN
    return changed


def _mirrored(size: int, low: int, high: int) -> Int[Tensor, " size"]:
    """Positions 0 … size - 1, mirrored at `low` and `high` where they lie outside."""
    position = torch.arange(size)
    return high - (high - (low + (position - low).abs())).abs()


def photograph(
    image: Float[Tensor, "batch height width 3"],
    context: Float[Tensor, "batch 32 32 4"],
    config: CameraConfig,
    rng: np.random.Generator,
) -> tuple[Float[Tensor, "batch height width 3"], Float[Tensor, "batch 32 32 4"]]:
    """Linear images to camera images: tone curve, blur, noise, JPEG; sRGB-encoded, in [0, 1].

    Unlike `expose` this changes the input of the network, but not its targets. Thumbnails of the whole photos only get
    the tone curve, as the rest is invisible at their size.
    """
    count = len(image)
    exponent = torch.from_numpy(np.exp(rng.normal(0, config.tone, count))).float()
    curve = exponent[:, None, None, None]
    srgb = linear_to_srgb(image).clamp(1e-4, 1) ** curve
    colours = linear_to_srgb(context[..., :3]).clamp(1e-4, 1) ** curve
    if config.contrast > 0:
        strength = np.where(rng.random(count) < config.contrast, rng.uniform(*_CONTRAST, count), 0.0)
        share = torch.from_numpy(strength).float()[:, None, None, None]
        srgb, colours = (value + share * (smoothstep(value) - value) for value in (srgb, colours))
    sigma = torch.from_numpy(config.noise * rng.random(count) ** 2).float()[:, None, None, None]
    # Noise of half the images is coarser than a pixel, as after demosaicing and resizing.
    noise = torch.from_numpy(rng.standard_normal(srgb.shape, dtype=np.float32))
    coarse = interpolate(avg_pool2d(noise.permute(0, 3, 1, 2), 2) * 2, scale_factor=2).permute(0, 2, 3, 1)
    is_coarse = torch.from_numpy(rng.random(count) < 0.5)[:, None, None, None]
    srgb = torch.stack([_blur(x, config, rng) for x in srgb])
    srgb = (srgb + sigma * torch.where(is_coarse, coarse, noise)).clamp(0, 1)
    seen = torch.stack([_jpeg(x, config, rng) for x in srgb])
    return seen, torch.cat([colours, context[..., 3:]], dim=-1)


def _blur(srgb: Float[Tensor, "height width 3"], config: CameraConfig, rng: np.random.Generator) -> Tensor:
    if rng.random() >= config.blur:
        return srgb
    size = srgb.shape[0]
    small = int(size / rng.uniform(1.1, 2.5))
    x = srgb.permute(2, 0, 1)[None]
    x = interpolate(x, size=(small, small), mode="bilinear", antialias=True, align_corners=False)
    return interpolate(x, size=(size, size), mode="bilinear", align_corners=False)[0].permute(1, 2, 0)


def _jpeg(srgb: Float[Tensor, "height width 3"], config: CameraConfig, rng: np.random.Generator) -> Tensor:
    if rng.random() >= config.jpeg:
        return srgb
    buffer = io.BytesIO()
    pixels = Image.fromarray((srgb * 255).round().to(torch.uint8).numpy())
    pixels.save(buffer, "jpeg", quality=int(rng.integers(30, 96)))
    return torch.from_numpy(np.asarray(Image.open(buffer), dtype=np.float32) / 255)


def drop_guide(batch: Images, config: CameraConfig, rng: np.random.Generator) -> Images:
    """Remove the guide of some images, so that the network also works without it."""
    keep = torch.from_numpy(rng.random(len(batch.guide)) >= config.no_guide).float()
    return replace(batch, guide=batch.guide * keep[:, None, None, None])
