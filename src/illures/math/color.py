"""Colour: sRGB, luminance, skin tone, and the free scale between albedo and light.

Convention: RGB with the sRGB / Rec. 709 primaries and the D65 white; linear unless a name says `srgb`; last axis 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import device
from jaxtyping import Float, Num

from illures.math.namespace import array_namespace

Colour = Float[np.ndarray, "3"]

# Rows: X, Y, Z of linear sRGB (IEC 61966-2-1); Y alone is the luminance.
_RGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])

# Largest difference of the channels of a grey pixel; the second where the frame before had colours.
_GREY, _GREY_AGAIN = 3.5 / 255, 2 / 255

# A face of albedo _USUAL_TONE has the linear luminance _FACE_LUMINANCE in photos; others go with albedo to the power
# _KEPT. Measured on 103 photos: light skin (94, albedo about 0.37) has luminance 0.315 with a log spread of 0.32,
# medium skin (8, about 0.2) 0.23, dark skin (1, about 0.08) 0.08. So a face is about as bright as its albedo.
_FACE_LUMINANCE, _USUAL_TONE, _KEPT = 0.30, 0.35, 0.7
EXPOSURE_SPREAD = 0.32  # standard deviation of the logarithm of that luminance among photos


def srgb_to_linear(srgb: Float[Any, "*batch"]) -> Float[Any, "*batch"]:
    """Decode the sRGB curve (IEC 61966-2-1). Below 0 the linear segment continues, above 1 the power curve."""
    xp = array_namespace(srgb)
    power = ((xp.clip(srgb, min=0.04045) + 0.055) / 1.055) ** 2.4
    return xp.where(srgb <= 0.04045, srgb / 12.92, power)


def linear_to_srgb(linear: Float[Any, "*batch"]) -> Float[Any, "*batch"]:
    """The inverse of `srgb_to_linear`; not clipped."""
    xp = array_namespace(linear)
    # Clipped only inside the root: its gradient is infinite at 0, and `where` would turn that into NaN.
    power = 1.055 * xp.clip(linear, min=0.0031308) ** (1 / 2.4) - 0.055
    return xp.where(linear <= 0.0031308, linear * 12.92, power)


def luminance(linear: Float[Any, "*batch 3"]) -> Float[Any, "*batch"]:
    """Rec. 709 luminance of linear RGB."""
    xp = array_namespace(linear)
    return linear @ xp.asarray(_RGB_TO_XYZ[1], dtype=linear.dtype, device=device(linear))


def greyed(linear: Float[Any, "*batch 3"]) -> Float[Any, "*batch 3"]:
    """Each colour becomes the grey of its luminance."""
    xp = array_namespace(linear)
    return xp.stack([luminance(linear)] * 3, axis=-1)


def mean_channel(image: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch"]:
    """Mean of the three channels. NumPy's reductions over a last axis of 3 take more than ten times as long."""
    return (image[..., 0] + image[..., 1] + image[..., 2]) * image.dtype.type(1 / 3)


def brightest_channel(image: Num[np.ndarray, "*batch 3"]) -> Num[np.ndarray, "*batch"]:
    """Largest of the three channels."""
    return np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])


def darkest_channel(image: Num[np.ndarray, "*batch 3"]) -> Num[np.ndarray, "*batch"]:
    """Smallest of the three channels."""
    return np.minimum(np.minimum(image[..., 0], image[..., 1]), image[..., 2])


def mean_colour(image: Float[np.ndarray, "rows columns 3"], weight: Float[np.ndarray, "rows columns"]) -> Colour:
    """Weighted mean over all pixels; 0 where there is no weight."""
    total = max(float(weight.sum()), 1e-6)
    return np.array([(image[..., k] * weight).sum() / total for k in range(3)], image.dtype)


def is_grey(srgb: Float[np.ndarray, "*batch 3"], before: bool = True) -> bool:
    """Whether 99 % of the pixels of an sRGB-encoded image have no colour, but for rounding and JPEG artefacts.

    So is an image so dark that rounding hides its colours: what is made up for them would be wrong.

    Args:
        srgb: in [0, 1].
        before: for frames of a clip: whether the one before was grey. One with colours must lose more of them, so that
            faint colours do not come and go.
    """
    return bool(
        np.quantile(brightest_channel(srgb) - darkest_channel(srgb), 0.99) <= (_GREY if before else _GREY_AGAIN)
    )


def lab(linear: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """CIE L*a*b* (D65) of linear RGB in [0, 1]."""
    xyz = linear @ (_RGB_TO_XYZ / _RGB_TO_XYZ.sum(axis=1, keepdims=True)).T
    delta = 6 / 29
    f = np.where(xyz > delta**3, np.cbrt(xyz), xyz / (3 * delta**2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def individual_typology_angle_deg(linear: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch"]:
    """Skin tone as ITA = atan2(L* - 50, b*) [deg]: above 55 very light, below -30 dark (Chardon et al. 1991)."""
    color = lab(linear)
    return np.rad2deg(np.arctan2(color[..., 0] - 50, color[..., 2]))


def photographed_luminance(tone: Float[Any, "*batch"]) -> Float[Any, "*batch"]:
    """The usual linear luminance of a face in photos, from its albedo: light skin is brighter than dark skin."""
    return _FACE_LUMINANCE * (tone / _USUAL_TONE) ** _KEPT


def best_scale(estimate: Float[Any, "*points"], target: Float[Any, "*points"]) -> Float[Any, ""]:
    """The one factor s that makes s · estimate closest to target in least squares (albedo × light has one)."""
    xp = array_namespace(estimate, target)
    return xp.sum(estimate * target) / xp.clip(xp.sum(estimate * estimate), min=1e-12)
