"""GeomConsistentFR (Hou et al., "Face Relighting with Geometrically Consistent Shadows", CVPR 2022).

The folder is their repository, or holds the `model_epoch99.pth` of its `model/`: a PyTorch state dict. The encoder
and the two decoders are run here straight from it, by their published layer names; depth gives normals as their code
has it (a camera of focal length 1570 px at 1610 px). One lamp and an even light are estimated; relighting is by a
ratio of shadings.
"""

from __future__ import annotations

from math import pi, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from jaxtyping import Float

from illures.errors import InputError
from illures.evaluate.benchmark import Estimate
from illures.evaluate.methods.folders import find_file, import_torch, read_tensors
from illures.evaluate.methods.geometry import explain
from illures.evaluate.methods.query import FFHQ_WIDER, Query, spread, spread_normals
from illures.faces import upright
from illures.math import sh
from illures.math.color import srgb_to_linear
from illures.math.normals import normalize
from illures.relighting.lamps import Lamp

if TYPE_CHECKING:
    import torch

_SIZE = 256
_FOCAL, _DISTANCE, _DEPTH_UNIT = 1570.0, 1610.0, 100.0
_LAMP = 0.5  # their `directional_intensity`
_IDENTITY = 128  # channels of the innermost features; the other 27 are of light
_LAYERS = ("conv_c1_og", "conv_h4_2", "linear_SL1", "linear_SL2", "conv_albedo_c2_o", "conv_depth_c2_o")


def load(folder: Path) -> GeomConsistentRival:
    """Read the weights.

    Raises:
        InputError: the folder does not hold them.
    """
    path = find_file(folder, "model_epoch99.pth", "model/model_epoch99.pth", "*.pth")
    tensors = read_tensors(path)
    missing = [f"{name}.weight" for name in _LAYERS if f"{name}.weight" not in tensors]
    if missing:
        raise InputError(f"{path}: lacks the tensor {missing[0]}")
    return GeomConsistentRival(tensors)


class GeomConsistentRival:
    """Normals, albedo and light; its equation holds for gamma-encoded images, as SfSNet's."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self._torch, self._network = import_torch("geomconsistent"), Network(tensors)

    def estimate(self, query: Query) -> Estimate:
        """As `Method`; framed as CelebA-HQ is."""
        torch, crop = self._torch, query.crop(_SIZE, FFHQ_WIDER)
        with torch.inference_mode():
            image = torch.from_numpy(np.ascontiguousarray(query.pixels(crop).transpose(2, 0, 1)[None], np.float32))
            albedo, depth, light = (out[0].numpy() for out in self._network(image))
        normals = spread_normals(depth_normals(_DEPTH_UNIT * depth[0]), crop)
        linear = srgb_to_linear(np.clip(albedo.transpose(1, 2, 0), 0, 1))
        turned = sh.rotate(lamp_and_ambient(light.reshape(4)), upright(crop)).astype(np.float32)
        return explain(query.photo, normals, turned, spread(linear, crop))


def depth_normals(height: Float[np.ndarray, "size size"]) -> Float[np.ndarray, "size size 3"]:
    """Normals of a height toward the viewer [px] as their code has them: cross products of Sobel derivatives."""
    size = len(height)
    y, x = np.mgrid[:size, :size] - size / 2.0
    reach = (height + _DISTANCE).astype(np.float64)
    points = np.stack([x * reach / _FOCAL, y * reach / _FOCAL, reach], axis=-1)
    dx, dy = (cv2.Sobel(points, cv2.CV_64F, *which, borderType=cv2.BORDER_REPLICATE) for which in ((1, 0), (0, 1)))
    return normalize(np.cross(dx, dy) * [1, -1, 1]).astype(np.float32)


def lamp_and_ambient(values: Float[np.ndarray, " 4"]) -> Float[np.ndarray, "9 3"]:
    """SH light of their four numbers: even light, then the lamp's direction, which never lies behind the face."""
    even = np.zeros((9, 3))
    even[0] = float(values[0]) * sqrt(4 * pi)
    direction = normalize(np.array([values[1], values[2], max(float(values[3]), 0.0)], np.float64))
    return even + Lamp(direction, np.full(3, _LAMP), 0.0).sh


class Network:
    """Residual encoder and two decoders, by the names of the state dict."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self._tensors = {name: value.float() for name, value in tensors.items()}

    def __call__(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """RGB in [0, 1], 256 px, to albedo, depth (in units of 100 px) and the four numbers of the light."""
        from torch import sigmoid
        from torch.nn.functional import leaky_relu, linear, max_pool2d

        skips = [leaky_relu(self._conv("c1_og", image, 2), 0.2)]
        for level, shortcut in ((1, None), (2, "shortcut_h1_out"), (3, "shortcut_h2_out"), (4, "shortcut_h3_out")):
            skips.append(self._residual(f"h{level}", max_pool2d(skips[-1], 2), shortcut))
        inner = skips.pop()
        pooled = inner[:, _IDENTITY:].mean(dim=(2, 3))
        hidden = leaky_relu(linear(pooled, *self._pair("linear_SL1")), 0.2)
        light = linear(hidden, *self._pair("linear_SL2"))
        albedo, depth = (self._decode(part, inner[:, :_IDENTITY], skips) for part in ("albedo", "depth"))
        return sigmoid(albedo), depth, light

    def _decode(self, part: str, x: torch.Tensor, skips: list[torch.Tensor]) -> torch.Tensor:
        from torch.nn.functional import conv2d, interpolate, leaky_relu

        shortcuts = (f"{part}_shortcut_all_features", f"{part}_shortcut_h5_out", f"{part}_shortcut_h6_out", None)
        for step, (shortcut, skip) in enumerate(zip(shortcuts, reversed(skips), strict=True)):
            x = self._residual(f"{part}_h{5 + step}", x, shortcut, transposed=True)
            x = interpolate(x, scale_factor=2, mode="nearest") + self._residual(f"{part}_skip_s{1 + step}", skip, None)
        for name, padding in (("c2_1", 1), ("c2_2", 0), ("c2_3", 0)):
            x = leaky_relu(self._conv(f"{part}_{name}", x, padding), 0.2)
        return conv2d(x, *self._pair(f"conv_{part}_c2_o"))

    def _residual(self, name: str, x: torch.Tensor, shortcut: str | None, transposed: bool = False) -> torch.Tensor:
        from torch.nn.functional import leaky_relu

        out = leaky_relu(self._conv(f"{name}_1", x, 1, transposed), 0.2)
        out = self._conv(f"{name}_2", out, 1, transposed)
        return leaky_relu(out + (x if shortcut is None else self._conv(shortcut, x, 1, transposed)), 0.2)

    def _conv(self, name: str, x: torch.Tensor, padding: int, transposed: bool = False) -> torch.Tensor:
        """Convolution and batch norm."""
        from torch.nn.functional import batch_norm, conv2d, conv_transpose2d

        weight, bias = self._pair(f"{'deconv' if transposed else 'conv'}_{name}")
        x = (conv_transpose2d if transposed else conv2d)(x, weight, bias, padding=padding)
        mean, variance = (self._tensor(f"bn_{name}.running_{kind}") for kind in ("mean", "var"))
        return batch_norm(x, mean, variance, *self._pair(f"bn_{name}"))

    def _pair(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias")

    def _tensor(self, name: str) -> torch.Tensor:
        if name not in self._tensors:
            raise InputError(f"geomconsistent: the weights lack the tensor {name}")
        return self._tensors[name]
