"""Validation on held-out people, every few thousand images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isnan
from typing import Any
from zlib import crc32

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from illures.data.cache import Batch, SampleCache
from illures.data.split import is_held_out
from illures.evaluate.metrics import (
    albedo_error,
    drift_over_contrast,
    gradient_correlation,
    ita_error_deg,
    log_correlation,
)
from illures.math.color import linear_to_srgb, luminance
from illures.math.normals import angular_error_deg
from illures.model.network import Estimate, IlluResSfSNet, joined, network_inputs
from illures.model.warp import Correspondence, batched, correspond, warp_map
from illures.train.augment import Frames, crop_contexts
from illures.train.losses import near_eyes

_AT_ONCE = 16  # images through the network
_SURE = 0.5  # least weight of a correspondence between frames
_FAINT = 0.002  # contrast of real albedo that counts as none


@dataclass(frozen=True)
class Figures:
    """Figures on held-out people; None if undefined.

    Attributes:
        normal_deg: mean angular error on the mask [deg].
        head_normal_deg: the same over all surfaces.
        eye_normal_deg: the same over the pixels of the mask on and near the eyes.
        albedo_error: relative RMSE of luminance after the best scale, on the mask.
        albedo_correlation: of log luminance with the truth, on the mask.
        albedo_gradients: correlation of the gradients of log luminance with the truth's.
        albedo_drift: change of the albedo of one view between its lights, over the albedo's own contrast.
        head_albedo_error: mean L1 of sRGB-encoded albedo over all surfaces, without alignment of scale or colour.
        ita_error_deg: error of the individual typology angle of the mean skin [deg].
        region_error: share of pixels whose class is wrong.
        video_reconstruction: mean |I_g - Ī_g| on real frames over the mean of I_g.
        video_contrast: standard deviation of the albedo's luminance over its mean, on real frames. Not an error,
            but the reference for drift.
        video_drift: relative RMSE between the albedo of a real frame and that of another one, warped by the dense
            landmark mesh, after the best scale.
    """

    normal_deg: float
    head_normal_deg: float
    eye_normal_deg: float | None
    albedo_error: float
    albedo_correlation: float
    albedo_gradients: float
    head_albedo_error: float
    ita_error_deg: float
    albedo_drift: float | None = None
    region_error: float | None = None
    video_reconstruction: float | None = None
    video_contrast: float | None = None
    video_drift: float | None = None

    def score(self) -> float:
        """One number for choosing weights, lower is better: the mean of errors over usual errors.

        A flat albedo gains nothing, as its correlation is 0 and drift is relative to contrast.
        """
        ours, usual = self._errors(), _USUAL._errors()
        return float(np.mean([value / usual[name] for name, value in ours.items()]))

    def _errors(self) -> dict[str, float]:
        errors = {
            "normal": self.normal_deg,
            "head": self.head_normal_deg,
            "eyes": self.eye_normal_deg,
            "albedo": self.albedo_error,
            "correlation": 1 - self.albedo_correlation,
            "gradients": 1 - self.albedo_gradients,
            "head_albedo": self.head_albedo_error,
            "ita": self.ita_error_deg,
            "drift": self.albedo_drift,
            "regions": self.region_error,
            "reconstruction": self.video_reconstruction,
            "video_drift": _share(self.video_drift, self.video_contrast),
        }
        return {name: value for name, value in errors.items() if value is not None}

    def found(self) -> dict[str, float]:
        """The available figures, and the score."""
        return {name: value for name, value in asdict(self).items() if value is not None} | {"score": self.score()}


# Typical errors after short trainings, only to make the errors comparable.
_USUAL = Figures(12.0, 16.0, 16.0, 0.2, 0.75, 0.5, 0.08, 15.0, 0.5, 0.08, 0.2, 0.16, 0.08)


def _share(drift: float | None, contrast: float | None) -> float | None:
    return None if drift is None or contrast is None else (drift + _FAINT) / (contrast + _FAINT)


def held_out(cache: SampleCache, share: float) -> Bool[np.ndarray, " samples"]:
    """Mask of the samples of people held out for validation.

    It depends only on the number of the person, so that all recipes hold out the same people. If it selects nobody,
    one person is held out.
    """
    chosen = np.array([is_held_out(identity, share) for identity in cache.identity.tolist()])
    people = np.unique(cache.identity)
    if share > 0 and not chosen.any() and len(people) > 1:
        chosen = cache.identity == min(people.tolist(), key=lambda identity: crc32(str(identity).encode()))
    return chosen


class Validation:
    """Measures a network on people held out.

    Args:
        cache: the samples.
        indices: those of held-out people.
        count: of images to take at most; views are taken with all their lights.
        pairs: first and second frames of real held-out people, or None.
    """

    def __init__(
        self,
        cache: SampleCache,
        indices: Int[np.ndarray, " samples"],
        count: int,
        pairs: tuple[Frames, Frames] | None = None,
    ) -> None:
        self._cache, self._pairs = cache, pairs
        self._views = _some_views(cache, indices, count)
        self._warp = None if pairs is None else _correspondences(*pairs)

    def examples(self, count: int) -> Batch:
        """Samples for panels: one of each of the first views."""
        return self._cache.batch(np.array([view[0] for view in self._views[:count]]))

    @torch.no_grad()
    def __call__(self, network: IlluResSfSNet) -> Figures:
        """Measure the network in evaluation mode, without camera effects."""
        was_training = network.training
        network.eval()
        views, drifts = [], []
        for view in self._views:
            batch = self._cache.batch(view)
            mask = batch.mask[0, ..., 0] > 0.5  # the lights of a view share it
            if not mask.any():
                continue
            found = estimate(network, batch)
            views += [_measured(found[k : k + 1], batch, k) for k in range(len(view))]
            drifts += [drift_over_contrast(luminance(found.albedo)[:, mask].numpy())] if len(view) > 1 else []
        # People held out may all have their eyes hidden.
        unseen: dict[str, Any] = {"eye_normal_deg": None}
        means = unseen | {
            name: _mean(values) for name in views[0] if (values := [v[name] for v in views if not isnan(v[name])])
        }
        figures = Figures(
            **means,
            albedo_drift=_mean(drifts) if drifts else None,
            **self._on_videos(network),
        )
        network.train(was_training)
        return figures

    def _on_videos(self, network: IlluResSfSNet) -> dict[str, float]:
        """Reconstruction, contrast and drift of real frames."""
        if self._pairs is None or self._warp is None:
            return {}
        first, second = (estimate(network, frames) for frames in self._pairs)
        errors = []
        for frames, found in zip(self._pairs, (first, second), strict=True):
            mask = frames.mask.expand_as(frames.image) > 0.5
            errors.append(float((found.render() - frames.image)[mask].abs().mean() / frames.image[mask].mean()))
        there = luminance(warp_map(first.albedo, self._warp)).numpy()
        here = luminance(second.albedo).numpy()
        seen = ((self._warp.valid > _SURE) & (self._pairs[1].mask[..., 0] > 0.5)).numpy()
        both = [(a[m], b[m]) for a, b, m in zip(there, here, seen, strict=True) if m.any()]
        if not both:  # no pair shows the same side of a face
            return {}
        return {
            "video_reconstruction": _mean(errors),
            "video_contrast": _mean([_contrast(b) for _, b in both]),
            "video_drift": _mean([albedo_error(a, b) for a, b in both]),
        }


def estimate(network: IlluResSfSNet, images: Batch | Frames) -> Estimate:
    """The network's estimate of images without camera effects, on the CPU."""
    device = next(network.parameters()).device
    context = images.context if isinstance(images, Batch) else crop_contexts(images.image)
    parts = []
    for start in range(0, len(images.image), _AT_ONCE):
        image, guide, around = (v[start : start + _AT_ONCE].to(device) for v in (images.image, images.guide, context))
        seen = linear_to_srgb(image).clamp(0, 1)
        encoded = torch.cat([linear_to_srgb(around[..., :3]).clamp(0, 1), around[..., 3:]], dim=-1)
        parts.append(network(*network_inputs(network.config, seen, guide, encoded)).float())
    return joined(parts).each(lambda value: value.cpu())


