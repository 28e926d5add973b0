"""From the network's maps to the photo's own resolution, upright, with A ∘ f(N, L) + R = photo.

Albedo is the quotient A = I / E at any resolution. The illumination E = I / A of the crop is upsampled smoothly, so
that the finer detail of the photo goes to albedo. Where E itself has edges (shadows, highlights), it takes its share
of that detail. The share is found by a guided filter (He and Sun, "Fast Guided Filter", 2015) on log luminance: slope 1
where E of the crop follows the photo, 0 where albedo does. Normals are interpolated; the light is only rotated. R is
the rest, I - A ∘ f(N, L), so the sum is exact for any prediction.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np
from jaxtyping import Float

from illures.decompose.fields import FINER, Fields, Illumination, Map1, Map3, beyond, log_luminance, sample, softly
from illures.decompose.maps import Maps
from illures.faces import at_size, bounds, check_photo, extract, feathered, in_sight, padded, scale_of, upright
from illures.io.photos import Photo, as_linear
from illures.math import sh
from illures.math.color import mean_channel
from illures.math.fill import distance_from
from illures.math.guided_filter import box_mean, moments
from illures.math.normals import normalize
from illures.math.quotient import illumination_of
from illures.render import shade
from illures.types import FaceCrop

# Radius of the guided filter [px of a crop of 128], and the variance of log luminance that counts as noise.
GUIDE_RADIUS = 3
GUIDE_EPS = 0.05**2
# Divisors are floored at this part of the face's mean shading, as SH shading can ring to zero.
SHADING_FLOOR = 0.1
# Beyond the crop, values from its edge fade to 1/e over this part of the side of the grid with its margin, as a neck
# goes on below the dark underside of the chin.
FAR = 0.05
_AHEAD = np.array([0, 0, 1], np.float32)

M = TypeVar("M", bound=Maps)


def at_photo_resolution(face: M, photo: Photo) -> M:
    """See `Decomposition.photo_resolution`."""
    check_photo(face.crop, photo)
    fields = prepare(face)
    x0, y0, x1, y1 = bounds(face.crop)
    matrix = np.array([[1, 0, -x0], [0, 1, -y0]], np.float32)
    crop = FaceCrop(matrix=matrix, size=max(x1 - x0, y1 - y0), photo_size=face.crop.photo_size, face=face.crop.face)
    image = as_linear(extract(photo, crop))
    window = sample(fields, (x0, y0), image)
    return replace(
        face,
        image=image,
        albedo=window.albedo,
        normal=window.normal,
        light=fields.light,
        residual=window.residual,
        mask=window.mask,
        crop=crop,
        regions=None,
    )


def prepare(face: Maps, margin: int = 0) -> Fields:
    """Filter at the crop's size, turn to the photo's frame, and interpolate to the finer grid.

    Args:
        face: at the network's resolution.
        margin: width around the crop by which the fields of the head are extrapolated [crop px], as far as the photo
            goes: normals turn toward the viewer, lit by L, and the rest of E (shadows, highlights) fades out. 0 keeps
            the fields of the crop, with its background.
    """
    coarse = _coarse(face, margin)
    head, mask = (np.clip(_finer(v.astype(np.float32), coarse.crop), 0, 1) for v in (coarse.head, coarse.mask))
    normal, seen = _finer(coarse.normal, coarse.crop), _finer_illumination(coarse)
    return Fields(**vars(seen), normal=normal, light=coarse.light, head=head, mask=mask)


def prepare_illumination(face: Maps, margin: int = 0) -> Illumination:
    """E alone, as `prepare` prepares it."""
    return _finer_illumination(_coarse(face, margin))


def _coarse(face: Maps, margin: int) -> Fields:
    """The fields on the grid of the crop with its margin."""
    size, shading = face.crop.size, face.shading
    weight = face.mask[..., None] + 0.01  # outside the mask the prediction is less reliable
    floor = SHADING_FLOOR * max(float((shading * weight).mean() / weight.mean()), 0.01)
    illumination = np.log(illumination_of(face.image, face.albedo)).astype(np.float32)
    low = log_luminance(face.image)
    share = _share(low, mean_channel(illumination), max(1, round(GUIDE_RADIUS * size / 128)))
    turn = upright(face.crop)
    normal, light = (face.normal @ turn.T).astype(np.float32), sh.rotate(face.light, turn).astype(np.float32)
    head, seen = feathered(face.head, face.crop), feathered(np.ones_like(low), face.crop)
    mask = head if face.regions is None else feathered(face.mask, face.crop)
    if margin:
        known = np.pad(softly(head), margin)
        ratio = illumination - _log_shading(normal, light, floor)
        both, fade = beyond(np.dstack([normal, ratio]), head, margin), _fading(known)
        facing, ratio = both[..., :3] - _AHEAD, both[..., 3:]
        illumination = _log_shading(_AHEAD + fade * facing, light, floor) + fade * ratio
        normal = _AHEAD + np.sqrt(fade) * facing  # slower: the head is round beyond the crop's upper edge, too
        # At the crop's edge all but `low` are 0, unless the photo ends there.
        low, head, mask, share, seen = (np.pad(v, margin, "edge") for v in (low, head, mask, share, seen))
        share = share * known
    else:
        seen = np.ones_like(low)
    crop, (rows, columns) = padded(face.crop, margin), (slice(None), slice(None))
    if margin:
        crop, (rows, columns) = in_sight(crop)
    illumination, low, share, seen = (v[rows, columns] for v in (illumination, low, share, seen))
    normal, head, mask = (v[rows, columns] for v in (normal, head, mask))
    return Fields(illumination, low, share, seen, floor, crop, normal, light, head, mask)


def _finer_illumination(coarse: Illumination) -> Illumination:
    return Illumination(
        illumination=_finer(coarse.illumination, coarse.crop),
        low=_finer(coarse.low, coarse.crop),
        share=_finer(coarse.share, coarse.crop),
        seen=_finer(coarse.seen, coarse.crop),
        floor=coarse.floor,
        crop=at_size(coarse.crop, coarse.crop.size * _factor(coarse.crop)),
    )


def _factor(crop: FaceCrop) -> int:
    """Factor by which the grid is finer than the crop: 1 for a crop about as fine as the photo."""
    return FINER if scale_of(crop) < 0.5 else 1


def _finer(field: np.ndarray, crop: FaceCrop) -> np.ndarray:
    factor, zoom = _factor(crop), scale_of(crop)
    if factor > 1:
        field = cv2.resize(field, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    # Half a crop pixel smooths the creases of the cubics; a photo coarser than the crop needs its own low-pass.
    return np.ascontiguousarray(_blur(field, max(factor / 2, zoom / 2) if factor > 1 or zoom > 1 else 0.0))


def _log_shading(normal: Map3, light: Float[np.ndarray, "9 3"], floor: float) -> Map3:
    return np.log(np.maximum(shade(normalize(normal), light), floor)).astype(np.float32)


def _fading(known: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns 1"]:
    """1 where something is known, falling to 0 with the distance from there."""
    return np.exp(-distance_from(known) / (FAR * len(known)))[..., None].astype(np.float32)


def _share(guide: Map1, target: Map1, radius: int) -> Map1:
    """Slope of `target` against `guide` in each neighbourhood, within [0, 1], smoothed."""
    local = moments(guide, target, radius)
    slope = local.covariance / (np.maximum(local.variance, 0) + GUIDE_EPS)
    return box_mean(np.clip(slope, 0, 1).astype(np.float32), radius)


def _blur(field: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(field, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101) if sigma > 0 else field
