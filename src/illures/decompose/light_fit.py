"""Fit the light to the photo, with the network's estimate as prior.

A network tells the broad direction of light well and its strength and finer shape less so, while albedo and normals
together with the photo hold much of both: I - R = A ∘ f(N, L). The light sought is the most probable one where log
errors of that equation have long tails and the network's light is the prior.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from illures.decompose.decomposition import Decomposition
from illures.math import sh

# The light is made at most this many times stronger or weaker to meet the photo.
MOST_GAIN = 4.0
# Points of the face that are enough for nine numbers.
_POINTS = 1000
# Standard deviation of the network's coefficients of degree 0, 1 and 2, in parts of the first; and how much that
# prior counts against the mean squared log error: least error of the shading on rendered people held out.
_BANDS = np.repeat([0.05, 1.0, 1.5], [1, 3, 5])
_PRIOR = 0.003
_OUTLIER = 0.3  # log error from which a point counts less: shadows, highlights, errors of the albedo
_STEPS = 4
# Shading is taken as no less than this part of the mean; SH can ring to zero and below.
_FLOOR = 0.1
_DARK = 1e-3  # linear; below it a photo is noise
_LEAST_ALBEDO = 0.01


def with_fitted_light(face: Decomposition, *, exact: bool = False) -> Decomposition:
    """The face with its light fitted to the photo, each colour channel alone: first its shape, then its strength.

    Albedo × light is free up to a scale, and a network that sees one photo tells it least well of all; the scale is
    that which brings the sum nearest to the photo (least squares).

    Args:
        face: as the network says it.
        exact: its albedo is the image over all the light, shadow and highlight included (the quotient form): f(N, L)
            is fitted to that light, and the residual is what then remains. Otherwise f(N, L) is fitted to the light
            without the network's residual, which stays.
    """
    if exact:
        fitted = with_fitted_light(replace(face, residual=np.zeros_like(face.image)))
        return replace(fitted, residual=face.image - fitted.albedo * fitted.shading)
    inside = np.flatnonzero(face.mask.ravel() > 0.5)
    if not len(inside):
        return face
    chosen = inside[:: max(1, len(inside) // _POINTS)]
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
    """One channel's light by Gauss-Newton on the log errors, weighed by Cauchy's function; its strength stays free."""
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
    """The light at the strength and colour that bring the sum nearest to the photo (least squares on each channel)."""
    local, weight = face.albedo * face.shading, face.mask[..., None]
    numerator = (weight * local * (face.image - face.residual)).sum(axis=(0, 1))
    gain = numerator / np.maximum((weight * local * local).sum(axis=(0, 1)), 1e-6)
    return replace(face, light=(face.light * np.clip(gain, 1 / MOST_GAIN, MOST_GAIN)).astype(np.float32))
