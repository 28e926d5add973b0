"""Validation: people whom training never sees, measured every few thousand images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from zlib import crc32

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from illures.data.cache import Batch, SampleCache
from illures.data.split import is_held_out
from illures.evaluate.metrics import albedo_drift, albedo_error
from illures.math.color import linear_to_srgb, luminance
from illures.math.normals import angular_error_deg
from illures.model.network import Estimate, IlluResSfSNet
from illures.model.warp import Correspondence, batched, carry, correspond
from illures.train.augment import Frames

_AT_ONCE = 16  # images through the network
_SURE = 0.5  # weight from which a correspondence between frames counts
_FAINT = 0.002  # contrast of albedo that counts as none: to be all drift


@dataclass(frozen=True)
class Figures:
    """What is measured on held-out people; None where there is nothing to measure.

    Attributes:
        normal_deg: mean angular error on the mask [deg].
        albedo_error: relative RMSE of luminance after the best scale, on the mask.
        albedo_contrast: standard deviation of the albedo's luminance over its mean, on the mask. No error: it says
            what drift is to be compared with.
        albedo_drift: change of the albedo of one view between its lights, as in `evaluate.metrics`.
        video_reconstruction: mean |I_g - Ī_g| on real frames over the mean of I_g.
        video_contrast: as `albedo_contrast`, on real frames.
        video_drift: relative RMSE between the albedo of a real frame and that of another one, carried there by the mesh
            of the dense landmarks, after the best scale.
    """

    normal_deg: float
    albedo_error: float
    albedo_contrast: float
    albedo_drift: float | None = None
    video_reconstruction: float | None = None
    video_contrast: float | None = None
    video_drift: float | None = None

    def score(self) -> float:
        """One number to choose weights by, lower is better: errors over those of the first released weights, averaged.

        Drift counts as a share of the contrast: albedo that fades to a constant drifts less and is no better for it.
        """
        ours, usual = self._errors(), _FIRST_RELEASE._errors()
        return float(np.mean([value / usual[name] for name, value in ours.items()]))

    def _errors(self) -> dict[str, float]:
        errors = {
            "normal": self.normal_deg,
            "albedo": self.albedo_error,
            "drift": _share(self.albedo_drift, self.albedo_contrast),
            "reconstruction": self.video_reconstruction,
            "video_drift": _share(self.video_drift, self.video_contrast),
        }
        return {name: value for name, value in errors.items() if value is not None}

    def found(self) -> dict[str, float]:
        """The figures that there are, and the score."""
        return {name: value for name, value in asdict(self).items() if value is not None} | {"score": self.score()}


_FIRST_RELEASE = Figures(12.0, 0.21, 0.15, 0.09, 0.2, 0.16, 0.08)


def _share(drift: float | None, contrast: float | None) -> float | None:
    return None if drift is None or contrast is None else (drift + _FAINT) / (contrast + _FAINT)


def held_out(cache: SampleCache, share: float) -> Bool[np.ndarray, " samples"]:
    """Which samples are of people left to validation.

    That follows from the number of the person alone, so that all recipes hold out the same people; where it chooses
    nobody, one person is.
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
        self._carried = None if pairs is None else _correspondences(*pairs)

    def examples(self, count: int) -> Batch:
        """Samples to look at: one of each of the first views."""
        return self._cache.batch(np.array([view[0] for view in self._views[:count]]))

    @torch.no_grad()
    def __call__(self, network: IlluResSfSNet) -> Figures:
        """Measure the network in evaluation mode, without faults of the camera."""
        was_training = network.training
        network.eval()
        normals, errors, contrasts, drifts = [], [], [], []
        for view in self._views:
            batch = self._cache.batch(view)
            found = estimate(network, batch)
            mask = batch.mask[0, ..., 0] > 0.5  # the lights of a view share it
            if not mask.any():
                continue
            normals.append(float(angular_error_deg(found.normal, batch.normal)[:, mask].mean()))
            ours, true = (luminance(albedo)[:, mask].numpy() for albedo in (found.albedo, batch.albedo))
            errors += [albedo_error(a, t) for a, t in zip(ours, true, strict=True)]
            contrasts += [_contrast(a) for a in ours]
            drifts += [albedo_drift(ours)] if len(view) > 1 else []
        drift = _mean(drifts) if drifts else None
        figures = Figures(_mean(normals), _mean(errors), _mean(contrasts), drift, *self._on_videos(network))
        network.train(was_training)
        return figures

    def _on_videos(self, network: IlluResSfSNet) -> tuple[float, float, float] | tuple[None, None, None]:
        """Reconstruction, contrast and drift of real frames."""
        if self._pairs is None or self._carried is None:
            return None, None, None
        first, second = (estimate(network, frames) for frames in self._pairs)
        errors = []
        for frames, found in zip(self._pairs, (first, second), strict=True):
            mask = frames.mask.expand_as(frames.image) > 0.5
            errors.append(float((found.render() - frames.image)[mask].abs().mean() / frames.image[mask].mean()))
        there = luminance(carry(first.albedo, self._carried)).numpy()
        here = luminance(second.albedo).numpy()
        seen = ((self._carried.valid > _SURE) & (self._pairs[1].mask[..., 0] > 0.5)).numpy()
        both = [(a[m], b[m]) for a, b, m in zip(there, here, seen, strict=True) if m.any()]
        if not both:  # no pair shows the same side of a face
            return None, None, None
        return _mean(errors), _mean([_contrast(b) for _, b in both]), _mean([albedo_error(a, b) for a, b in both])


def estimate(network: IlluResSfSNet, images: Batch | Frames) -> Estimate:
    """The network's word on images without faults, on the CPU."""
    device = next(network.parameters()).device
    parts = []
    for start in range(0, len(images.image), _AT_ONCE):
        image, guide = (x[start : start + _AT_ONCE].to(device) for x in (images.image, images.guide))
        seen = linear_to_srgb(image).clamp(0, 1).permute(0, 3, 1, 2)
        parts.append(network(seen, guide.permute(0, 3, 1, 2) if network.config.guide else None).float())
    names = ("albedo", "normal", "light", "residual")
    return Estimate(*(torch.cat([getattr(part, name) for part in parts]).cpu() for name in names))


def _some_views(cache: SampleCache, indices: np.ndarray, count: int) -> list[Int[np.ndarray, " lights"]]:
    """Whole views, in an order that is random but always the same, until there are `count` images."""
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
