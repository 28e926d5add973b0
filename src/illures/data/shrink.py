"""Downsample samples, so that networks of 128 px can use renders of 256 px."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import UInt8

from illures.errors import InputError
from illures.faces.contour import draw_contour, points68
from illures.math.normals import normalize
from illures.render import render
from illures.types import Region, Sample


def shrunk(sample: Sample, size: int) -> Sample:
    """Downsample every map by averaging over blocks, as a camera with fewer pixels.

    Args:
        sample: square.
        size: side of the result [px]; divides that of the sample.

    Raises:
        InputError: it does not.
    """
    before = sample.image.shape[0]
    if before == size:
        return sample
    if before % size:
        raise InputError(f"sample of identity {sample.identity}: {before} px can't be shrunk to {size} px")
    surface = (np.abs(sample.normal).sum(-1) > 0).astype(np.float32)
    share = _mean(surface, size)[..., None]
    seen = share > 0.5 - 1e-6
    image = _mean(sample.image, size)
    # Over the surface alone; the background has no albedo and no normal.
    albedo = np.where(seen, _mean(sample.albedo * surface[..., None], size) / np.maximum(share, 1e-6), 0)
    normal = np.where(seen, normalize(_mean(sample.normal, size)), 0).astype(np.float32)
    landmarks = ((sample.landmarks + [0.5, 0.5, 0]) * (size / before) - [0.5, 0.5, 0]).astype(np.float32)
    return replace(
        sample,
        image=image,
        albedo=albedo.astype(np.float32),
        normal=normal,
        residual=image - render(albedo.astype(np.float32), normal, sample.light),
        mask=_mean(sample.mask.astype(np.float32), size) > 0.5,
        region=most_common(sample.region, size),
        landmarks=landmarks,
        contour=draw_contour(points68(landmarks), size),
    )


def most_common(region: UInt8[np.ndarray, "height width"], size: int) -> UInt8[np.ndarray, "size size"]:
    """The region that fills most of each block; the first of equals."""
    shares = np.stack([_mean((region == one).astype(np.float32), size) for one in Region])
    return shares.argmax(0).astype(np.uint8)


def _mean(values: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(cv2.resize(values, (size, size), interpolation=cv2.INTER_AREA), np.float32)
