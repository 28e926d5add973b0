"""Shared by `repaint` and `retexture`: the slope of melanin, burnt pixels, and soft edges of classes."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

# Log albedo from light skin to dark, in units of green: the slope of the curve of tones in `synth.skin.tone`.
MELANIN = np.array([0.87, 1.0, 1.07])
BURNT = 0.9  # image values from which light and albedo become uncertain


def burnt(image: Float[Tensor, "batch height width 3"]) -> Float[Tensor, "batch height width 1"]:
    """Degree of overexposure of each pixel of linear images, from 0 at `BURNT` to 1 at white."""
    return ((image.amax(dim=-1, keepdim=True) - BURNT) / (1 - BURNT)).clamp(0, 1)


def softened(values: Float[Tensor, "batch height width channels"]) -> Float[Tensor, "batch height width channels"]:
    """Maps of classes, as pixels on an edge show both sides: the mean of 3 x 3 pixels."""
    return box_mean(values, 1)


def box_mean(
    values: Float[Tensor, "batch height width channels"], reach: int
) -> Float[Tensor, "batch height width channels"]:
    """Mean of the square of pixels within `reach`; pixels on the border go on beyond it.

    By OpenCV, whose running sums take the same time for any size: the pooling of PyTorch took a fifth of a training.
    """
    side = (2 * reach + 1,) * 2
    means = [cv2.blur(field, side, borderType=cv2.BORDER_REPLICATE) for field in values.contiguous().numpy()]
    return torch.from_numpy(np.stack(means)).reshape(values.shape)
