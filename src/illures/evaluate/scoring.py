"""Figures of an estimate against the truth, shared by the benchmarks, so that a name has one meaning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from illures.evaluate import metrics
from illures.evaluate.angles import angle_histogram
from illures.evaluate.benchmark import Estimate, Item, Score, Target, Truth
from illures.evaluate.lpips import Lpips
from illures.evaluate.similarity import psnr_db, ssim
from illures.faces import face_mask
from illures.faces.regions import EYES
from illures.math.color import best_scale, linear_to_srgb, srgb_to_linear
from illures.render import shade
from illures.types import Face

_AROUND = 0.25  # margin of boxes around eyes for lids and lashes, relative to the width of the eye
_COVERED = 0.5  # threshold of a method's mask for face pixels


@dataclass(frozen=True)
class Kept:
    """Data of each image for the figures of a group: the maps at the points that count, or None.

    Attributes:
        normal: unit vectors.
        albedo: linear.
    """

    normal: Float[np.ndarray, "points 3"] | None
    albedo: Float[np.ndarray, "points 3"] | None


def score_maps(estimate: Estimate, item: Item) -> Score:
    """All figures that estimate and truth allow, except relighting and colour, on the mask of the truth.

    Points without an estimate are filled by `metrics.fill_normals` and `metrics.fill_values`.
    """
    truth, mask, figures, histogram = item.truth, item.truth.mask, dict[str, float](), None
    normal = None if estimate.normal is None else metrics.fill_normals(estimate.normal[mask])[0]
    albedo = None if estimate.albedo is None else metrics.fill_values(estimate.albedo[mask])
    if (covered := _covered(estimate)) is not None:
        figures["coverage_pct"] = 100 * float(covered[mask].mean())
    if normal is not None and truth.normal is not None:
        true = truth.normal[mask].astype(np.float64)
        eyes = eye_boxes(item.face.landmarks, mask.shape)[mask]
        figures |= _normal_figures(normal, true, mask, eyes)
        histogram = angle_histogram(metrics.normal_errors_deg(normal, true))
    if albedo is not None and truth.albedo is not None:
        figures |= _albedo_figures(albedo, truth.albedo, mask)
    figures |= _light_figures(estimate, truth, normal)
    if estimate.residual is not None and truth.residual is not None:
        found = metrics.fill_values(estimate.residual[mask])
        figures["residual_mae"] = float(np.mean(np.abs(found - truth.residual[mask])))
    kept = Kept(*(None if values is None else values.astype(np.float32) for values in (normal, albedo)))
    return Score(figures, int(mask.sum()), histogram, kept)


def score_colour(estimate: Estimate, item: Item) -> dict[str, float]:
    """How much colour detail of the photo the albedo keeps; empty without albedo or reliable colour in the photo.

    No truth is needed.
    """
    mask = item.truth.mask
    if estimate.albedo is None or not mask.any():
        return {}
    albedo = np.zeros(item.photo.shape)
    albedo[mask] = metrics.fill_values(estimate.albedo[mask])
    spread = metrics.colour_kept(albedo, srgb_to_linear(item.photo.astype(np.float64)), mask)
    return {} if np.isnan(spread) else {"colour_kept": spread}


def eye_boxes(landmarks: Float[np.ndarray, "478 3"], size: tuple[int, ...]) -> Bool[np.ndarray, "height width"]:
    """Pixels around both eyes: the boxes of their edges, wider by `_AROUND` of an eye's width on each side."""
    inside = np.zeros(size[:2], bool)
    for ring in EYES:
        points = landmarks[list(ring), :2]
        low, high = points.min(axis=0), points.max(axis=0)
        room = _AROUND * (high[0] - low[0])
        (left, top), (right, bottom) = (
            np.maximum(np.rint(edge), 0).astype(int) for edge in (low - room, high + room + 1)
        )
        inside[top:bottom, left:right] = True
    return inside


def photo_mask(size: tuple[int, ...], face: Face) -> Bool[np.ndarray, "height width"]:
    """The face mask (skin, eyes, lips) at the pixels of a photo of `size` (height, width): the same for all methods."""
    side = max(size)
    square = np.broadcast_to(np.float32(0), (side, side, 3))
    return np.asarray(face_mask(square, face.landmarks)[: size[0], : size[1]] > 0.5)


def drift(kept: list[Kept]) -> dict[str, float]:
    """Change of albedo and normals over aligned images of one face; needs at least two images."""
    figures = {}
    albedos = [k.albedo for k in kept if k.albedo is not None]
    normals = [k.normal for k in kept if k.normal is not None]
    if len(albedos) > 1:
        figures["albedo_drift_rel"] = metrics.albedo_drift(np.stack(albedos))
        figures["albedo_drift_contrast"] = metrics.drift_over_contrast(np.stack(albedos))
    if len(normals) > 1:
        figures["normal_drift_deg"] = metrics.normal_drift_deg(np.stack(normals))
    return figures


def score_relight(estimate: Estimate, truth: Truth, lpips: Lpips | None = None) -> dict[str, float]:
    """Relight to every target and compare with the real photo; means over the targets, empty without targets.

    The scale of each relit image is fitted on the mask, in linear light, then both are compared as `image_figures`.
    """
    if estimate.relight is None or not truth.targets:
        return {}
    each = [_relit_figures(estimate.relight(target.light), target, truth.mask, lpips) for target in truth.targets]
    return {name: float(np.mean([figures[name] for figures in each])) for name in each[0]}


