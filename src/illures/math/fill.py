"""Hole filling: extend a field beyond the places where its values are known."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Num

# Widths of the blurs of `continued`, in parts of the side; each is used from twice that distance on.
_WIDTHS = (0.02, 0.06)
_LEAST = 4  # width of a blur [px] below which no coarser grid is used
# Powers of the distance by which what is known weighs less: in `continued`, and where the distance itself is wanted.
_POWER, _POWER_OF_DISTANCE = 16, 8
_TINY = 1e-200  # so that nothing is divided by 0; weights far away are so small that they take float64


def filled(field: Float[np.ndarray, "rows columns n"], weight: Float[np.ndarray, "rows columns"]) -> np.ndarray:
    """The field where `weight` is 1; elsewhere a blend of the surroundings that gets smoother with distance.

    Pull-push (Gortler et al., "The Lumigraph", 1996).
    """
    weight = weight.astype(np.float32)[..., None]
    return _filled((field * weight).astype(np.float32), weight)


def nearest(field: Num[np.ndarray, "rows columns *n"], known: Bool[np.ndarray, "rows columns"]) -> np.ndarray:
    """The field where it is known (in at least one place); elsewhere the value of the nearest known place."""
    _, label = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    at = np.zeros(int(label.max()) + 1, np.int64)
    at[label[known]] = np.flatnonzero(known)
    return field.reshape(-1, *field.shape[2:])[at[label]]


def continued(field: Float[np.ndarray, "rows columns n"], weight: Float[np.ndarray, "rows columns"]) -> np.ndarray:
    """The field where `weight` is 1; elsewhere nearly the value of the nearest known place, smoothed over the distance.

    It is a mean whose weights fall so fast with the distance that what is near decides: unlike `filled` it keeps light
    and dark sides apart, and hair above the forehead gets the values of the forehead. Unlike `nearest` it is smooth in
    its inputs: a small change of a weight changes the field by as little.

    Args:
        field: any finite values; those of weight 0 are not used.
        weight: how far a place is known, in [0, 1]; 1 somewhere.
    """
    known = np.asarray(weight, np.float32)
    spoken = _influence(known)
    density, distance = _near(spoken, _POWER), distance_from(known)
    blurs = [(width, np.clip(distance / (2 * width), 0, 1)) for width in (len(field) * share for share in _WIDTHS)]
    planes = []
    for plane in cv2.split(np.asarray(field, np.float32)):  # planes, as NumPy and OpenCV are slow at a last axis of 6
        found = (_near(plane * spoken, _POWER) / density).astype(np.float32)
        found += known * (plane - found)
        for width, share in blurs:
            found += share * (_wide_blur(found, width) - found)
        planes.append(found)
    return cv2.merge(planes).reshape(field.shape)


def distance_from(weight: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
    """Approximate distance [px] from known places, as smooth in `weight` as `continued`; 0 in known places."""
    density = _near(_influence(weight), _POWER_OF_DISTANCE)
    return np.maximum(cv2.pow(density, 1 / (2 - _POWER_OF_DISTANCE)) - 1, 0).astype(np.float32)


def _influence(weight: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
    """Influence of a place on others: small for small weights, or a single weight of 0.001 would decide."""
    return np.square(np.square(weight.astype(np.float64))) + _TINY


def _wide_blur(field: Float[np.ndarray, "rows columns *n"], sigma: float) -> np.ndarray:
    """A Gaussian blur, on a coarser grid if it is wide, on which its width is at least `_LEAST` pixels."""
    factor = 2 ** max(int(np.log2(sigma / _LEAST)), 0)
    if factor == 1:
        return cv2.GaussianBlur(field, (0, 0), sigma)
    rows, columns = field.shape[:2]
    small = cv2.resize(field, (-(-columns // factor), -(-rows // factor)), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), np.sqrt(sigma**2 - (factor**2 - 1) / 12) / factor)
    return cv2.resize(blurred, (columns, rows), interpolation=cv2.INTER_CUBIC)


def _near(plane: Float[np.ndarray, "rows columns"], power: int) -> Float[np.ndarray, "rows columns"]:
    """Sums of the surroundings weighted by about distance ** -power: blurs of more and more pixels, added up."""
    levels = [plane]
    while min(levels[-1].shape) > 2:
        levels.append(cv2.pyrDown(levels[-1], borderType=cv2.BORDER_REFLECT_101))
    found = levels.pop()
    while levels:
        finer = levels.pop()
        between = cv2.GaussianBlur(finer, (3, 3), 0, borderType=cv2.BORDER_REFLECT_101)
        up = cv2.pyrUp(found, dstsize=finer.shape[::-1])
        found = finer + 2.0 ** (1 - power / 2) * between + 2.0 ** (2 - power) * up
    return found


def _filled(sums: np.ndarray, weight: np.ndarray) -> np.ndarray:
    rows, columns = sums.shape[:2]
    if max(rows, columns) <= 2:
        return np.broadcast_to(sums.sum((0, 1)) / max(float(weight.sum()), 1e-6), sums.shape)
    half = cv2.pyrDown(np.concatenate([sums, weight], axis=-1), borderType=cv2.BORDER_REFLECT_101)
    # Weights are raised at each level, so that a coarse pixel which covers a few known pixels counts as known.
    grown = np.minimum(1, 2 * half[..., -1:])
    coarse = _filled(half[..., :-1] / np.maximum(half[..., -1:], 1e-6) * grown, grown)
    up = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR).reshape(rows, columns, -1)
    return sums + (1 - weight) * up
