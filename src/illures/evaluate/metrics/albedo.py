"""Figures of albedo: error, correlation with the truth, colour, skin tone, change between images and frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from illures.evaluate.metrics.gradients import cosine, gradients
from illures.math.color import best_scale, individual_typology_angle_deg, luminance
from illures.math.namespace import array_namespace

_BLACK = 0.01  # floor of logarithms relative to the mean, as black pixels carry little information
_FAINT = 0.005  # invisible contrast of albedo, relative to its mean
_CLIPPED, _NEAR_BLACK = 0.95, 0.004  # linear values beyond which the colour of a photo is unreliable
_BRIGHTEST, _SHADED = 0.05, 0.05  # the brightest share of a face is highlights; below this part of its median is black


def fill_values(found: Float[np.ndarray, "points channels"]) -> Float[np.ndarray, "points channels"]:
    """Replace values that are not finite by the mean of the others (0 if there are none), as `fill_normals`."""
    values = np.asarray(found, np.float64)
    finite = np.asarray(np.isfinite(values).all(axis=-1))
    rest = values[finite].mean(axis=0) if finite.any() else np.zeros(values.shape[-1])
    return np.where(finite[:, None], values, rest)


def relative_rmse(found: Float[np.ndarray, "points *channels"], true: Float[np.ndarray, "points *channels"]) -> float:
    """RMSE over the RMS of the truth, after the one best scale: 0 is perfect, 1 as bad as black; scale-invariant."""
    found, true = found.astype(np.float64), true.astype(np.float64)
    return float(np.sqrt(np.mean((found * best_scale(found, true) - true) ** 2) / max(np.mean(true**2), 1e-30)))


def albedo_error(found: Float[np.ndarray, "points *channels"], true: Float[np.ndarray, "points *channels"]) -> float:
    """`relative_rmse` of a linear albedo; one scale for all channels, so a tint counts and brightness does not."""
    return relative_rmse(found, true)


def albedo_drift(albedos: Float[np.ndarray, "images points *channels"]) -> float:
    """Change of the albedo of one face between images: relative RMSE to the mean over the images.

    Each albedo is scaled to mean 1 first: scale-invariant.
    """
    scaled = _scaled_to_one(albedos)
    mean = scaled.mean(axis=0)
    return float(np.sqrt(np.mean((scaled - mean) ** 2) / np.mean(mean**2)))


def log_correlation(albedo: Float[Any, "points *channels"], truth: Float[Any, "points *channels"]) -> float:
    """Pearson correlation of the log luminance of a linear albedo with that of the truth, in [-1, 1]; scale-invariant.

    A constant scores 0. NumPy or PyTorch; points of three channels or of one.
    """
    xp = array_namespace(albedo, truth)
    ours, true = (_log(values) for values in (albedo, truth))
    return cosine(ours - xp.mean(ours), true - xp.mean(true))


def gradient_correlation(
    albedo: Float[Any, "height width *channels"],
    truth: Float[Any, "height width *channels"],
    mask: Bool[Any, "height width"],
) -> float:
    """Correlation of the gradients of log luminance with those of the truth, in [-1, 1]; scale-invariant.

    Central differences along x and y, pooled, at pixels that lie in the mask with their four neighbours. Not centred:
    shading that remains in the albedo is a slope, and counts. A constant scores 0. NumPy or PyTorch.
    """
    return cosine(*(gradients(_log(values[mask])[:, None], mask) for values in (albedo, truth)))


def drift_over_contrast(albedos: Float[Any, "images points *channels"]) -> float:
    """Change of one albedo between images over the albedo's own contrast: 0 never changes, √2 is unrelated each time.

    For each pair RMS of the difference over the mean of both standard deviations, each albedo scaled to mean 1 as in
    `albedo_drift`, then the mean over pairs. The deviation is within channels: the colour of skin is no contrast. A
    contrast of 0.005 (invisible) is added in quadrature to numerator and denominator, so that a constant scores 1, or
    more if its colour changes. So a flat albedo gains nothing. NumPy or PyTorch; two images at least.
    """
    xp = array_namespace(albedos)
    values = xp.astype(albedos, xp.float64)
    values = xp.reshape(values, (*values.shape[:2], -1))
    values = values / xp.clip(xp.mean(values, axis=(1, 2), keepdims=True), min=1e-12)
    contrast = xp.sqrt(xp.mean((values - xp.mean(values, axis=1, keepdims=True)) ** 2, axis=(1, 2)))
    count, ratios = values.shape[0], []
    for i in range(count - 1):
        drift = xp.mean((values[i + 1 :, ...] - values[i, ...]) ** 2, axis=(1, 2))
        both = (contrast[i + 1 :] + contrast[i]) / 2
        ratios.append(xp.sqrt((drift + _FAINT**2) / (both**2 + _FAINT**2)))
    return float(xp.mean(xp.concat(ratios)))


def colour_kept(
    albedo: Float[Any, "height width 3"], image: Float[Any, "height width 3"], mask: Bool[Any, "height width"]
) -> float:
    """Spread of log chromaticity (log R/G, log B/G) of an albedo less that of its image: 0 keeps all colour detail.

    Root mean square of both standard deviations over the mask, in natural logarithms; invariant to the scale and the
    tint of either. A constant scores the image's own spread, a wrong one more; light whose colour changes over the face
    makes the true albedo score a little above 0. Pixels with unreliable colour in the image are skipped: clipped,
    near black, and the brightest 5 % (highlights). NumPy or PyTorch.

    Args:
        albedo: linear.
        image: linear, in [0, 1].
        mask: the pixels that count.

    Returns:
        The spread, or NaN where no pixel is left.
    """
    xp = array_namespace(albedo, image)
    photo = image[mask]
    bright = luminance(photo)
    if bright.shape[0] == 0:
        return float("nan")
    order = xp.sort(bright)
    limit, median = order[int((1 - _BRIGHTEST) * (bright.shape[0] - 1))], order[bright.shape[0] // 2]
    reliable = (bright <= limit) & (bright > _SHADED * median)
    reliable = reliable & (xp.max(photo, axis=-1) < _CLIPPED) & (xp.min(photo, axis=-1) > _NEAR_BLACK)
    if not bool(xp.any(reliable)):
        return float("nan")
    change = _log_chromaticity(albedo[mask][reliable]) - _log_chromaticity(photo[reliable])
    return float(xp.sqrt(xp.mean((change - xp.mean(change, axis=0)) ** 2)))


def flicker(albedos: Float[np.ndarray, "frames points *channels"]) -> float:
    """High-frequency temporal part of an aligned albedo, relative to its mean; scale-invariant.

    RMS of a_t - (a_{t-1} + a_{t+1}) / 2 over √1.5, each frame scaled to mean 1: noise that is independent from frame to
    frame scores its relative standard deviation; what changes slowly, as under a turning light, scores near 0.
    """
    scaled = _scaled_to_one(albedos)
    change = scaled[1:-1] - (scaled[:-2] + scaled[2:]) / 2
    return float(np.sqrt(np.mean(change**2) / 1.5))


def flicker_over_contrast(albedos: Float[np.ndarray, "frames points *channels"]) -> float:
    """`flicker` over the albedo's own contrast (mean over frames of the deviation within channels): 1 is all noise.

    As in `drift_over_contrast` a contrast of 0.005 is added to both in quadrature, so that a constant scores 1.
    """
    scaled = _scaled_to_one(albedos)
    contrast = float(np.sqrt(np.mean((scaled - scaled.mean(axis=1, keepdims=True)) ** 2)))
    return float(np.hypot(flicker(albedos), _FAINT) / np.hypot(contrast, _FAINT))


def skin_tone_deg(albedo: Float[np.ndarray, "points 3"]) -> float:
    """Individual typology angle of a face's median linear albedo [deg]; brows and eyes do not move the median."""
    median = np.median(albedo.astype(np.float64), axis=0, keepdims=True)
    return float(individual_typology_angle_deg(np.clip(median, 0, 1))[0])


