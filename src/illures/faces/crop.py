"""Alignment: from 68 points to the square crop, the same for photos, video frames and renders."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Num

from illures.errors import InputError
from illures.faces.contour import points68
from illures.io.photos import Photo, as_float
from illures.math.sampling import warp_affine
from illures.types import Face, FaceCrop

# FFHQ's rule (Karras et al. 2019, section "The FFHQ dataset") takes half side = max(2 |e2e|, 1.8 |e2m|) around
# eyes + 0.1 e2m. A tighter, lower square uses more pixels for the face: less hair, the whole chin.
TIGHTNESS = 0.85
CENTRE_BELOW_EYES = 0.3
# Margin that `in_sight` leaves around the photo: the reach of filters on the crop's grid [of its side].
_RIM = 0.03

Rect = tuple[int, int, int, int]  # x0, y0, x1, y1


def alignment(points: Float[np.ndarray, "68 2"], size: int) -> Float[np.ndarray, "2 3"]:
    """Similarity from image pixels to the pixels of the aligned square crop of side `size`.

    The x axis combines the line of the eyes with the line from eyes to mouth, and the scale is the larger of two
    lengths, so that roll and size are stable on profiles, where the eyes are close together.

    Args:
        points: iBUG landmarks [px]; only eyes (36-47) and mouth corners (48, 54) count.
        size: side of the crop [px].

    Raises:
        InputError: the points coincide or are not finite, or `size` is not positive.
    """
    if size < 1:
        raise InputError(f"crop size {size}: must be at least 1 pixel")
    points = np.asarray(points, np.float64)
    eye_left, eye_right = points[36:42].mean(0), points[42:48].mean(0)
    eyes, mouth = (eye_left + eye_right) / 2, (points[48] + points[54]) / 2
    e2e, e2m = eye_right - eye_left, mouth - eyes

    axis = e2e - np.array([-e2m[1], e2m[0]])
    length = math.hypot(*axis)
    half = TIGHTNESS * max(2.0 * math.hypot(*e2e), 1.8 * math.hypot(*e2m))
    if not (math.isfinite(half) and math.isfinite(length) and length > 0 and half > 0):
        raise InputError("landmarks: eyes and mouth coincide or are not finite, so they give no crop")

    # Pixel centres are integers: the crop spans [-0.5, size - 0.5].
    scale = size / (2 * half)
    cos, sin = axis / length
    rotation = scale * np.array([[cos, sin], [-sin, cos]])
    shift = (size - 1) / 2 - rotation @ (eyes + CENTRE_BELOW_EYES * e2m)
    return np.concatenate([rotation, shift[:, None]], axis=1).astype(np.float32)


def crop_face(face: Face, photo_size: tuple[int, int], size: int = 128) -> FaceCrop:
    """Aligned crop of a face; `photo_size` is (height, width) [px]."""
    matrix = alignment(points68(face.landmarks)[:, :2], size)
    return FaceCrop(matrix=matrix, size=size, photo_size=photo_size, face=face)


def at_size(crop: FaceCrop, size: int) -> FaceCrop:
    """The same square of the photo, sampled by `size` pixels a side."""
    if size < 1:
        raise InputError(f"crop size {size}: must be at least 1 pixel")
    factor = size / crop.size
    matrix = crop.matrix.astype(np.float64) * factor
    matrix[:, 2] += (factor - 1) / 2
    return FaceCrop(matrix=matrix.astype(np.float32), size=size, photo_size=crop.photo_size, face=crop.face)


def padded(crop: FaceCrop, margin: int) -> FaceCrop:
    """The crop with `margin` more pixels on every side, at the same scale."""
    matrix = crop.matrix.copy()
    matrix[:, 2] += margin
    return replace(crop, matrix=matrix, size=crop.size + 2 * margin)


def scale_of(crop: FaceCrop) -> float:
    """Crop pixels per photo pixel."""
    return float(math.hypot(crop.matrix[0, 0], crop.matrix[1, 0]))


def upright(crop: FaceCrop) -> Float[np.ndarray, "3 3"]:
    """Rotation about the line of sight from the crop's frame to the photo's."""
    cos, sin = crop.matrix[0, :2].astype(np.float64) / scale_of(crop)
    # crop = [[cos, sin], [-sin, cos]] photo with y down; its inverse with y up has the signs of the sines so.
    return np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def bounds(crop: FaceCrop) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the photo pixels around the turned crop (not clipped to the photo; ends exclusive)."""
    edge = crop.size - 0.5
    corners = to_photo(np.array([[-0.5, -0.5], [edge, -0.5], [-0.5, edge], [edge, edge]]), crop)
    x0, y0 = np.ceil(corners.min(0)).astype(int)
    side = int(np.ceil(np.ptp(corners, axis=0).max()))
    return int(x0), int(y0), int(x0) + side, int(y0) + side


