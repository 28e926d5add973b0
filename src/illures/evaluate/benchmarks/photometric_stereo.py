"""Robust photometric stereo: K photos of one surface, each under one known flash, to normals and albedo.

Model, linear light: I_k(p) = albedo(p) · strength_k · falloff_k(p) · max(0, n(p) · l_k(p)), with l_k(p) the direction
from the surface point to flash k and falloff_k(p) one over their squared distance; both are constant for flashes
infinitely far away (Woodham 1980). Cast shadows, highlights and clipped pixels are outliers: each pixel is
solved by iteratively re-weighted least squares over its flashes, which removes them (Tukey's biweight).

Strengths and distance of the flashes can be estimated, too. Strengths that rise from left to right, or upward, look
much like a tilt of the surface (Belhumeur et al., "The Bas-Relief Ambiguity", IJCV 1999), so that part of them
keeps its given value. For the same reason, a face off the centre of the rig must be declared (`Flashes.offset`).
Integrability is not enforced.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from illures.errors import InputError
from illures.math.normals import angular_error_deg, normalize

_BLACK = 0.02  # noise level, relative to full scale
_SHADOWED = 0.12  # relative to the pixel's bright value: darker observations are shadow in the initial guess
_GRAZING = 0.08  # cosine between normal and flash below which an observation does not count
_CUT = 4.685  # Tukey's constant: residuals beyond this many deviations count nothing
_DEVIATION = 0.02  # least deviation, as a share of the pixel's bright value: sensors and skin are no better
_ROUNDS = 8
_REFINEMENTS = 6
_SAMPLE = 4000  # number of pixels for the refinement of flashes
_LEAST = 4  # least number of observations of a normal
_MARGIN = 0.5  # depth of the cap that approximates the face, over half its width


@dataclass(frozen=True)
class Flashes:
    """Known lights.

    Attributes:
        direction: unit vectors from the middle of the rig toward each flash, camera frame.
        strength: irradiance of a facing surface in the middle of the rig, relative; mean 1.
        distance: of all flashes from the middle of the rig [px of the photo], None for infinitely far.
        offset: centre of the face relative to the rig, in units of the distance.
    """

    direction: Float[np.ndarray, "flashes 3"]
    strength: Float[np.ndarray, " flashes"]
    distance: float | None = None
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def from_angles(cls, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> Flashes:
        """Flashes of equal strength, infinitely far [deg]; azimuth 0 is the viewer and positive is image right."""
        azimuth, elevation = np.deg2rad(azimuth_deg), np.deg2rad(elevation_deg)
        cosine = np.cos(elevation)
        x, y, z = np.sin(azimuth) * cosine, np.sin(elevation), np.cos(azimuth) * cosine
        return cls(np.stack([x, y, z], axis=-1), np.ones(len(x)))


@dataclass(frozen=True)
class Stereo:
    """A surface from its photos.

    Attributes:
        normal: camera frame; zero outside the mask and where too few flashes reach.
        albedo: linear, one channel, at the photos' scale for strength 1.
        support: number of flashes that count (weight above one half).
        split_deg: angle between the normals of two disjoint halves of the flashes [deg]; NaN where one has none.
        flashes: after refinement.
        residual: median over pixels and flashes that count of |I - model| / albedo.
    """

    normal: Float[np.ndarray, "height width 3"]
    albedo: Float[np.ndarray, "height width"]
    support: Int[np.ndarray, "height width"]
    split_deg: Float[np.ndarray, "height width"]
    flashes: Flashes
    residual: float


def photometric_stereo(
    images: Float[np.ndarray, "flashes height width"],
    flashes: Flashes,
    mask: Bool[np.ndarray, "height width"] | None = None,
    *,
    refine_strength: bool = True,
    near: bool = False,
    depth: Float[np.ndarray, "height width"] | None = None,
    clipped: float = 0.98,
) -> Stereo:
    """Normals and albedo from photos under flashes.

    Args:
        images: linear, full scale 1, without ambient light.
        flashes: one per photo.
        mask: the surface; None is every pixel.
        refine_strength: estimate the strength of each flash, except for a linear trend over directions.
        near: estimate the distance of the flashes, starting at infinity (or `flashes.distance`).
        depth: of the surface toward the viewer [px], for near flashes; None takes a cap over the mask.
        clipped: larger values are saturated and do not count.

    Raises:
        InputError: photos and flashes differ in number or there are fewer than 4; the mask is empty.
    """
    count = len(images)
    mask = np.ones(images.shape[1:], bool) if mask is None else mask
    if count != len(flashes.direction) or count < _LEAST:
        raise InputError(f"{count} photos under {len(flashes.direction)} flashes: must be equal, and at least {_LEAST}")
    if not mask.any():
        raise InputError("photometric stereo: the mask is empty")
    observed, position = images[:, mask].T.astype(np.float64), _positions(mask, depth)
    usable = (observed > _BLACK) & (observed < clipped)
    if refine_strength or near:
        flashes = _refined(observed, usable, position, flashes, refine_strength, near)
    surface, weight = _solve(observed, usable, *_lit(flashes, position))
    albedo = np.linalg.norm(surface, axis=1)
    halves = [
        _solve(observed[:, half], usable[:, half], *_lit(_chosen(flashes, half), position))[0]
        for half in _halves(flashes)
    ]
    predicted = np.maximum(_model(surface, *_lit(flashes, position)), 0)
    counted = weight > 0.5
    error = np.abs(observed - predicted)[counted] / np.repeat(np.maximum(albedo, 1e-9), counted.sum(axis=1))
    return Stereo(
        normal=_image(mask, normalize(surface)),
        albedo=_image(mask, albedo),
        support=_image(mask, counted.sum(axis=1)).astype(np.int64),
        split_deg=_image(mask, _angle(*halves), np.nan),
        flashes=flashes,
        residual=float(np.median(error)) if len(error) else float("nan"),
    )


def lambert_stereo(
    images: Float[np.ndarray, "flashes height width"], flashes: Flashes
) -> tuple[Float[np.ndarray, "height width 3"], Float[np.ndarray, "height width"]]:
    """Normals and albedo by plain least squares over all flashes, infinitely far (Woodham 1980).

    For three or four photos, which do not suffice to detect shadows and highlights.
    """
    observed = images.reshape(len(images), -1)
    surface = np.linalg.lstsq(flashes.direction * flashes.strength[:, None], observed, rcond=None)[0].T
    shape = images.shape[1:]
    return normalize(surface).reshape(*shape, 3).astype(np.float32), np.linalg.norm(surface, axis=1).reshape(shape)


def _solve(
    observed: np.ndarray, usable: np.ndarray, direction: np.ndarray, gain: np.ndarray, rounds: int = _ROUNDS
) -> tuple[Float[np.ndarray, "points 3"], Float[np.ndarray, "points flashes"]]:
    """Albedo · normal of every pixel by iteratively re-weighted least squares, and the last weights."""
    bright = np.quantile(np.where(usable, observed / gain, 0), 0.9, axis=1, keepdims=True)
    weight = (usable & (observed / gain > _SHADOWED * bright)).astype(np.float64)
    surface = _least_squares(observed, direction, gain, weight)
    for _ in range(rounds):
        shading = np.einsum("pc,pkc->pk", surface, direction)
        length = np.linalg.norm(surface, axis=1, keepdims=True)
        reached = usable & (shading > _GRAZING * length)
        # Errors are normalised to strength 1, so that weak flashes do not count more.
        residual = observed / gain - shading
        sigma = 1.4826 * _median(np.abs(residual), reached)
        sigma = np.maximum(sigma, _DEVIATION * np.maximum(length[:, 0], 1e-9))[:, None]
        weight = np.where(reached, np.clip(1 - (residual / (_CUT * sigma)) ** 2, 0, None) ** 2, 0)
        surface = _least_squares(observed, direction, gain, weight)
    enough = (weight > 0.5).sum(axis=1, keepdims=True) >= _LEAST
    return np.where(enough, surface, 0), weight


def _least_squares(observed: np.ndarray, direction: np.ndarray, gain: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Per pixel: min over b of Σ_k w_k (I_k / gain_k - b · l_k)²."""
    weighted = direction * weight[..., None]
    gram = np.matmul(weighted.transpose(0, 2, 1), direction) + 1e-6 * np.eye(3)
    return np.linalg.solve(gram, np.einsum("pkc,pk->pc", weighted, observed / gain)[..., None])[..., 0]


