"""The part of a photo to which the maps of a face extend: its person, up to other faces and the background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import cv2
import numpy as np
from jaxtyping import Float, Shaped

from illures.decompose.decomposition import Decomposition
from illures.decompose.fields import Fields, Illumination
from illures.decompose.full_resolution import prepare, prepare_illumination
from illures.faces import extract, in_photo, in_sight, inverse
from illures.faces.matte import MARGIN, widened
from illures.io.photos import Photo, as_linear
from illures.math.color import luminance
from illures.math.curves import smoothstep
from illures.math.quotient import BLACK
from illures.types import FaceCrop, Region

# Width of the transition to 0 at the border of the wide grid [crop sides].
END = 0.4
# Width of the transition between two neighbouring faces: difference of the distances to them [crop sides].
BETWEEN = 0.15
# Probabilities of background at which the network begins to overrule a matte that is not sure, and does so fully.
_SURE = (0.8, 0.97)
# Values of the matte between which that ends: of 18 photos where a sure network and a sure matte disagreed on pixels of
# long hair, clothes and hands, the matte was right in 17.
_SURE_MATTE = (0.5, 0.9)
# Distance beyond the crop over which that fades out [crop sides].
_UNSURE = 0.3
# Skin around the crop is no brighter than this percentile of the face's, and has its colour within this [log].
_BRIGHT, _COLOUR = 90, 0.3
# Width of the blur of the raised part, and width over which it fades into the crop [crop sides].
_SMOOTH, _RIM = 0.015, 0.1
F = TypeVar("F", bound=Illumination)

# Least share of the face's mask inside a matte that shows this person.
_SEEN = 0.5


def prepare_wide(face: Decomposition, photo: Photo) -> Fields:
    """The fields of a face for its photo, continued over the margin of the matte around the crop.

    The continued E is raised where it would make skin brighter than that of the face: the shadow under a chin ends
        somewhere on the neck, which the crop doesn't show. It is also raised where it would make other things, such as
        long hair that the network missed, brighter than both the face and the photo.
    """
    return _raised(prepare(face, _margin(face)), face, photo)


def illumination_wide(face: Decomposition, photo: Photo) -> Illumination:
    """E alone of `prepare_wide`."""
    return _raised(prepare_illumination(face, _margin(face)), face, photo)


def _margin(face: Decomposition) -> int:
    return round(MARGIN * face.crop.size)


def _raised(fields: F, face: Decomposition, photo: Photo) -> F:
    """Raise log E in place."""
    (crop, here), side = in_sight(widened(face.crop)), fields.crop.size
    seen = as_linear(extract(photo, crop))
    known = cv2.resize(fields.illumination, (crop.size, crop.size), interpolation=cv2.INTER_AREA)
    over, sigma = _excess(seen, known, face, here), _SMOOTH * face.crop.size
    width = 2 * round(0.7 * sigma) + 1  # spread first, or the blur would leave thin lines bright
    raised = cv2.GaussianBlur(cv2.dilate(over, np.ones((width, width), np.uint8)), (0, 0), sigma)
    for channel in range(3):  # one at a time, as the grid is large
        fields.illumination[..., channel] += cv2.resize(raised[..., channel], (side, side))
    return fields


def _excess(
    seen: Float[np.ndarray, "part part 3"],
    illumination: Float[np.ndarray, "part part 3"],
    face: Decomposition,
    here: tuple[slice, slice],
) -> Float[np.ndarray, "part part 3"]:
    """By how much skin around the crop, and what the network missed, is too bright [log].

    Args:
        seen: linear, on the part of the wide grid that has the photo.
        illumination: log E there.
        face: whose skin it is compared with.
        here: rows and columns of that part.
    """
    skin = (face.mask if face.regions is None else face.mask * face.regions[..., Region.SKIN]) > _SEEN
    if not skin.any():
        return np.zeros_like(illumination)
    bright = np.log(np.percentile(face.albedo[skin], _BRIGHT, axis=0) + BLACK).astype(np.float32)
    log_image, log_skin = (np.log(np.maximum(v, 0) + BLACK) for v in (seen, face.image[skin]))
    strange = _chromaticity(log_image) - np.median(_chromaticity(log_skin), axis=0)
    like_skin = np.exp(-0.5 * np.square(strange / _COLOUR).sum(axis=-1))
    around = 1 - on_wide(_ending(face.crop.size, face.crop.size, _RIM), face.crop)[here]
    over = np.maximum(log_image - illumination - bright, 0)
    missed = on_wide(1 - smoothstep(2 * face.head), face.crop)[here].astype(np.float32)
    darker = np.maximum(log_image - illumination - np.maximum(bright, log_image), 0)
    return np.asarray(np.maximum(over * (like_skin * around)[..., None], darker * missed[..., None]), np.float32)


def _chromaticity(log_linear: Float[np.ndarray, "*grid 3"]) -> Float[np.ndarray, "*grid 3"]:
    """Log of a colour over its luminance, from its log."""
    return log_linear - np.log(luminance(np.exp(log_linear)))[..., None]


def limits(
    face: Decomposition, others: Sequence[FaceCrop], matte: Float[np.ndarray, "wide wide"] | None
) -> Float[np.ndarray, "wide wide"]:
    """Weight on the grid of the widened crop: 0 near other faces, at the border of the grid, and on background.

    Args:
        face: whose maps.
        others: crops of the photo's other faces.
        matte: of the person on that grid, or None where it shows others.
    """
    wide = widened(face.crop)
    person = _no_background(face)
    if matte is not None:
        sure = smoothstep((matte - _SURE_MATTE[0]) / (_SURE_MATTE[1] - _SURE_MATTE[0]))
        person = np.maximum(person, sure.astype(np.float32))
    return own_share(face.crop, wide, others) * _ending(wide.size, face.crop.size, END) * person


def own_share(crop: FaceCrop, grid: FaceCrop, others: Sequence[FaceCrop]) -> Float[np.ndarray, "size size"]:
    """1 where this face is the nearest of the photo, 0 where another one is, on a grid of the photo.

    Distances are measured from the centres of the crops, in units of their sides, so that a small face keeps its
    surroundings.
    """
    side = grid.size
    share = np.ones((side, side), np.float32)
    if not others:
        return share
    at, back = np.arange(side, dtype=np.float64), np.vstack([inverse(grid), [0, 0, 1]])

    def distance(other: FaceCrop) -> Float[np.ndarray, "size size"]:
        (a, b, c), (d, e, f) = other.matrix.astype(np.float64) @ back
        middle = (other.size - 1) / 2
        x, y = (a * at + (c - middle)) + b * at[:, None], (d * at + (f - middle)) + e * at[:, None]
        return np.asarray(np.sqrt(x * x + y * y) / other.size)

    mine = distance(crop)
    for other in others:
        share = np.minimum(share, np.clip(0.5 + (distance(other) - mine) / BETWEEN, 0, 1))
    return share.astype(np.float32)


def on_wide(field: Shaped[np.ndarray, "size size"], crop: FaceCrop) -> Shaped[np.ndarray, "wide wide"]:
    """A field of the crop on the grid of the widened crop; 0 around it."""
    return np.pad(field, (widened(crop).size - len(field)) // 2)


def to_borders(field: Shaped[np.ndarray, "size size"], crop: FaceCrop) -> Shaped[np.ndarray, "wide wide"]:
    """As `on_wide`, but where the photo ends with the crop, the field is continued beyond it."""
    wide = widened(crop)
    goes_on = in_photo(wide) & ~on_wide(np.ones(field.shape, bool), crop)
    found = _continued(field, crop)
    found[goes_on] = 0
    return found


def _continued(field: Shaped[np.ndarray, "size size"], crop: FaceCrop) -> Shaped[np.ndarray, "wide wide"]:
    return np.pad(field, (widened(crop).size - len(field)) // 2, mode="edge")


def seen_by(alpha: Float[np.ndarray, "*grid"], mask: Float[np.ndarray, "*grid"], share: float = _SEEN) -> bool:
    """Whether at least a `share` of the skin mask lies in the matte, so that the matte shows this person."""
    return bool((alpha * mask).sum() > share * mask.sum())


def _ending(size: int, side: int, reach: float) -> Float[np.ndarray, "size size"]:
    """Weight that falls to 0 at the border of a grid, over this part of the crop's side."""
    at = np.arange(size) + 0.5
    ramp = smoothstep(np.minimum(at, size - at) / (reach * side))
    return np.asarray(ramp[:, None] * ramp, np.float32)


def _no_background(face: Decomposition) -> Float[np.ndarray, "wide wide"]:
    """0 where the network is certain of background, else 1; beyond the crop its border is continued, and fades to 1."""
    wide, side = widened(face.crop).size, face.crop.size
    if face.regions is None:
        return np.ones((wide, wide), np.float32)
    sure = smoothstep((face.regions[..., Region.BACKGROUND] - _SURE[0]) / (_SURE[1] - _SURE[0])).astype(np.float32)
    outside = 1 - on_wide(np.ones((side, side), np.uint8), face.crop)
    fading = 1 - smoothstep(cv2.distanceTransform(outside, cv2.DIST_L2, 5) / (_UNSURE * side))
    return 1 - _continued(sure, face.crop) * fading