def inside(rect: Rect, photo: Photo) -> Rect:
    """The part of a rectangle (x0, y0, x1, y1) that lies in the photo."""
    height, width = photo.shape[:2]
    x0, y0, x1, y1 = rect
    return max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)


def in_photo(crop: FaceCrop) -> Bool[np.ndarray, "size size"]:
    """Mask of the pixels of a crop with their centres in the photo."""
    height, width = crop.photo_size
    x = np.arange(crop.size, dtype=np.float64)
    y = x[:, None]
    (a, b, c), (d, e, f) = inverse(crop)
    column, row = (a * x + c) + b * y, (d * x + f) + e * y
    # A crop's matrix has the precision of float32.
    rim = 0.499
    across, down = (column > -rim) & (column < width - 1 + rim), (row > -rim) & (row < height - 1 + rim)
    return np.asarray(across & down)


def in_sight(crop: FaceCrop) -> tuple[FaceCrop, tuple[slice, slice]]:
    """The part of a crop, as a square, that has the photo and a rim around it, and its rows and columns."""
    height, width = crop.photo_size
    corners = to_crop(np.array([[x, y] for x in (-0.5, width - 0.5) for y in (-0.5, height - 0.5)]), crop)
    rim = math.ceil(_RIM * crop.size)
    low = np.clip(np.floor(corners.min(0)).astype(int) - rim, 0, crop.size - 1)
    high = np.clip(np.ceil(corners.max(0)).astype(int) + rim + 1, low + 1, crop.size)
    side = int((high - low).max())
    x, y = (int(v) for v in np.minimum(low, crop.size - side))
    matrix = crop.matrix.copy()
    matrix[:, 2] -= (x, y)
    return replace(crop, matrix=matrix, size=side), (slice(y, y + side), slice(x, x + side))


def inverse(crop: FaceCrop) -> Float[np.ndarray, "2 3"]:
    """Similarity from crop pixels to photo pixels (float64)."""
    return _inverted(crop.matrix)


def to_crop(points: Float[np.ndarray, "n d"], crop: FaceCrop) -> Float[np.ndarray, "n d"]:
    """Photo points (x, y) or (x, y, z) [photo px] to crop pixels; z is only scaled."""
    return _transform(points, crop.matrix.astype(np.float64))


def to_photo(points: Float[np.ndarray, "n d"], crop: FaceCrop) -> Float[np.ndarray, "n d"]:
    """The inverse of `to_crop`."""
    return _transform(points, inverse(crop))


def check_photo(crop: FaceCrop, photo: Photo) -> None:
    """Raise an InputError unless the crop is of a photo of this size."""
    if photo.shape[:2] != tuple(crop.photo_size):
        height, width = crop.photo_size
        found = f"{photo.shape[1]} x {photo.shape[0]}"
        raise InputError(f"photo: {found} pixels, but the face was found in one of {width} x {height}")


def extract(photo: Num[np.ndarray, "height width *channels"], crop: FaceCrop) -> Num[np.ndarray, "size size *channels"]:
    """The crop's pixels, same dtype as the photo; see `warp`.

    The photo is mirrored at its border, so that a face that fills the frame has no black wedge.
    """
    return warp(photo, crop.matrix, crop.size, cv2.BORDER_REFLECT_101)


