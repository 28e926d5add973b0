"""Figures that show a collapse (constant albedo, flat normals, shading in the residual), logged during training."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from illures.model.network import Estimate
from illures.train.consistency import log_albedo_std, normal_slant_deg, residual_energy
from illures.train.data_loader import Step


@dataclass(frozen=True)
class Signs:
    """Means over the images of a step, on their masks.

    Attributes:
        log_albedo_std: spread of the log luminance of albedo within an image; 0 when albedo has become constant.
        residual_energy: sum of R² over that of I_g²; grows when shading is pushed into the residual.
        normal_slant_deg: mean angle between normals and the viewer [deg]; 0 when normals have become flat.
    """

    log_albedo_std: float
    residual_energy: float
    normal_slant_deg: float


@torch.no_grad()
def collapse_signs(estimate: Estimate, step: Step) -> Signs:
    """Measure the signs on the estimate of a step."""
    parts = [part for part in (step.truth, step.first, step.second) if part is not None]
    image, mask = (torch.cat([getattr(part, name) for part in parts]) for name in ("image", "mask"))
    return Signs(
        float(log_albedo_std(estimate, mask).mean()),
        float(residual_energy(estimate, image, mask).mean()),
        float(normal_slant_deg(estimate, mask).mean()),
    )
