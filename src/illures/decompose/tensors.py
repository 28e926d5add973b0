"""The maps of a face as PyTorch tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from illures.decompose.maps import Maps


@dataclass(frozen=True)
class FaceTensors:
    """A `Decomposition` with channels first, float32: `image = albedo * shading + residual`, linear.

    Attributes:
        image: in [0, 1].
        albedo: in [0, 1].
        normal: unit vectors, x right, y up, z toward the viewer.
        shading: f(N, L), not clipped.
        residual: signed.
        mask: skin, in [0, 1].
        light: SH coefficients of the radiance, as `Decomposition.light`.
        regions: probabilities of the classes of `types.Region`, or None.
    """

    image: Float[Tensor, "3 size size"]
    albedo: Float[Tensor, "3 size size"]
    normal: Float[Tensor, "3 size size"]
    shading: Float[Tensor, "3 size size"]
    residual: Float[Tensor, "3 size size"]
    mask: Float[Tensor, "1 size size"]
    light: Float[Tensor, "9 3"]
    regions: Float[Tensor, "classes size size"] | None


def tensors_of(face: Maps, device: Any = None) -> FaceTensors:
    """See `Decomposition.to_torch`."""

    def first(field: np.ndarray) -> Tensor:
        channels = field[..., None] if field.ndim == 2 else field
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(channels, -1, 0), np.float32)).to(device)

    return FaceTensors(
        image=first(face.image),
        albedo=first(face.albedo),
        normal=first(face.normal),
        shading=first(face.shading),
        residual=first(face.residual),
        mask=first(face.mask),
        light=torch.from_numpy(np.asarray(face.light, np.float32)).to(device),
        regions=None if face.regions is None else first(face.regions),
    )