def _measured(found: Estimate, batch: Batch, k: int) -> dict[str, float]:
    """Figures of one image; NaN where it has no place to measure."""
    mask, surface = batch.mask[k, ..., 0] > 0.5, batch.surface[k, ..., 0] > 0.5
    eyes = near_eyes(batch)[k, ..., 0] & mask
    angle = angular_error_deg(found.normal[0], batch.normal[k])
    ours, true = found.albedo[0], batch.albedo[k]
    skin = [albedo[mask].mean(dim=0, keepdim=True).numpy() for albedo in (ours, true)]
    figures = {
        "normal_deg": float(angle[mask].mean()),
        "head_normal_deg": float(angle[surface].mean()),
        "eye_normal_deg": float(angle[eyes].mean()),
        "albedo_error": albedo_error(luminance(ours)[mask].numpy(), luminance(true)[mask].numpy()),
        "albedo_correlation": log_correlation(ours[mask], true[mask]),
        "albedo_gradients": gradient_correlation(ours, true, mask),
        "head_albedo_error": float((linear_to_srgb(ours) - linear_to_srgb(true))[surface].abs().mean()),
        "ita_error_deg": abs(ita_error_deg(*skin)),
    }
    if found.regions is not None:
        known = batch.region[k, ..., 0]
        figures["region_error"] = float((found.regions[0].argmax(dim=-1) != known).float().mean())
    return figures


def _some_views(cache: SampleCache, indices: np.ndarray, count: int) -> list[Int[np.ndarray, " lights"]]:
    """Whole views in a fixed random order, until there are `count` images.

    Only views with global illumination if there are any, as shadows and highlights are the hard part.
    """
    traced = indices[cache.traced[indices] > 0]
    indices = traced if len(traced) else indices
    views, taken = [], 0
    for view in np.random.default_rng(0).permutation(np.unique(cache.view[indices])):
        if taken >= count:
            break
        views.append(indices[cache.view[indices] == view])
        taken += len(views[-1])
    return views


def _correspondences(first: Frames, second: Frames) -> Correspondence:
    size = first.image.shape[1]
    pairs: Sequence[Correspondence] = [
        correspond(i, j, size) for i, j in zip(first.landmarks.numpy(), second.landmarks.numpy(), strict=True)
    ]
    return batched(pairs)


def _contrast(albedo: Float[np.ndarray, " points"]) -> float:
    return float(albedo.std() / max(float(albedo.mean()), 1e-6))


def _mean(values: list[float]) -> float:
    return float(np.mean(values))
