"""Skin masks, from the classes of the network or from the landmark mesh."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from illures.faces.mesh import mesh_mask
from illures.math.curves import smoothstep
from illures.types import Region

# The inner edge of the lips in the MediaPipe mesh, in order.
LIPS_INSIDE = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
UPPER_INSIDE, LOWER_INSIDE = 13, 14  # the middle of that edge
_OF_SKIN = (Region.SKIN, Region.LIPS, Region.FACIAL_HAIR, Region.EYES)
_TOUCHING = 0.25  # probability from which skin pixels are connected
# Bars are looked for at this size: at others, the ringing of a JPEG would have other slopes.
_BARS_PX = 128
_PLAIN = 6 / 255  # variation within one colour after JPEG
_RINGING = 20 / 255
_LEAST_BAR = 0.006  # of the crop's area
_FULL = 0.9  # share of its (rotated) bounding rectangle that a bar fills
LEAST_OPENING = 0.02  # of the crop's side, from which a mouth counts as open


def face_mask(
    image: Float[np.ndarray, "size size 3"], landmarks: Float[np.ndarray, "478 3"]
) -> Float[np.ndarray, "size size"]:
    """1 on the face, 0 elsewhere.

    Args:
        image: aligned crop, sRGB-encoded, in [0, 1].
        landmarks: in the crop's pixels (as `to_crop` gives them).
    """
    size = image.shape[0]
    mask = mesh_mask(landmarks, size)
    # Between closed lips is a line, not an opening: cutting it out would tear the lips.
    opening = np.linalg.norm(landmarks[UPPER_INSIDE, :2] - landmarks[LOWER_INSIDE, :2])
    if opening < LEAST_OPENING * size:
        return mask
    corners = np.clip(landmarks[list(LIPS_INSIDE), :2], -4 * size, 5 * size)
    cv2.fillPoly(mask, [np.rint(corners * 16).astype(np.int32)], 0.0, cv2.LINE_8, 4)
    return mask


def skin_mask(
    regions: Float[np.ndarray, "size size classes"], landmarks: Float[np.ndarray, "478 3"]
) -> Float[np.ndarray, "size size"]:
    """Skin of face, ears and neck with lips, brows, beard and eyes, soft at its edges, in [0, 1].

    Without hair, fringes, glasses, hands and the inner mouth; other people in the crop only where they touch.

    Args:
        regions: probabilities of the classes of `types.Region`.
        landmarks: in the crop's pixels.
    """
    mask = regions[..., list(_OF_SKIN)].sum(axis=-1)
    count, pieces = cv2.connectedComponents((mask > _TOUCHING).astype(np.uint8))
    ours = np.unique(pieces[(mesh_mask(landmarks, len(mask)) > 0) & (pieces > 0)])
    apart = np.isin(pieces, np.setdiff1d(np.arange(1, count), ours))
    return np.where(apart, 0, np.clip(mask, 0, 1)).astype(np.float32)


def painted_over(
    image: Float[np.ndarray, "size size 3"], landmarks: Float[np.ndarray, "478 3"]
) -> Float[np.ndarray, "size size"]:
    """1 on bars and boxes of one colour that were painted over the face, 0 elsewhere, soft at their edges.

    Real surfaces never have one code over such an area with straight edges at right angles, not even clipped shadows
    and highlights.

    Args:
        image: aligned crop, sRGB-encoded, in [0, 1].
        landmarks: in the crop's pixels.
    """
    size = min(len(image), _BARS_PX)
    found = _bars(_resized(image, size), mesh_mask(landmarks * (size / len(image)), size) > 0)
    # The edge is a pixel or two wide.
    wide = cv2.dilate(found, np.ones((5, 5), np.uint8)).astype(np.float32)
    return _resized(cv2.blur(wide, (3, 3)), len(image))


def _resized(image: Float[np.ndarray, "h w *channels"], size: int) -> Float[np.ndarray, "size size *channels"]:
    how = cv2.INTER_AREA if size < len(image) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(image, np.float32), (size, size), interpolation=how))


def _bars(
    image: Float[np.ndarray, "size size 3"], face: Bool[np.ndarray, "size size"]
) -> UInt8[np.ndarray, "size size"]:
    """1 on rectangles of one colour that lie on the face."""
    size = len(image)
    around = np.ones((3, 3), np.uint8)
    plain = ((cv2.dilate(image, around) - cv2.erode(image, around)).max(-1) <= _PLAIN).astype(np.uint8)
    count, pieces, figures, _ = cv2.connectedComponentsWithStats(plain, connectivity=4)
    found = np.zeros((size, size), np.uint8)
    for piece in range(1, count):
        if figures[piece, cv2.CC_STAT_AREA] < _LEAST_BAR * size * size:
            continue
        seed = pieces == piece
        if np.ptp(image[seed], axis=0).max() > 2 * _PLAIN:
            continue
        # JPEG ringing at the edges: no longer constant, but nearly of the same colour.
        near = np.abs(image - np.median(image[seed], axis=0)).max(-1) <= _RINGING
        of_colour = cv2.connectedComponents(near.astype(np.uint8), connectivity=4)[1]
        here = of_colour == np.bincount(of_colour[seed & near]).argmax()
        if (here & face).mean() < _LEAST_BAR / 2:
            continue
        # A plain backdrop and skin of its colour are connected, too. But then most of the region is far from the plain
        # part.
        reach = cv2.dilate(seed.astype(np.uint8), np.ones((size // 8 + 1, size // 8 + 1), np.uint8))
        if (here & (reach == 0)).sum() > (1 - _FULL) * here.sum():
            continue
        if _filled(here) >= _FULL:
            found |= here.astype(np.uint8)
    return found


def _filled(shape: Bool[np.ndarray, "size size"]) -> float:
    """Share of the smallest rectangle around a shape, at any angle, that the shape fills.

    Spurs are removed first: a lash or an edge of hair often has nearly the colour of the bar.
    """
    body = cv2.morphologyEx(shape.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, pieces, figures, _ = cv2.connectedComponentsWithStats(body, connectivity=4)
    if count == 1:
        return 0.0
    largest = (pieces == 1 + np.argmax(figures[1:, cv2.CC_STAT_AREA])).astype(np.uint8)
    outline = cv2.findContours(largest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0]
    (_, _), (a, b), _ = cv2.minAreaRect(outline)
    return float(largest.sum() / ((a + 1) * (b + 1)))


def soften(mask: Float[np.ndarray, "h w"], width: float) -> Float[np.ndarray, "h w"]:
    """The mask with an edge that falls from 1 to 0 over `width` pixels, inside the mask.

    Args:
        mask: of 0 and 1.
        width: of the edge [px].
    """
    # A frame of zeros: the edge of the image is an edge of the mask, too.
    framed = cv2.copyMakeBorder((mask > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    return np.asarray(smoothstep(distance / max(width, 1e-6)), dtype=np.float32)
