"""Which pixels around the face are its skin: forehead, ears, neck.

Colour says it, on a coarse grid: from the mask outward, over what looks like the face's skin far, over the rest hardly,
across edges of colour even less. A guided filter (He and Sun, "Fast Guided Filter", 2015) brings it to the photo's
pixels and along its edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from illures.decomposition import Decomposition
from illures.faces import at_size, extract, mesh_mask, to_crop
from illures.images import Photo, as_float
from illures.math.color import luminance, srgb_to_linear
from illures.relighting.photogrid import Rect, finer, inside, over_bands, warped
from illures.types import FaceCrop
from illures.upsample import FINER, bounds

# The grid around the face that skin is sought on: this part of the crop's side is added on every side.
MARGIN = 0.5
# How far the relighting spreads from the mask until it has fallen to 1/e [crop sides]: over skin, and over what is not
# skin, or every hair at the forehead would stand out.
REACH_SKIN = 0.6
REACH_OTHER = 0.012
# On a grid this many times finer, what is not of the skin's colour keeps but this part of its weight: no halos.
DETAIL, OTHER = 2, 0.2
# Farther from the box around the mask than this there is no skin of this head: aside, above, below [crop sides].
AWAY = (0.13, 0.35, 0.6)
# An edge of this contrast (in log colour, from pixel to pixel) lets 1/e of it through.
EDGE = 0.5
# What is brighter than the skin and surrounded by it is a highlight up to this radius [part of the grid's side].
HIGHLIGHT = 0.03
_AXES = ((1, 0), (0, 1))
# The chin's shadow on the neck is an edge of brightness alone, and no end of the skin.
_EDGE_SHARES = np.array([1, 1, 0.3], np.float32)


def skin_around(
    photo: Photo, face: Decomposition, others: Sequence[FaceCrop]
) -> tuple[Rect, UInt8[np.ndarray, "rows columns"]]:
    """`skin_weight` at the photo's pixels (255 is 1), following its edges, and the rectangle that it covers.

    Args:
        photo: sRGB-encoded.
        face: whose skin it is.
        others: crops of the photo's other faces.
    """
    wide = widened(face.crop)
    x0, y0, x1, y1 = outer = inside(bounds(wide), photo)
    small = np.clip(as_float(extract(photo, wide)), 0, 1)
    detail = at_size(wide, DETAIL * wide.size)
    weight, guide = _detailed(
        skin_weight(small, face, wide, others), np.clip(as_float(extract(photo, detail)), 0, 1), face
    )
    slope, offset = (finer(v, FINER // DETAIL) for v in _guided(guide, weight))
    core = finer(_core(face, wide))
    fine = at_size(wide, len(core))
    around = np.empty((y1 - y0, x1 - x0), np.uint8)

    def fill(rows: slice) -> None:
        bright = luminance(as_float(photo[rows, x0:x1]))
        a, b, least = (warped(v, fine, (x0, rows.start), bright.shape) for v in (slope, offset, core))
        share = np.maximum(np.clip(a * bright + b, 0, 1), np.clip(least, 0, 1))
        around[rows.start - y0 : rows.stop - y0] = np.round(share * 255)

    over_bands(slice(y0, y1), fill)
    return outer, around


def skin_weight(
    image: Float[np.ndarray, "size size 3"], face: Decomposition, wide: FaceCrop, others: Sequence[FaceCrop]
) -> Float[np.ndarray, "size size"]:
    """How much of the relighting a pixel of the wide grid takes: 1 on the face, less on skin the farther it is.

    Args:
        image: the photo on the wide grid, sRGB-encoded.
        face: whose mask and colours count.
        wide: the wide grid.
        others: crops of the photo's other faces, which are not touched.
    """
    pad, side = (wide.size - face.crop.size) // 2, face.crop.size
    mask = _outlined(np.pad(face.mask, pad) > 0.5)
    colours = _log_colours(cv2.GaussianBlur(image, (0, 0), side / 128))
    edges = sum(np.abs(cv2.Sobel(colours, cv2.CV_32F, *d, ksize=3, scale=1 / 8)) @ _EDGE_SHARES for d in _AXES)
    skin = _skin_likeness(colours, mask)
    lost = skin / (REACH_SKIN * side) + (1 - skin) / (REACH_OTHER * side)
    lost += (1 - 0.8 * skin) * edges / EDGE * 128 / side
    passed = np.exp(-lost).astype(np.float32)
    weight, cross = mask.astype(np.float32), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    for k in range(side):  # squares and crosses in turn: the reach is nearly round
        weight = np.maximum(weight, passed * cv2.dilate(weight, np.ones((3, 3)) if k % 2 else cross))
    weight *= _near_box(mask, side)
    for other in others:
        taken = mesh_mask(to_crop(other.face.landmarks, wide), wide.size)
        weight = np.where((taken > 0) & ~mask, 0, weight)
    return np.asarray(weight, np.float32)


def _detailed(
    weight: Float[np.ndarray, "size size"], image: Float[np.ndarray, "fine fine 3"], face: Decomposition
) -> tuple[Float[np.ndarray, "fine fine"], Float[np.ndarray, "fine fine"]]:
    """The weight on a finer grid, less where the colours of that grid are not the skin's, and the guide there."""
    size = len(image)
    mask = np.pad(face.mask, (len(weight) - face.crop.size) // 2)
    inside = _outlined(cv2.resize(mask, (size, size), interpolation=cv2.INTER_LINEAR) > 0.5)
    likeness = _skin_likeness(_log_colours(cv2.GaussianBlur(image, (0, 0), 1)), inside)
    smooth = cv2.resize(weight, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.where(inside, smooth, smooth * (OTHER + (1 - OTHER) * likeness)), luminance(image)


def widened(crop: FaceCrop) -> FaceCrop:
    """The crop with a margin on every side, at the same scale."""
    pad = round(MARGIN * crop.size)
    matrix = crop.matrix.copy()
    matrix[:, 2] += pad
    return replace(crop, matrix=matrix, size=crop.size + 2 * pad)


def _log_colours(image: Float[np.ndarray, "size size 3"]) -> Float[np.ndarray, "size size 3"]:
    """Log R/G, log B/G and log luminance of linear light; noise in the dark is damped."""
    linear = srgb_to_linear(image) + np.float32(0.004)
    log = np.log(linear)
    return np.stack([log[..., 0] - log[..., 1], log[..., 2] - log[..., 1], np.log(luminance(linear))], axis=-1)


def _skin_likeness(
    colours: Float[np.ndarray, "size size 3"], mask: Bool[np.ndarray, "size size"]
) -> Float[np.ndarray, "size size"]:
    """1 where a pixel has the colour of the face's skin, falling to 0; shade makes skin darker, not another colour."""
    skin = colours[mask]
    centre = np.median(skin, axis=0)
    spread = 1.4826 * np.median(np.abs(skin - centre), axis=0) + np.array([0.04, 0.05, 0.25], np.float32)
    away = (colours - centre) / spread
    bright = away[..., 2] > 0
    away[..., 2] *= np.where(bright, 1.0, 0.5)
    likeness = (1 - _smooth((np.linalg.norm(away, axis=-1) - 2.0) / 1.5)).astype(np.float32)
    # Highlights have the light's colour, but lie on skin.
    width = 2 * round(HIGHLIGHT * len(likeness)) + 1
    around = cv2.morphologyEx(likeness, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    return np.where(bright, around, likeness)


def _near_box(mask: Bool[np.ndarray, "size size"], side: int) -> Float[np.ndarray, "size size"]:
    """1 in the box around the mask, falling to 0 at the distances `AWAY`."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    y, x = np.arange(len(mask))[:, None] / side, np.arange(len(mask)) / side
    aside = np.maximum(np.maximum(columns[0] / side - x, x - columns[-1] / side), 0) / AWAY[0]
    above, below = np.maximum(rows[0] / side - y, 0) / AWAY[1], np.maximum(y - rows[-1] / side, 0) / AWAY[2]
    return np.asarray(1 - _smooth(np.hypot(aside, above + below)), np.float32)


def _outlined(mask: Bool[np.ndarray, "size size"]) -> Bool[np.ndarray, "size size"]:
    """The mask with its holes filled: an open mouth belongs to the face."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, -1, 1, cv2.FILLED) > 0


def _core(face: Decomposition, wide: FaceCrop) -> Float[np.ndarray, "size size"]:
    """The face's own mask on the wide grid, softened inside its edge: there the guided filter has no say."""
    pad = (wide.size - face.crop.size) // 2
    mask = _outlined(np.pad(face.mask, pad) > 0.5).astype(np.float32)
    return cv2.GaussianBlur(cv2.erode(mask, np.ones((3, 3), np.uint8)), (0, 0), face.crop.size / 100)


def _guided(guide: np.ndarray, target: np.ndarray, eps: float = 0.03**2) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset of the target against the guide in each neighbourhood (He and Sun 2015)."""
    radius = max(1, round(4 * len(guide) / 512))

    def mean(field: np.ndarray) -> np.ndarray:
        return cv2.blur(field, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT_101)

    guide = guide.astype(np.float32)
    mean_guide, mean_target = mean(guide), mean(target)
    slope = (mean(guide * target) - mean_guide * mean_target) / (mean(guide * guide) - mean_guide**2 + eps)
    return mean(slope), mean(mean_target - slope * mean_guide)


def _smooth(t: np.ndarray) -> np.ndarray:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
