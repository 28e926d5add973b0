"""Weight of a change of light at each pixel of a photo: skin, hair, and the rest of the person.

The matte segments the person. Within it, everything above the chin is head. Below the chin, the weight spreads from the
head outward on a coarse grid: far over pixels with the colours of its skin or hair, little over others, and even less
across edges of colour. A guided filter (He and Sun, "Fast Guided Filter", 2015) aligns it with the edges of the photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from illures.decompose.decomposition import Decomposition
from illures.decompose.extent import limits, on_wide, own_share, seen_by, to_borders
from illures.decompose.fields import FINER, softly, surely
from illures.faces import Rect, at_size, bounds, extract, feathered, inside, to_crop, warped
from illures.faces.matte import eight_bit, face_matte, on_grid, widened
from illures.io.photos import Photo, as_float
from illures.math.color import luminance, mean_channel, srgb_to_linear
from illures.math.curves import smoothstep
from illures.math.fill import continued
from illures.math.guided_filter import grey_guided
from illures.relighting.photo_grid import finer, over_bands
from illures.types import FaceCrop, Region

What = Literal["skin", "head", "person"]
# Distances over which the weight falls to 1/e [crop sides]: over skin or hair, and over other pixels, as single
# hairs at the forehead would stand out otherwise.
REACH, REACH_OTHER = 2.5, 0.012
# On a grid this many times finer, pixels without those colours keep this part of their weight, against halos.
DETAIL, OTHER = 2, 0.2
# Largest distance of skin from the box around the face: aside, above, below [crop sides].
AWAY = (0.13, 0.35, 0.6)
# An edge of this contrast (log colour, from pixel to pixel) attenuates the weight to 1/e.
EDGE = 0.5
# Largest radius of a highlight: a brighter spot surrounded by skin [part of the grid's side].
HIGHLIGHT = 0.03
# Share of the head's classes at a pixel that is surely head, and how far within such a region it lies [crop sides].
SURELY_HEAD, WITHIN = 0.8, 0.008
# Least share of the crop that is hair, for hair to count as a colour.
LEAST_HAIR = 0.005
_EDGE_VARIANCE = 0.03**2  # of luminance, that counts as noise in the guided filter
_CHIN = 152  # of the landmarks
_BESIDE = 0.35  # distance from the middle of the crop beyond which a person is beside their face [crop sides]
_AXES = ((1, 0), (0, 1))
# The shadow of the chin on the neck is an edge of brightness only, not the end of the skin.
_EDGE_SHARES = np.array([1, 1, 0.3], np.float32)

Grid = Float[np.ndarray, "size size"]


def photo_weight(
    photo: Photo, face: Decomposition, others: Sequence[FaceCrop], what: What = "head"
) -> tuple[Rect, UInt8[np.ndarray, "rows columns"]]:
    """The weight at the photo's pixels (255 is 1), aligned with its edges, and the rectangle that it covers.

    Args:
        photo: sRGB-encoded.
        face: whose skin and hair it is.
        others: crops of the photo's other faces.
        what: "skin"; "head": also hair and everything above the chin; "person": also clothes.
    """
    wide = widened(face.crop)
    x0, y0, x1, y1 = rect = inside(bounds(wide), photo)
    matte = face_matte(photo, face.crop)
    alpha = on_grid(matte, wide)
    seen = seen_by(alpha, on_wide(face.mask, face.crop))
    if not seen:
        alpha = np.ones_like(alpha)
    weight = grid_weight(eight_bit(extract(photo, wide)), face, alpha, others, what)
    guide = eight_bit(extract(photo, at_size(wide, DETAIL * wide.size)))
    fine = cv2.resize(weight, (len(guide), len(guide)), interpolation=cv2.INTER_LINEAR)
    slope, offset = (finer(v, FINER // DETAIL) for v in _guided(luminance(guide), fine))
    core = finer(_core(face, wide, what) * own_share(face.crop, wide, others))
    grid = at_size(wide, len(core))
    found = np.empty((y1 - y0, x1 - x0), np.uint8)

    def fill(rows: slice) -> None:
        srgb = as_float(photo[rows, x0:x1])
        a, b, least = (warped(v, grid, (x0, rows.start), srgb.shape[:2]) for v in (slope, offset, core))
        share = np.clip(a * luminance(srgb) + b, 0, 1)
        if seen:
            share = share * matte.over(srgb, (x0, rows.start))
        found[rows.start - y0 : rows.stop - y0] = np.round(np.maximum(share, np.clip(least, 0, 1)) * 255)

    over_bands(slice(y0, y1), fill)
    return rect, found


def grid_weight(
    image: Float[np.ndarray, "size size 3"],
    face: Decomposition,
    alpha: Grid,
    others: Sequence[FaceCrop] = (),
    what: What = "head",
) -> Grid:
    """Weight of the relighting at a pixel of the wide grid, where the person's matte is 1.

    Args:
        image: the photo on the wide grid, sRGB-encoded.
        face: whose mask and colours count.
        alpha: the person's matte.
        others: crops of the photo's other faces.
        what: as in `photo_weight`.
    """
    wide, side = widened(face.crop), face.crop.size
    most = limits(face, others, alpha if alpha.min() < 0.5 else None)
    if what == "person":
        return most
    skin = _outlined(on_wide(surely(face.mask), face.crop))
    colours = _log_colours(cv2.GaussianBlur(image, (0, 0), side / 128))
    likeness = _likeness(colours, skin, brighter=True)
    seeds = skin
    if what == "head":
        hair = _head_above(face, wide, alpha) & ~skin
        seeds = seeds | hair
        if hair.sum() > LEAST_HAIR * side * side:
            likeness = np.maximum(likeness, _likeness(colours, hair, brighter=False))
        likeness *= 1 - _hats(face, wide)
    weight = _spread(seeds, likeness, colours, side)
    if what == "skin":
        weight *= _near_box(skin, side)
    weight = np.where(seeds, weight, weight * (OTHER + (1 - OTHER) * likeness))
    # The outline of the person is left to the matte.
    return most * (continued(weight[..., None], softly(alpha))[..., 0] if (alpha < 0.5).any() else weight)


def _head_above(face: Decomposition, wide: FaceCrop, alpha: Grid) -> Bool[np.ndarray, "size size"]:
    """The part of the person above the chin, and hair as classified by the network; no clothes."""
    seen = (alpha > 0.5) & (alpha.min() < 0.5) & _above_chin(face, wide)
    if face.regions is None:
        return seen
    hair, clothes = _class(face, Region.HAIR), _class(face, Region.CLOTHES)
    return (seen | ((hair > 0.5) & (alpha > 0.5))) & (clothes < 0.5)


def _hats(face: Decomposition, wide: FaceCrop) -> Grid:
    """Share of clothes above the chin. They often have the colours of hair or shaded skin, and are neither."""
    if face.regions is None:
        return np.zeros((wide.size, wide.size), np.float32)
    return _class(face, Region.CLOTHES) * _above_chin(face, wide)


def _above_chin(face: Decomposition, wide: FaceCrop) -> Bool[np.ndarray, "size size"]:
    """Above the chin, and beside the face above a line that rises outward: shoulders may be as high as the chin."""
    rows, columns = np.indices((wide.size, wide.size), sparse=True)
    aside = np.abs(columns - (wide.size - 1) / 2) - _BESIDE * face.crop.size
    return rows < to_crop(face.crop.face.landmarks[[_CHIN]], wide)[0, 1] - np.maximum(aside, 0)


def _class(face: Decomposition, region: Region) -> Grid:
    """Share of a class on the wide grid."""
    assert face.regions is not None
    return to_borders(feathered(face.regions[..., region], face.crop), face.crop)


def _spread(
    seeds: Bool[np.ndarray, "size size"], likeness: Grid, colours: Float[np.ndarray, "size size 3"], side: int
) -> Grid:
    """Spread from the seeds (1) over similar pixels; the value falls with distance."""
    edges = sum(np.abs(cv2.Sobel(colours, cv2.CV_32F, *d, ksize=3, scale=1 / 8)) @ _EDGE_SHARES for d in _AXES)
    lost = likeness / (REACH * side) + (1 - likeness) / (REACH_OTHER * side)
    lost += (1 - 0.8 * likeness) * edges / EDGE * 128 / side
    passed = np.exp(-lost).astype(np.float32)
    weight, cross = seeds.astype(np.float32), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    for k in range(side):  # alternate squares and crosses: the result is nearly round
        weight = np.maximum(weight, passed * cv2.dilate(weight, np.ones((3, 3)) if k % 2 else cross))
    return np.asarray(weight, np.float32)


def _log_colours(image: Float[np.ndarray, "size size 3"]) -> Float[np.ndarray, "size size 3"]:
    """Log R/G, log B/G and log luminance of linear light; noise in dark pixels is damped."""
    linear = srgb_to_linear(image) + np.float32(0.004)
    log = np.log(linear)
    return np.stack([log[..., 0] - log[..., 1], log[..., 2] - log[..., 1], np.log(luminance(linear))], axis=-1)


def _likeness(colours: Float[np.ndarray, "size size 3"], known: Bool[np.ndarray, "size size"], brighter: bool) -> Grid:
    """1 where a pixel has the colours of the known pixels, falling to 0. Darker pixels count as shaded, not different.

    Args:
        colours: as `_log_colours`.
        known: pixels of the known colours.
        brighter: treat a brighter spot surrounded by similar pixels as a highlight.
    """
    seen = colours[known]
    centre = np.median(seen, axis=0)
    spread = 1.4826 * np.median(np.abs(seen - centre), axis=0) + np.array([0.04, 0.05, 0.25], np.float32)
    away = (colours - centre) / spread
    bright = away[..., 2] > 0
    away[..., 2] *= np.where(bright, 1.0, 0.5)
    likeness = (1 - smoothstep((np.sqrt(3 * mean_channel(away * away)) - 2.0) / 1.5)).astype(np.float32)
    if not brighter:
        return likeness
    width = 2 * round(HIGHLIGHT * len(likeness)) + 1
    closed = cv2.morphologyEx(likeness, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    return np.where(bright, closed, likeness)


def _near_box(mask: Bool[np.ndarray, "size size"], side: int) -> Grid:
    """1 in the box around the mask, falling to 0 at the distances `AWAY`."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    y, x = np.arange(len(mask))[:, None] / side, np.arange(len(mask)) / side
    aside = np.maximum(np.maximum(columns[0] / side - x, x - columns[-1] / side), 0) / AWAY[0]
    above, below = np.maximum(rows[0] / side - y, 0) / AWAY[1], np.maximum(y - rows[-1] / side, 0) / AWAY[2]
    return np.asarray(1 - smoothstep(np.hypot(aside, above + below)), np.float32)


