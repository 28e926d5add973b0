"""Image similarity: PSNR and SSIM over the pixels of a mask."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float

_SIGMA, _RADIUS = 1.5, 5  # pixels: Wang et al. 2004, an 11 x 11 Gaussian window


def psnr_db(
    found: Float[np.ndarray, "height width *channels"],
    true: Float[np.ndarray, "height width *channels"],
    mask: Bool[np.ndarray, "height width"],
) -> float:
    """Peak signal-to-noise ratio of images in [0, 1] over the pixels of a mask [dB]; nothing is aligned or scaled."""
    error = np.mean((found[mask].astype(np.float64) - true[mask]) ** 2)
    return float(-10 * np.log10(max(error, 1e-10)))


def ssim(
    found: Float[np.ndarray, "height width *channels"],
    true: Float[np.ndarray, "height width *channels"],
    mask: Bool[np.ndarray, "height width"],
) -> float:
    """Structural similarity of images in [0, 1], its map averaged over a mask (and channels); nothing is aligned.

    Wang et al., IEEE TIP 2004: Gaussian window of 1.5 pixels, K = (0.01, 0.03), population covariance. Windows at the
    edge of the mask see what is beyond it.
    """
    a, b = found.astype(np.float32), true.astype(np.float32)
    mean_a, mean_b = _window(a), _window(b)
    variance = _window(a * a) - mean_a**2 + _window(b * b) - mean_b**2
    covariance = _window(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity /= (mean_a**2 + mean_b**2 + c1) * (variance + c2)
    return float(similarity[mask].mean(dtype=np.float64))


def _window(image: np.ndarray) -> np.ndarray:
    side = 2 * _RADIUS + 1
    return cv2.GaussianBlur(image, (side, side), _SIGMA, borderType=cv2.BORDER_REFLECT)
