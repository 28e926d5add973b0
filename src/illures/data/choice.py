"""Selection of frames of a clip: their quality, and the distance between two of them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from illures.faces.atlas import head_rotation
from illures.faces.mesh import mesh_normals
from illures.faces.pose import SURFACE, pose_free
from illures.io.photos import as_linear
from illures.math.color import luminance
from illures.math.sh import basis

# Scales: each is a distance of 1 between two frames.
POSE_DEG = 12.0  # angle between the directions in which the head looks
SHAPE = 0.04  # RMS move of brows, eyes, nose and lips, in shares of the face's radius
LIGHT = 0.12  # of the SH terms of order one of luminance, relative to its mean
BRIGHTNESS = 1.0  # in log exposure (a factor e), as much of it is due to the camera
COLOUR = 0.2  # in the logs of red / green and blue / green

_LIGHT_SIZE = 64  # the light is fitted at this size [px]
_RIDGE = 0.05  # of the terms of order one
_WHITE, _BLACK = 253, 8  # codes of 255 from which a channel counts as clipped, up to which a pixel counts as black
_DARK = 10.0  # code below which noise would count as detail
_JAW = 0.5  # of the weight of other points: the jaw line jitters


@dataclass(frozen=True)
class Quality:
    """Measures of one crop.

    Attributes:
        sharpness: mean contrast of fine detail on the face; comparable within a clip only.
        clipped: share of the face in which a channel is at its end.
        black: share of the face without any light.
    """

    sharpness: float
    clipped: float
    black: float


def measure(image: UInt8[np.ndarray, "size size 3"], mask: Float[np.ndarray, "size size"]) -> Quality:
    """Sharpness and exposure of the face in an aligned crop (sRGB)."""
    face = mask > 0.5
    inner = cv2.erode(face.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if not inner.any():
        return Quality(0.0, 1.0, 1.0)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    # Relative to the brightness around, so that a change of light is no change of sharpness.
    around = cv2.GaussianBlur(grey, (0, 0), image.shape[0] / 16) + _DARK
    fine = cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 0.8), cv2.CV_32F) / around
    sharpness = float(np.abs(fine[inner]).mean())
    pixels = image[face]
    return Quality(sharpness, float((pixels.max(1) >= _WHITE).mean()), float((pixels.max(1) <= _BLACK).mean()))


def describe(
    image: UInt8[np.ndarray, "size size 3"],
    landmarks: Float[np.ndarray, "478 3"],
    mask: Float[np.ndarray, "size size"],
) -> Float[np.ndarray, " features"]:
    """A descriptor whose Euclidean distance measures change of pose, expression and light; 1 is a clear change.

    Only frames of one person can be compared: the shape of a face counts as expression, its albedo as light.

    Args:
        image: aligned crop (sRGB).
        landmarks: in the crop's pixels.
        mask: of the face.

    Returns:
        Three numbers for the direction of the head, those of the shape, six for the light.
    """
    looks = head_rotation(landmarks)[:, 2] * np.rad2deg(1) / POSE_DEG
    moved = pose_free(landmarks)[_FEATURES] * _WEIGHTS[:, None]
    shape = moved.ravel() / np.sqrt((_WEIGHTS**2).sum()) / SHAPE
    return np.concatenate([looks, shape, _light(image, landmarks, mask)]).astype(np.float32)


def farthest(features: Float[np.ndarray, "n features"], first: int, count: int, least: float) -> Int[np.ndarray, " k"]:
    """Farthest-point sampling (Gonzalez 1985): each frame is the farthest from all chosen before.

    Args:
        features: of `describe`.
        first: index to begin with.
        count: of indices, at most.
        least: stop when the next one would be closer than this.

    Returns:
        Indices in the order of their choice.
    """
    chosen = [first]
    nearest = np.linalg.norm(features - features[first], axis=1)
    while len(chosen) < count:
        best = int(nearest.argmax())
        if nearest[best] < max(least, 1e-9):
            break
        chosen.append(best)
        nearest = np.minimum(nearest, np.linalg.norm(features - features[best], axis=1))
    return np.array(chosen)


def _light(image: np.ndarray, landmarks: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Direction of the light, brightness and colour, from a fit of low-order SH to the face's luminance."""
    small = cv2.resize(image, (_LIGHT_SIZE, _LIGHT_SIZE), interpolation=cv2.INTER_AREA)
    scale = _LIGHT_SIZE / image.shape[0]
    moved = landmarks * np.float32(scale)
    moved[:, :2] += (scale - 1) / 2
    normal = mesh_normals(moved, _LIGHT_SIZE)
    inside = cv2.resize(mask, (_LIGHT_SIZE, _LIGHT_SIZE), interpolation=cv2.INTER_AREA) > 0.9
    use = inside & (normal[..., 2] > 0.1)
    if use.sum() < 9:
        return np.zeros(6)
    colour = as_linear(small)[use].astype(np.float64) + 1e-3
    bright = luminance(colour)
    # Bands 0 and 1 alone, and these held: the normals of half a sphere say little about the rest.
    design = basis(normal[use].astype(np.float64))[:, :4] / basis(np.array([0.0, 0.0, 1.0]))[0]
    gram = design.T @ design / len(design) + np.diag([0.0, *[_RIDGE] * 3])
    tilt = np.linalg.solve(gram, design.T @ (bright / bright.mean()) / len(design))[1:]
    red, green, blue = np.log(colour.mean(0))
    return np.array([*tilt / LIGHT, (red - green) / COLOUR, (blue - green) / COLOUR, green / BRIGHTNESS])


def _features() -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Indices of brows, eyes, nose, lips and jaw in the dense mesh, and their weights."""
    from illures.faces.contour import INDICES

    weights = np.where(np.arange(68) < 17, _JAW, 1.0)
    kept = INDICES < SURFACE
    return INDICES[kept], weights[kept]


_FEATURES, _WEIGHTS = _features()