def extract_float(
    photo: Num[np.ndarray, "height width *channels"], crop: FaceCrop
) -> Float[np.ndarray, "size size *channels"]:
    """As `extract`, but float32 in [0, 1] that is not rounded to 8-bit codes.

    Rounded codes depend on the CPU in a few pixels, where the last bits of a float decide between two codes.
    """
    return warp(photo, crop.matrix, crop.size, cv2.BORDER_REFLECT_101, rounded=False)


def warp(
    photo: Num[np.ndarray, "height width *channels"],
    matrix: Float[np.ndarray, "2 3"],
    size: int,
    border: int,
    rounded: bool = True,
) -> Num[np.ndarray, "size size *channels"]:
    """Warp a photo to a square of `size` pixels by the similarity `matrix` (photo to square).

    If the square is coarser than the photo, the photo pixels under each of its pixels are averaged (in the encoding
    of the photo); if it is finer, interpolation is bilinear.

    Args:
        photo: of any type.
        matrix: takes pixels of the photo to those of the square.
        size: of the square [px].
        border: OpenCV's mode outside the photo.
        rounded: keep the photo's type; else float32 in [0, 1] (see `extract_float`), made from 16-bit codes
            where the photo has 8: as good as floats, and faster.
    """
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    shrink = max(1, int(0.5 / scale))
    window, (x, y) = _window(photo, matrix, size, shrink)
    if shrink > 1:
        # Whole blocks only: OpenCV averages integer factors exactly and fast.
        rows, columns = window.shape[0] // shrink, window.shape[1] // shrink
        window = cv2.resize(window[: rows * shrink, : columns * shrink], (columns, rows), interpolation=cv2.INTER_AREA)
    if not rounded and window.dtype == np.uint8:
        window = window.astype(np.uint16) * np.uint16(257)
    centre = (shrink - 1) / 2
    moved = np.vstack([matrix, [0, 0, 1]]) @ _affine(shrink, x + centre, y + centre)

    # The remaining factor, at most 4, is averaged after the warp.
    oversample = max(1, math.ceil(1 / (scale * shrink) - 1e-6))
    moved = _affine(oversample, (oversample - 1) / 2, (oversample - 1) / 2) @ moved
    side = size * oversample
    warped = warp_affine(window, moved[:2], (side, side), border, inverse=False)
    if oversample > 1:
        warped = cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA)
    if not rounded:
        warped = as_float(warped)
    return np.asarray(warped).reshape(size, size, *photo.shape[2:])


def _window(photo: np.ndarray, matrix: np.ndarray, size: int, shrink: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Part of the photo under the square, and the (x, y) of its first pixel; never empty, for mirroring.

    It begins at a multiple of `shrink`, so that the blocks that are averaged lie on one grid of the photo: else they
    would all move when the square moves by a hair.
    """
    height, width = photo.shape[:2]
    corners = _transform(np.array([[-1, -1], [size, -1], [-1, size], [size, size]], np.float64), _inverted(matrix))
    margin, least = 2 * shrink + 2, 4 * shrink
    low, high = np.floor(corners.min(0)) - margin, np.ceil(corners.max(0)) + margin
    x0, x1 = (int(np.clip(v, 0, width)) for v in (min(low[0], width - least), max(high[0], least)))
    y0, y1 = (int(np.clip(v, 0, height)) for v in (min(low[1], height - least), max(high[1], least)))
    x0, y0 = x0 - x0 % shrink, y0 - y0 % shrink
    return np.ascontiguousarray(photo[y0:y1, x0:x1]), (x0, y0)


def _inverted(matrix: np.ndarray) -> Float[np.ndarray, "2 3"]:
    linear, shift = matrix[:, :2].astype(np.float64), matrix[:, 2].astype(np.float64)
    back = np.linalg.inv(linear)
    return np.concatenate([back, -(back @ shift)[:, None]], axis=1)


def _affine(scale: float, x: float, y: float) -> Float[np.ndarray, "3 3"]:
    return np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]], np.float64)


def _transform(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    moved = np.asarray(points, np.float64).copy()
    moved[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    moved[:, 2:] *= math.hypot(matrix[0, 0], matrix[1, 0])
    return moved.astype(points.dtype) if np.issubdtype(points.dtype, np.floating) else moved