def _lit(flashes: Flashes, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direction toward each flash from each point, and its strength there."""
    if flashes.distance is None:  # a face off the middle sees the same then
        shape = (len(position), *flashes.direction.shape)
        return np.broadcast_to(flashes.direction, shape), np.broadcast_to(flashes.strength, shape[:2])
    toward = flashes.direction - position[:, None] / flashes.distance - np.array(flashes.offset)
    squared = np.sum(toward**2, axis=-1)
    return toward / np.sqrt(squared)[..., None], flashes.strength / squared


def _model(surface: np.ndarray, direction: np.ndarray, gain: np.ndarray) -> Float[np.ndarray, "points flashes"]:
    return gain * np.einsum("pc,pkc->pk", surface, direction)


def _refined(
    observed: np.ndarray, usable: np.ndarray, position: np.ndarray, flashes: Flashes, strength: bool, near: bool
) -> Flashes:
    """Refine surface and flashes alternately, on a sample of the pixels."""
    thin = np.random.default_rng(0).permutation(len(observed))[:_SAMPLE]
    observed, usable, position = observed[thin], usable[thin], position[thin]
    for _ in range(_REFINEMENTS):
        if near:
            flashes = _with_distance(observed, usable, position, flashes)
        surface, weight = _solve(observed, usable, *_lit(flashes, position), rounds=4)
        if strength:
            flashes = _with_strengths(observed, weight, position, surface, flashes)
    return flashes


def _with_strengths(
    observed: np.ndarray, weight: np.ndarray, position: np.ndarray, surface: np.ndarray, flashes: Flashes
) -> Flashes:
    """Strength of each flash by least squares over the pixels that count.

    The part of the change that is linear in x and y of the direction is removed.
    """
    model = _model(surface, *_lit(flashes, position))
    factor = np.sum(weight * observed * model, axis=0) / np.maximum(np.sum(weight * model**2, axis=0), 1e-12)
    change = np.log(np.where(factor > 0, factor, 1))
    trend = np.concatenate([np.ones((len(change), 1)), flashes.direction], axis=1)
    change = change - trend[:, :3] @ _robust_fit(trend, change)[:3]
    strength = flashes.strength * np.exp(change)
    return replace(flashes, strength=strength / strength.mean())


def _robust_fit(design: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Least absolute deviations by re-weighting, so that a misfired flash does not tilt the whole face."""
    solution = np.linalg.lstsq(design, values, rcond=None)[0]
    for _ in range(20):
        weight = 1 / np.sqrt(np.maximum(np.abs(values - design @ solution), 0.02))
        solution = np.linalg.lstsq(design * weight[:, None], values * weight, rcond=None)[0]
    return np.asarray(solution)


def _with_distance(observed: np.ndarray, usable: np.ndarray, position: np.ndarray, flashes: Flashes) -> Flashes:
    """The distance with the least residual, errors above 20 % of the albedo counted as such."""
    from scipy.optimize import minimize_scalar

    thin = slice(None, None, 4)
    observed, usable, position = observed[thin], usable[thin], position[thin]
    reach = float(np.linalg.norm(position, axis=1).max())

    def at(nearness: float) -> Flashes:
        return replace(flashes, distance=reach / nearness if nearness > 1e-3 else None)

    def cost(nearness: float) -> float:
        lit = _lit(at(nearness), position)
        surface, weight = _solve(observed, usable, *lit, rounds=3)
        error = np.abs(observed - _model(surface, *lit)) / np.maximum(np.linalg.norm(surface, axis=1), 1e-9)[:, None]
        return float(np.mean(np.minimum(error, 0.2)[usable & (weight > 0)]))

    best = minimize_scalar(cost, bounds=(0, 0.5), method="bounded", options={"xatol": 5e-3})
    return at(float(best.x)) if best.fun < cost(0) else at(0)


def _positions(mask: np.ndarray, depth: np.ndarray | None) -> Float[np.ndarray, "points 3"]:
    """Camera-frame position of each pixel of the mask [px], from the middle of the mask."""
    rows, columns = np.nonzero(mask)
    x, y = columns - columns.mean(), rows.mean() - rows
    if depth is not None:
        return np.stack([x, y, depth[mask]], axis=1)
    half = np.array([np.ptp(columns) + 1, np.ptp(rows) + 1]) / 2
    height = _MARGIN * half[0] * np.sqrt(np.clip(1 - (x / half[0]) ** 2 / 2 - (y / half[1]) ** 2 / 2, 0, None))
    return np.stack([x, y, height - height.mean()], axis=1)


def _halves(flashes: Flashes) -> tuple[np.ndarray, np.ndarray]:
    """Two disjoint sets of flashes that both cover all azimuths: every other one by azimuth."""
    order = np.argsort(np.arctan2(flashes.direction[:, 1], flashes.direction[:, 0]), kind="stable")
    return np.sort(order[::2]), np.sort(order[1::2])


def _chosen(flashes: Flashes, index: np.ndarray) -> Flashes:
    return replace(flashes, direction=flashes.direction[index], strength=flashes.strength[index])


def _angle(a: np.ndarray, b: np.ndarray) -> Float[np.ndarray, " points"]:
    both = (np.abs(a).sum(axis=1) > 0) & (np.abs(b).sum(axis=1) > 0)
    return np.where(both, angular_error_deg(normalize(a), normalize(b)), np.nan)


def _median(values: np.ndarray, where: np.ndarray) -> Float[np.ndarray, " points"]:
    """Median over the flashes that count; 0 where none does."""
    ordered = np.sort(np.where(where, values, np.inf), axis=1)
    middle = np.maximum(where.sum(axis=1) - 1, 0) // 2
    found = ordered[np.arange(len(values)), middle]
    return np.where(np.isfinite(found), found, 0)


def _image(mask: np.ndarray, values: np.ndarray, outside: float = 0.0) -> np.ndarray:
    image = np.full((*mask.shape, *values.shape[1:]), outside, np.float32)
    image[mask] = values
    return image
