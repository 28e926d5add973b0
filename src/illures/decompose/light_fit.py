"""Fit the light to the photo, with the network's estimate as prior.

The network estimates the main direction of light well, its strength and finer shape less so. Albedo, normals and the
photo determine both: I - R = A ∘ f(N, L). The result is the maximum a posteriori light, with heavy-tailed (Cauchy) log
errors of that equation and the network's light as the mean of a Gaussian prior.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from illures.decompose.decomposition import Decomposition
from illures.math import sh

# Largest factor by which the light is made stronger or weaker to match the photo.
MOST_GAIN = 4.0
# Points are sampled on a fixed grid of this side. If each n-th pixel of the mask were taken, one pixel more of the mask
# would move all the others, and change shading by up to 11/255. With fewer points than this, all are taken.
_GRID, _FEW = 64, 200
# Standard deviation of the network's coefficients of degree 0, 1 and 2, relative to the first; and the weight of that
# prior against the mean squared log error. Chosen for the least shading error on held-out rendered people.
_BANDS = np.repeat([0.05, 1.0, 1.5], [1, 3, 5])
_PRIOR = 0.003
_OUTLIER = 0.3  # scale of the Cauchy weights, log error: shadows, highlights and wrong albedo count less
_STEPS = 4
# Shading is floored at this part of its mean, as SH can ring to zero and below.
_FLOOR = 0.1
_DARK = 1e-3  # linear; below it a photo is noise
_LEAST_ALBEDO = 0.01


def with_fitted_light(face: Decomposition, *, exact: bool = False) -> Decomposition:
    """Fit the light of a face to the photo, each colour channel separately: first its shape, then its strength.

    Albedo × light has a free scale, which a network can hardly estimate from one photo. It is chosen so that the sum is
    closest to the photo (least squares).

    Args:
        face: as predicted by the network.
        exact: albedo is the image over all illumination, with shadows and highlights (the quotient form). Then
            f(N, L) is fitted to that illumination, and the residual is recomputed. Otherwise f(N, L) is fitted to the
            image minus the network's residual, which is kept.
    """
    if exact:
        fitted = with_fitted_light(replace(face, residual=np.zeros_like(face.image)))
        return replace(fitted, residual=face.image - fitted.albedo * fitted.shading)
    inside = face.mask > 0.5
    if not inside.any():
        return face
    step = max(1, len(inside) // _GRID)
    on_grid = np.zeros_like(inside)
    on_grid[::step, ::step] = inside[::step, ::step]
    chosen = np.flatnonzero(on_grid if on_grid.sum() >= _FEW else inside)
    normal, albedo, local = (v.reshape(-1, 3)[chosen] for v in (face.normal, face.albedo, face.image - face.residual))
    responses = sh.basis(normal.astype(np.float64)) * sh.ATTENUATION
    columns = [_shape(responses, albedo[:, c], local[:, c], face.light[:, c]) for c in range(3)]
    return _exposed(replace(face, light=np.stack(columns, axis=-1).astype(np.float32)))


def _shape(
    responses: Float[np.ndarray, "points 9"],
    albedo: Float[np.ndarray, " points"],
    local: Float[np.ndarray, " points"],
    light: Float[np.ndarray, " 9"],
) -> Float[np.ndarray, " 9"]:
    """The light of one channel by Gauss-Newton on log errors with Cauchy weights; its strength stays free."""
    prior = light.astype(np.float64)
    if prior[0] <= 0:
        return light
    trust = np.diag(np.sqrt(_PRIOR) / (_BANDS * prior[0]))
    floor = _FLOOR * max(float((responses @ prior).mean()), 1e-6)
    seen = np.maximum(local, _DARK) / np.maximum(albedo, _LEAST_ALBEDO)
    seen = seen / np.exp(np.median(np.log(seen / np.maximum(responses @ prior, floor))))
    fitted = prior
    for _ in range(_STEPS):
        shading = np.maximum(responses @ fitted, floor)
        error = np.log(seen / shading)
        weight = 1 / (shading * np.sqrt(len(seen) * (1 + (error / _OUTLIER) ** 2)))
        rows = responses * weight[:, None]
        fitted = np.linalg.solve(rows.T @ rows + trust @ trust, rows.T @ (seen * weight) + trust @ trust @ prior)
    return fitted


def _exposed(face: Decomposition) -> Decomposition:
    """Scale the light so that the sum is closest to the photo (least squares on each channel)."""
    local, weight = face.albedo * face.shading, face.mask[..., None]
    numerator = (weight * local * (face.image - face.residual)).sum(axis=(0, 1))
    gain = numerator / np.maximum((weight * local * local).sum(axis=(0, 1)), 1e-6)
    return replace(face, light=(face.light * np.clip(gain, 1 / MOST_GAIN, MOST_GAIN)).astype(np.float32))
