"""What is measured, on arrays alone; usable without the rest.

Points are the pixels of a mask, in any order. Each docstring says the unit, what is aligned first, and whether the free
scale between albedo and light counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from jaxtyping import Bool, Float

from illures.math.color import best_scale, individual_typology_angle_deg, luminance
from illures.math.normals import angular_error_deg, normalize, turn
from illures.math.sh import main_direction

VIEWER = np.array([0.0, 0.0, 1.0])
_BLACK = 0.01  # of the mean: below it logarithms count no further, for what is black says little
_CONSTANT = 1e-5  # spread of a logarithm that rounding alone can give in single precision
_FAINT = 0.005  # contrast of albedo, over its mean, that nobody sees
_CLIPPED, _NEAR_BLACK = 0.95, 0.004  # linear values of a photo beyond which its colour is not trusted
_BRIGHTEST, _SHADED = 0.05, 0.05  # the brightest share of a face is highlights; below this part of its median is black


@dataclass(frozen=True)
class NormalScore:
    """Angular errors of one normal map [deg], and shares of the pixels below thresholds [%]."""

    mean_deg: float
    median_deg: float
    below_20: float
    below_25: float
    below_30: float


def fill_normals(
    found: Float[np.ndarray, "points 3"],
) -> tuple[Float[np.ndarray, "points 3"], Bool[np.ndarray, " points"]]:
    """Unit normals, and where there was none.

    A pixel without an estimate (not finite, or zero) is given the answer of one who knows nothing, the direction to the
    viewer: so every method is scored on the same pixels, and leaving out the hard ones does not pay.

    Returns:
        The normals as float64; True where a pixel was filled.
    """
    normal = normalize(np.asarray(found, np.float64))
    # A length that is not finite fails the comparison, too.
    given = np.asarray(np.abs(np.linalg.norm(normal, axis=-1) - 1) < 0.5)
    return np.where(given[:, None], normal, VIEWER), ~given


def fill_values(found: Float[np.ndarray, "points channels"]) -> Float[np.ndarray, "points channels"]:
    """Where a value is not finite, the mean of the others (0 if there is none): what `fill_normals` is to normals."""
    values = np.asarray(found, np.float64)
    finite = np.asarray(np.isfinite(values).all(axis=-1))
    rest = values[finite].mean(axis=0) if finite.any() else np.zeros(values.shape[-1])
    return np.where(finite[:, None], values, rest)


def normal_errors_deg(
    found: Float[np.ndarray, "points 3"], true: Float[np.ndarray, "points 3"]
) -> Float[np.ndarray, " points"]:
    """Angle at each point [deg], atan2(|a × b|, a · b); nothing is aligned. Every point must hold a normal."""
    return angular_error_deg(found.astype(np.float64), true.astype(np.float64))


def angle_to_viewer_deg(directions: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, " points"]:
    """Angle off the camera's axis [deg]."""
    return normal_errors_deg(directions, np.broadcast_to(VIEWER, directions.shape))


def normal_score(found: Float[np.ndarray, "points 3"], true: Float[np.ndarray, "points 3"]) -> NormalScore:
    """Score unit normals against the truth, point by point; nothing is aligned."""
    error = normal_errors_deg(found, true)
    shares = [100 * float(np.mean(error < limit)) for limit in (20, 25, 30)]
    return NormalScore(float(error.mean()), float(np.median(error)), *shares)


def without_tilt(
    found: Float[np.ndarray, "points 3"], true: Float[np.ndarray, "points 3"]
) -> Float[np.ndarray, "points 3"]:
    """`found` turned as a whole by the rotation that brings it nearest to `true` (Kabsch 1976).

    Photometric stereo leaves a global tilt of a few degrees free; scores after this do not count it.
    """
    u, _, vt = np.linalg.svd(true.T.astype(np.float64) @ found.astype(np.float64))
    sign = np.diag([1.0, 1.0, np.linalg.det(u @ vt)])
    return turn(found, u @ sign @ vt)


