"""The consistency objective of pairs of frames: albedo and normals stay the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from illures.model.network import Estimate
from illures.train.augment import Frames


@dataclass(frozen=True)
class Drift:
    """Change of albedo and normals between the frames of each pair, over both directions."""

    albedo: Float[Tensor, " pairs"]
    normal: Float[Tensor, " pairs"]


@runtime_checkable
class Consistency(Protocol):
    """L_a and L_n of pairs: ‖Ā_j - φ_a(C_i, C_j, Ā_i)‖ and likewise for normals, i → j and j → i."""

    def __call__(self, first: Frames, second: Frames, found: tuple[Estimate, Estimate]) -> Drift:
        """Measure it; gradients reach the estimates."""
