"""Remove the remaining noise of rendered images with Open Image Denoise."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from illures.synth.renderer.transport import Guides


def denoised(image: Float[np.ndarray, "size size 3"], guides: Guides) -> Float[np.ndarray, "size size 3"]:
    """Open Image Denoise with the guides, which are noise-free enough to be trusted."""
    import pyoidn

    albedo = guides.albedo * guides.coverage[..., None]
    clean = pyoidn.denoise(image, albedo, guides.normal, hdr=True, clean_aux=True, quality="fast")
    return np.maximum(clean, 0)
