"""Shared by `repaint` and `retexture`: the slope of melanin, burnt pixels, and soft edges of classes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

# Log albedo from light skin to dark, in units of green: the slope of the curve of tones in `synth.skin.tone`.
MELANIN = np.array([0.87, 1.0, 1.07])
BURNT = 0.9  # image values from which light and albedo become uncertain


def burnt(image: Float[Tensor, "batch height width 3"]) -> Float[Tensor, "batch height width 1"]:
    """Degree of overexposure of each pixel of linear images, from 0 at `BURNT` to 1 at white."""
    return ((image.amax(dim=-1, keepdim=True) - BURNT) / (1 - BURNT)).clamp(0, 1)


def softened(values: Float[Tensor, "batch height width channels"]) -> Float[Tensor, "batch height width channels"]:
    """Maps of classes, as pixels on an edge show both sides: the mean of 3 x 3 pixels."""
    grown = pad(values.permute(0, 3, 1, 2), (1, 1, 1, 1), mode="replicate")
    return avg_pool2d(grown, 3, stride=1).permute(0, 2, 3, 1)