def _outlined(mask: Bool[np.ndarray, "size size"]) -> Bool[np.ndarray, "size size"]:
    """The mask with its holes filled, as an open mouth belongs to the face."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, -1, 1, cv2.FILLED) > 0


def _core(face: Decomposition, wide: FaceCrop, what: What) -> Grid:
    """Mask of certain head on the wide grid, softened inside its edge; it overrides the guided filter and the matte.

    The face's own skin, and what the network calls hair or skin well within such a region: the segmenter of people
    misses hair that the photo's border cuts.
    """
    mask = _outlined(to_borders(surely(face.mask), face.crop)).astype(np.uint8)
    core = cv2.erode(mask, np.ones((3, 3), np.uint8))
    if what != "skin" and face.regions is not None:
        other = face.regions[..., [Region.BACKGROUND, Region.CLOTHES, Region.OBJECT]].sum(axis=-1)
        head = feathered(np.ascontiguousarray(1 - other), face.crop)
        sure = (to_borders(head, face.crop) > SURELY_HEAD).astype(np.uint8)
        width = 2 * round(WITHIN * face.crop.size) + 1
        core = np.maximum(core, cv2.erode(sure, np.ones((width, width), np.uint8)))
    return cv2.GaussianBlur(core.astype(np.float32), (0, 0), face.crop.size / 100)


def _guided(guide: Grid, target: Grid) -> tuple[Grid, Grid]:
    """Slope and offset of the target against the guide, in neighbourhoods of 1 / 128 of the side."""
    return grey_guided(guide.astype(np.float32), target, max(1, round(4 * len(guide) / 512)), _EDGE_VARIANCE)
