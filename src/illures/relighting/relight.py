"""Relight one face, in the frame and at the size of its maps; for whole photos see `composite`.

Let E be the illumination in the photo (A = I / E) and S' the new shading. The relit face is `I / E ∘ S' + highlights`.
Old shadows and highlights are part of E, so they are removed with it. Detail of the albedo (pores, lashes, make-up)
stays.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

from illures.decompose.decomposition import Decomposition
from illures.decompose.fields import beyond
from illures.relighting.light import Light
from illures.relighting.surface import Residual, old_light, reduced, surface_of, with_hair_as_in_photo


def relight(face: Decomposition, light: Light, *, residual: Residual = "recompute") -> Float[np.ndarray, "size size 3"]:
    """Relight a face: linear RGB in the frame of `face`, not clipped.

    Outside the head, the light of the nearest part of the head is used.

    Args:
        face: at the network's or at the photo's resolution.
        light: in the upright frame.
        residual: "keep" scales the whole residual with the shading, so that the face's own light reproduces the photo;
            "drop" keeps only albedo times shading; "recompute" adds the shadows and highlights of the new light.
    """
    face = with_hair_as_in_photo(face) if residual == "recompute" else face
    surface = surface_of(reduced(face), residual)
    seen, size = surface.under(light), len(face.image)

    def full(field: np.ndarray) -> np.ndarray:
        return field if len(field) == size else cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC)

    old = full(surface.old) if residual == "keep" else old_light(face)
    inside = face.image / old * full(seen.diffuse)
    outside = face.image * full(seen.diffuse / beyond(surface.old, surface.head, 0))
    weight = np.clip(2 * full(cv2.erode(surface.head, np.ones((3, 3)))) - 1, 0, 1)[..., None]
    lit = outside + weight * (inside - outside)
    return np.asarray(lit + full(seen.specular), dtype=np.float32)