def score_reconstruction(
    estimate: Estimate,
    photo: Float[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
    lpips: Lpips | None = None,
) -> dict[str, float]:
    """How well A ∘ f(N, L) + R reconstructs the photo, and the share of R. Empty without A, N and L.

    One scale of A ∘ f(N, L) is fitted on the mask, as albedo × light has a free scale. A method without residual has
    R = 0. The share of R is its energy over that of the photo, linear, on the mask.
    """
    if estimate.albedo is None or estimate.normal is None or estimate.light is None or not mask.any():
        return {}
    linear = srgb_to_linear(photo.astype(np.float32))
    residual = np.zeros_like(linear) if estimate.residual is None else np.nan_to_num(estimate.residual)
    shading = shade(estimate.normal, estimate.light) if estimate.shading is None else estimate.shading
    local = np.nan_to_num(estimate.albedo * shading)
    local = local * best_scale(local[mask], (linear - residual)[mask])
    shown = linear_to_srgb(np.clip(local + residual, 0, 1)).astype(np.float32)
    figures = {"recon_l1": float(np.mean(np.abs(shown[mask] - photo[mask])))}
    if lpips is not None:
        figures["recon_lpips"] = lpips.inside(shown, photo, mask)
    if estimate.residual is not None:
        energy = np.sum(residual[mask] ** 2) / max(float(np.sum(linear[mask] ** 2)), 1e-12)
        figures["residual_energy_pct"] = 100 * float(energy)
    return figures


def _relit_figures(relit: np.ndarray, target: Target, mask: np.ndarray, lpips: Lpips | None) -> dict[str, float]:
    true = srgb_to_linear(target.photo.astype(np.float32))
    found = np.nan_to_num(relit.astype(np.float32), nan=0.0)
    found = found * best_scale(found[mask], true[mask])
    shown = linear_to_srgb(np.clip(found, 0, 1))
    figures = {
        "relit_psnr_db": psnr_db(shown, target.photo, mask),
        "relit_ssim": ssim(shown, target.photo, mask),
        "relit_si_mse": float(np.mean((found[mask] - true[mask]) ** 2) / np.mean(true[mask] ** 2)),
    }
    if lpips is not None:
        figures["relit_lpips"] = lpips.inside(shown, target.photo, mask)
    return figures


def _covered(estimate: Estimate) -> Bool[np.ndarray, "height width"] | None:
    """Pixels with an estimate; None if the method gives neither normals nor albedo."""
    if estimate.mask is not None:
        return np.asarray(estimate.mask > _COVERED)
    if estimate.normal is not None:
        _, missing = metrics.fill_normals(estimate.normal.reshape(-1, 3))
        return ~missing.reshape(estimate.normal.shape[:2])
    return None if estimate.albedo is None else np.isfinite(estimate.albedo).all(axis=-1)


def _normal_figures(
    normal: np.ndarray, true: np.ndarray, mask: Bool[np.ndarray, "height width"], eyes: Bool[np.ndarray, " points"]
) -> dict[str, float]:
    score = metrics.normal_score(normal, true)
    untilted, relief = metrics.without_tilt(normal, true), metrics.without_relief(normal, true)
    figures = {
        "normal_deg": score.mean_deg,
        "normal_median_deg": score.median_deg,
        "normal_below_20_pct": score.below_20,
        "normal_below_25_pct": score.below_25,
        "normal_below_30_pct": score.below_30,
        "normal_untilted_deg": float(metrics.normal_errors_deg(untilted, true).mean()),
        "normal_relief_deg": float(metrics.normal_errors_deg(relief, true).mean()),
        "normal_gradient_corr": metrics.normal_gradient_correlation(normal, true, mask),
    }
    if eyes.any():
        figures["normal_eyes_deg"] = float(metrics.normal_errors_deg(normal[eyes], true[eyes]).mean())
    return figures


def _albedo_figures(
    albedo: np.ndarray, truth: Float[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"]
) -> dict[str, float]:
    true, field = truth[mask], np.zeros(truth.shape)
    field[mask] = albedo
    return {
        "albedo_rel": metrics.albedo_error(albedo, true),
        "albedo_corr": metrics.log_correlation(albedo, true.astype(np.float64)),
        "albedo_gradient_corr": metrics.gradient_correlation(field, truth.astype(np.float64), mask),
    }


def _light_figures(estimate: Estimate, truth: Truth, normal: np.ndarray | None) -> dict[str, float]:
    if estimate.light is None or truth.light is None:
        return {}
    figures = {
        "light_deg": metrics.light_angle_deg(estimate.light, truth.light),
        "light_sh_rel": metrics.relative_rmse(estimate.light, truth.light),
    }
    if truth.normal is not None:
        points = truth.normal[truth.mask].astype(np.float64)
        true = shade(points, truth.light.astype(np.float64))
        figures["light_shading_rel"] = metrics.relative_rmse(shade(points, estimate.light.astype(np.float64)), true)
        if normal is not None:
            figures["shading_rel"] = metrics.relative_rmse(shade(normal, estimate.light.astype(np.float64)), true)
    return figures
