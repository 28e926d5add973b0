"""The maps of one face, and quantities computed from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from illures.faces.mask import soften
from illures.render import render, shade
from illures.types import FaceCrop, Region

_FEATHER = 0.05  # of the crop's side


@dataclass(frozen=True)
class Maps:
    """The fields of a `Decomposition` (described there), as a base class for the functions that its methods call."""

    image: Float[np.ndarray, "size size 3"]
    albedo: Float[np.ndarray, "size size 3"]
    normal: Float[np.ndarray, "size size 3"]
    light: Float[np.ndarray, "9 3"]
    residual: Float[np.ndarray, "size size 3"]
    mask: Float[np.ndarray, "size size"]
    crop: FaceCrop
    regions: Float[np.ndarray, "size size classes"] | None = None

    @property
    def head(self) -> Float[np.ndarray, "size size"]:
        """1 where the maps show a surface (head, clothes, objects before them), 0 on background; soft.

        Without classes it is the mask (which may be hard), faded inside its edge.
        """
        if self.regions is None:
            return soften(self.mask, _FEATHER * len(self.mask))
        return 1 - self.regions[..., Region.BACKGROUND]

    @property
    def shading(self) -> Float[np.ndarray, "size size 3"]:
        """f(N, L), before albedo; linear, not clipped."""
        return shade(self.normal, self.light)

    def reconstruct(self) -> Float[np.ndarray, "size size 3"]:
        """A ∘ f(N, L) + R; linear, not clipped."""
        return render(self.albedo, self.normal, self.light, self.residual)
