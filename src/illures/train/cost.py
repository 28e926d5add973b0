"""Loss of a step: supervised terms for samples; reconstruction, L_a, L_n and collapse for pairs."""

from __future__ import annotations

from dataclasses import fields

import torch
from jaxtyping import Float
from torch import Tensor

from illures.model.network import Estimate
from illures.train.augment import Frames
from illures.train.consistency import collapse
from illures.train.data_loader import Step
from illures.train.losses import LossWeights, light_drift, reconstruction, supervised
from illures.train.objective import Consistency
from illures.train.recipe import GROUP

TERMS = tuple(f.name for f in fields(LossWeights))
_OF_RESIDUAL = ("image", "residual")  # what L_g adds to L_s


def terms(
    estimate: Estimate,
    step: Step,
    with_residual: bool,
    consistency: Consistency | None,
    head: float = 0.0,
    twins: bool = False,
) -> dict[str, Float[Tensor, ""]]:
    """Unweighted terms of samples and pairs, by the names of `LossWeights`.

    A term is a sum over the images that have it, divided by all images of the step, so that the terms of several
    processes can be averaged. (The mean over the images that have a term is the term over their share.)

    Args:
        estimate: of all images of the step, float32, on the step's device.
        step: the images, in the order of `Step`.
        with_residual: include the terms that L_g adds to L_s.
        consistency: required if the step has pairs.
        head: as for `losses.supervised`.
        twins: whether groups of samples show each view under two lights.
    """
    count, samples = len(step.image), 0 if step.truth is None else len(step.truth.image)
    found: dict[str, Tensor] = {}
    if step.truth is not None:
        # The gradient of a slice costs a map full of zeros.
        whole = samples == count
        seen = (estimate, step.image) if whole else (estimate[:samples], step.image[:samples])
        losses = supervised(seen[0], step.truth, seen[1], head).named()
        names = [name for name in losses if with_residual or name not in _OF_RESIDUAL]
        found = {name: losses[name].sum() / count for name in names}
        if twins:
            found["drift"] = light_drift(seen[0], step.truth, GROUP).sum() / count
    if step.first is not None and step.second is not None and consistency is not None:
        half = samples + len(step.first.image)
        estimates = estimate[samples:half], estimate[half:count]
        paired = _of_pairs((step.first, step.second), estimates, consistency)
        found |= {name: found.get(name, 0) + value / count for name, value in paired.items()}
    return found


def _of_pairs(
    frames: tuple[Frames, Frames], found: tuple[Estimate, Estimate], consistency: Consistency
) -> dict[str, Float[Tensor, ""]]:
    """Sums over the frames; the terms of a pair count for both of its frames."""
    each = list(zip(found, frames, strict=True))
    drift = consistency(*frames, found)
    return {
        "image": torch.stack([reconstruction(e, f.image, f.mask).sum() for e, f in each]).sum(),
        "align_albedo": 2 * drift.albedo.sum(),
        "align_normal": 2 * drift.normal.sum(),
        "collapse": torch.stack([collapse(e, f).total().sum() for e, f in each]).sum(),
    }


def term_means(found: dict[str, float], shares: tuple[float, float], with_residual: bool) -> dict[str, float]:
    """Each term's mean over the images that have it; terms that no image has are left out.

    Args:
        found: as `terms` gives them.
        shares: of the samples and of the frames of pairs in the batch.
        with_residual: as for `terms`.
    """
    samples, paired = shares
    whole = samples if with_residual else 0.0
    share = dict.fromkeys(TERMS, samples)
    share |= dict.fromkeys(("align_albedo", "align_normal", "collapse"), paired)
    share |= {"image": whole + paired, "residual": whole}
    return {name: value / share[name] for name, value in found.items() if share[name]}


def total(found: dict[str, Float[Tensor, ""]], weights: LossWeights) -> Float[Tensor, ""]:
    """The weighted sum, which is minimised."""
    return torch.stack([getattr(weights, name) * value for name, value in found.items()]).sum()