def without_relief(
    found: Float[np.ndarray, "points 3"], true: Float[np.ndarray, "points 3"]
) -> Float[np.ndarray, "points 3"]:
    """`found` after the flattening and then the rotation that bring it nearest to `true`.

    Flattening scales depth by one factor λ in [1/3, 3]: n ∝ (λ x, λ y, z). Photometric stereo with lights that are
    known a little wrong leaves a generalised bas-relief free, a tilt and a flattening (Belhumeur et al., IJCV 1999);
    scores after this count neither. λ is found by golden section on the summed cosine, the rotation as `without_tilt`.
    """
    from scipy.optimize import minimize_scalar

    def aligned(log_factor: float) -> np.ndarray:
        return without_tilt(flattened(found, float(np.exp(log_factor))), true)

    thin = slice(None, None, max(1, len(found) // 4000))  # enough points for four numbers

    def cost(log_factor: float) -> float:
        return -float(np.sum(without_tilt(flattened(found[thin], float(np.exp(log_factor))), true[thin]) * true[thin]))

    limit = float(np.log(3))
    best = minimize_scalar(cost, bounds=(-limit, limit), method="bounded", options={"xatol": 1e-3})
    return aligned(best.x)


def flattened(normal: Float[np.ndarray, "points 3"], factor: float) -> Float[np.ndarray, "points 3"]:
    """Normals of the surface whose depth is scaled by `factor` (below 1 is flatter)."""
    return normalize(normal.astype(np.float64) * [factor, factor, 1.0])


def relative_rmse(found: Float[np.ndarray, "points *channels"], true: Float[np.ndarray, "points *channels"]) -> float:
    """RMSE over the RMS of the truth, after the one best scale: 0 is perfect, 1 as bad as black; scale-invariant."""
    found, true = found.astype(np.float64), true.astype(np.float64)
    return float(np.sqrt(np.mean((found * best_scale(found, true) - true) ** 2) / max(np.mean(true**2), 1e-30)))


def albedo_error(found: Float[np.ndarray, "points *channels"], true: Float[np.ndarray, "points *channels"]) -> float:
    """`relative_rmse` of a linear albedo; one scale for all channels, so a tint counts and brightness does not."""
    return relative_rmse(found, true)


def albedo_drift(albedos: Float[np.ndarray, "images points *channels"]) -> float:
    """How much the albedo of one face changes between images: relative RMSE to the mean over the images.

    Each albedo is scaled to mean 1 first: scale-invariant.
    """
    scaled = _scaled_to_one(albedos)
    mean = scaled.mean(axis=0)
    return float(np.sqrt(np.mean((scaled - mean) ** 2) / np.mean(mean**2)))


def log_correlation(albedo: Float[Any, "points *channels"], truth: Float[Any, "points *channels"]) -> float:
    """Pearson correlation of the log luminance of a linear albedo with that of the truth, in [-1, 1]; scale-invariant.

    What does not vary agrees with nothing: a constant scores 0. NumPy or PyTorch; points of three channels or of one.
    """
    xp = array_namespace(albedo, truth)
    ours, true = (_log(values) for values in (albedo, truth))
    return _cosine(ours - xp.mean(ours), true - xp.mean(true))


def gradient_correlation(
    albedo: Float[Any, "height width *channels"],
    truth: Float[Any, "height width *channels"],
    mask: Bool[Any, "height width"],
) -> float:
    """Correlation of the gradients of log luminance with those of the truth, in [-1, 1]; scale-invariant.

    Central differences along x and y, pooled, at pixels that lie in the mask with their four neighbours. Not centred:
    shading that stayed in the albedo is a slope, and counts. A constant scores 0. NumPy or PyTorch.
    """
    return _cosine(*(_gradients(_log(values[mask])[:, None], mask) for values in (albedo, truth)))


def normal_gradient_correlation(
    found: Float[Any, "points 3"], true: Float[Any, "points 3"], mask: Bool[Any, "height width"]
) -> float:
    """Correlation of the gradients of normals with those of the truth, in [-1, 1]: lids and nostrils, not the pose.

    Gradients as in `gradient_correlation`, of all three components, after the best rotation of the whole map
    (`without_tilt`). A plane scores 0.

    Args:
        found: unit vectors at the pixels of the mask, row by row.
        true: likewise.
        mask: the pixels that count.
    """
    return _cosine(_gradients(without_tilt(found, true), mask), _gradients(true, mask))


def drift_over_contrast(albedos: Float[Any, "images points *channels"]) -> float:
    """Change of one albedo between images over the albedo's own contrast: 0 never changes, √2 is unrelated each time.

    For each pair RMS of the difference over the mean of both standard deviations, each albedo scaled to mean 1 as in
    `albedo_drift`, then the mean over pairs. The deviation is within channels: the colour of skin is no contrast. A
    contrast of 0.005 that cannot be seen is added in quadrature above and below, so that a constant scores 1, or more
    where it changes its colour, and flatness does not pay. NumPy or PyTorch; two images at least.
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
    makes the true albedo score a little above 0. Pixels whose colour the image does not tell are left out: clipped,
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
    told = (bright <= limit) & (bright > _SHADED * median)
    told = told & (xp.max(photo, axis=-1) < _CLIPPED) & (xp.min(photo, axis=-1) > _NEAR_BLACK)
    if not bool(xp.any(told)):
        return float("nan")
    change = _log_chromaticity(albedo[mask][told]) - _log_chromaticity(photo[told])
    return float(xp.sqrt(xp.mean((change - xp.mean(change, axis=0)) ** 2)))


def _log(values: Float[Any, "points *channels"]) -> Float[Any, " points"]:
    """Log luminance, its floor a part of the mean."""
    xp = array_namespace(values)
    bright = xp.astype(luminance(values) if values.ndim > 1 else values, xp.float64)
    floor = max(_BLACK * float(xp.mean(bright)), 1e-12) if bright.shape[0] else 1e-12
    return xp.log(xp.clip(bright, min=floor))


def _log_chromaticity(values: Float[Any, "points 3"]) -> Float[Any, "points 2"]:
    xp = array_namespace(values)
    exact = xp.astype(values, xp.float64)
    logs = xp.log(xp.clip(exact, min=max(_BLACK * float(xp.mean(exact)), 1e-12)))
    return xp.stack([logs[:, 0] - logs[:, 1], logs[:, 2] - logs[:, 1]], axis=-1)


def _gradients(values: Float[Any, "points channels"], mask: Bool[Any, "height width"]) -> Float[Any, " n"]:
    """Central differences along x, then along y, where all four neighbours lie in the mask too."""
    xp = array_namespace(values)
    field = xp.zeros((*mask.shape, values.shape[-1]), dtype=values.dtype, device=values.device)
    field[mask] = values
    inside = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    along_x, along_y = field[1:-1, 2:] - field[1:-1, :-2], field[2:, 1:-1] - field[:-2, 1:-1]
    return xp.reshape(xp.concat([along_x[inside], along_y[inside]]), (-1,)) / 2


def _cosine(a: Float[Any, " n"], b: Float[Any, " n"]) -> float:
    """Cosine of two vectors; 0 if one is nothing but rounding, or there is no point."""
    xp = array_namespace(a, b)
    if a.shape[0] == 0:
        return 0.0
    lengths = [float(xp.sqrt(xp.mean(x * x))) for x in (a, b)]
    return 0.0 if min(lengths) < _CONSTANT else float(xp.mean(a * b)) / (lengths[0] * lengths[1])


def normal_drift_deg(normals: Float[np.ndarray, "images points 3"]) -> float:
    """How much the normals of one face change between aligned images: mean angle to their mean direction [deg]."""
    mean = normalize(normals.astype(np.float64).mean(axis=0))
    return float(np.mean(angular_error_deg(normals.astype(np.float64), np.broadcast_to(mean, normals.shape))))


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


def _scaled_to_one(values: np.ndarray) -> np.ndarray:
    axes = tuple(range(1, values.ndim))
    return values.astype(np.float64) / np.maximum(values.mean(axis=axes, keepdims=True, dtype=np.float64), 1e-12)


def light_angle_deg(found: Float[np.ndarray, "9 3"], true: Float[np.ndarray, "9 3"]) -> float:
    """Angle between the dominant directions of two SH lights [deg], those of their linear terms' luminance.

    Scale-invariant. A light without direction (an even environment) is taken to come from the viewer.
    """
    (ours, theirs), _ = fill_normals(np.stack([main_direction(light) for light in (found, true)]))
    return float(angular_error_deg(ours, theirs))


def skin_tone_deg(albedo: Float[np.ndarray, "points 3"]) -> float:
    """Individual typology angle of a face's median linear albedo [deg]; brows and eyes do not move the median."""
    median = np.median(albedo.astype(np.float64), axis=0, keepdims=True)
    return float(individual_typology_angle_deg(np.clip(median, 0, 1))[0])


def ita_error_deg(found: Float[np.ndarray, "points 3"], true: Float[np.ndarray, "points 3"]) -> float:
    """Difference of two `skin_tone_deg` [deg], signed: above 0 is too light.

    Not scale-invariant: an albedo that is too dark makes a person darker.
    """
    return skin_tone_deg(found) - skin_tone_deg(true)