def ita_error_deg(found: Float[np.ndarray, "points 3"], true: Float[np.ndarray, "points 3"]) -> float:
    """Difference of two `skin_tone_deg` [deg], signed: above 0 is too light.

    Not scale-invariant: an albedo that is too dark makes a person darker.
    """
    return skin_tone_deg(found) - skin_tone_deg(true)


def _log(values: Float[Any, "points *channels"]) -> Float[Any, " points"]:
    """Log luminance with a floor relative to the mean."""
    xp = array_namespace(values)
    bright = xp.astype(luminance(values) if values.ndim > 1 else values, xp.float64)
    floor = max(_BLACK * float(xp.mean(bright)), 1e-12) if bright.shape[0] else 1e-12
    return xp.log(xp.clip(bright, min=floor))


def _log_chromaticity(values: Float[Any, "points 3"]) -> Float[Any, "points 2"]:
    xp = array_namespace(values)
    exact = xp.astype(values, xp.float64)
    logs = xp.log(xp.clip(exact, min=max(_BLACK * float(xp.mean(exact)), 1e-12)))
    return xp.stack([logs[:, 0] - logs[:, 1], logs[:, 2] - logs[:, 1]], axis=-1)


def _scaled_to_one(values: np.ndarray) -> np.ndarray:
    axes = tuple(range(1, values.ndim))
    return values.astype(np.float64) / np.maximum(values.mean(axis=axes, keepdims=True, dtype=np.float64), 1e-12)
