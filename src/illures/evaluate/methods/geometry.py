"""Estimates from normals alone: fit the light to the photo, divide for albedo, relight by a ratio of shadings.

The classical analysis of a photo of a known shape (Wen, Liu and Huang, "Face Relighting with Radiance Environment
Maps", CVPR 2003): constant albedo gives the light, the light gives the albedo, the ratio of shadings relights.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from illures.evaluate.benchmark import Estimate
from illures.evaluate.methods.query import Query, known, spread_normals
from illures.evaluate.methods.raster import normal_map, without_holes
from illures.evaluate.metrics import fill_normals
from illures.faces import to_crop
from illures.math import sh
from illures.math.color import luminance, srgb_to_linear
from illures.render import shade

# Divisors are floored at this part of the face's mean shading, as SH can ring to zero and below.
_FLOOR = 0.1
_SIZE = 192  # of the crop that meshes are drawn in [px]
_SKIN = 0.35  # mean luminance of skin over all tones, approximately
_POINTS = 4000  # least number of points for fitting a light
_ROUNDS = 5
_OUTLIER = 1.5  # median absolute deviations, from which a pixel counts less (Huber)


def explain(
    photo: Float[np.ndarray, "height width 3"],
    normal: Float[np.ndarray, "height width 3"],
    light: Float[np.ndarray, "9 3"] | None = None,
    albedo: Float[np.ndarray, "height width 3"] | None = None,
) -> Estimate:
    """Complete an estimate that has normals.

    Args:
        photo: sRGB-encoded.
        normal: of the photo's frame; NaN where unknown.
        light: of the method's own; None fits it.
        albedo: linear, of the method's own; None divides the photo by the shading.
    """
    linear = srgb_to_linear(photo.astype(np.float32))
    if light is None:
        light = fit_light(linear, normal)
    if albedo is None:
        albedo = np.where(np.isfinite(normal), _unlit(linear, normal, light), np.nan)
    unlit = _unlit(linear, normal, light)

    def relight(target: np.ndarray) -> np.ndarray:
        return _lit(unlit, normal, target)

    return Estimate(normal=normal, albedo=albedo.astype(np.float32), light=light, relight=relight)


def explain_mesh(
    query: Query, vertices: Float[np.ndarray, "vertices 3"], triangles: Int[np.ndarray, "triangles 3"]
) -> Estimate:
    """`explain` by the normals of a mesh, its vertices in photo pixels (x right, y down, z toward the viewer)."""
    crop = query.crop(_SIZE)
    normal = without_holes(normal_map(to_crop(vertices, crop), triangles, _SIZE))
    return explain(query.photo, spread_normals(known(normal), crop))


def fit_light(
    linear: Float[np.ndarray, "height width 3"], normal: Float[np.ndarray, "height width 3"]
) -> Float[np.ndarray, "9 3"]:
    """Fit a white SH light to the luminance of the image, for a surface with the mean albedo of skin.

    It is white, so that the tint of skin stays in the albedo. Iteratively reweighted least squares (Huber) reduces the
    influence of brows, highlights and cast shadows.
    """
    given = np.isfinite(normal).all(axis=-1)
    if not given.any():
        return np.zeros((9, 3), np.float32)
    thin = slice(None, None, max(1, int(given.sum()) // _POINTS))
    points = normal[given][thin].astype(np.float64)
    colors = np.repeat(luminance(linear[given][thin].astype(np.float64) / _SKIN)[:, None], 3, axis=1)
    weight = np.ones(len(points))
    for _ in range(_ROUNDS):
        light = sh.fit(points, colors, weight, ridge=1e-3)
        off = np.abs(luminance(shade(points, light) - colors))
        limit = _OUTLIER * max(float(np.median(off)), 1e-6)
        weight = np.minimum(1.0, limit / np.maximum(off, 1e-12))
    return light.astype(np.float32)


def _unlit(
    linear: Float[np.ndarray, "height width 3"],
    normal: Float[np.ndarray, "height width 3"],
    light: Float[np.ndarray, "9 3"],
) -> Float[np.ndarray, "height width 3"]:
    """The image over its shading."""
    return (linear / _floored(shade(_filled(normal), light.astype(np.float32)))).astype(np.float32)


def _lit(
    unlit: Float[np.ndarray, "height width 3"],
    normal: Float[np.ndarray, "height width 3"],
    light: Float[np.ndarray, "9 3"],
) -> Float[np.ndarray, "height width 3"]:
    """The image under another light, f(N, L_j) / f(N, L_i) times the photo: its detail and cast shadows stay."""
    return (unlit * np.clip(shade(_filled(normal), light.astype(np.float32)), 0, None)).astype(np.float32)


def _filled(normal: Float[np.ndarray, "height width 3"]) -> Float[np.ndarray, "height width 3"]:
    """Facing the viewer where there is none, as it is scored."""
    filled, _ = fill_normals(normal.reshape(-1, 3))
    return filled.reshape(normal.shape).astype(np.float32)


def _floored(shading: Float[np.ndarray, "height width 3"]) -> Float[np.ndarray, "height width 3"]:
    return np.maximum(shading, _FLOOR * max(float(np.nanmean(np.clip(shading, 0, None))), 1e-6))
