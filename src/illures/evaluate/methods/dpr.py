"""DPR, a portrait relighting network (Zhou et al., "Deep Single-Image Portrait Relighting", ICCV 2019).

The folder is their repository, or holds `trained_model_03.t7` (512 px) of its `trained_model/`: a PyTorch state dict.
DPR relights and estimates the light; it has no normals and no albedo.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from jaxtyping import Float

from illures.decompose.full_resolution import upright
from illures.evaluate.benchmark import Estimate
from illures.evaluate.methods.folders import find_file, import_torch, load_weights, read_tensors
from illures.evaluate.methods.query import FFHQ_WIDER, Query, spread
from illures.math import sh
from illures.math.color import srgb_to_linear

if TYPE_CHECKING:
    import torch

_SIZE = 512
_LIGHT_FEATURES = 27
# First coefficient of their example lights (1.084) times the 0.7 that their demo scales them with: what it was tuned
# for.
_STRENGTH = 1.084 * 0.7


def load(folder: Path) -> DprRival:
    """Read the weights.

    Raises:
        InputError: the folder does not hold them.
    """
    path = find_file(folder, "trained_model_03.t7", "trained_model/trained_model_03.t7")
    return DprRival(read_tensors(path), path)


class DprRival:
    """Works on the lightness of CIE Lab; colours stay."""

    def __init__(self, tensors: dict[str, torch.Tensor], path: Path) -> None:
        self._torch = import_torch("dpr")
        self._network = network()
        load_weights(self._network, tensors, path)

    def estimate(self, query: Query) -> Estimate:
        """As `Method`; framed as FFHQ and CelebA-HQ portraits are."""
        crop = query.crop(_SIZE, FFHQ_WIDER)
        lab = cv2.cvtColor(query.pixels(crop).astype(np.float32), cv2.COLOR_RGB2Lab)
        _, light = self._run(lab, to_dpr_strength(np.eye(1, 9)[0]))
        turn = upright(crop)

        def relight(target: np.ndarray) -> np.ndarray:
            lightness, _ = self._run(lab, to_dpr_strength(sh.to_dpr(sh.rotate(target.astype(np.float64), turn.T))))
            relit = np.concatenate([100 * lightness[..., None], lab[..., 1:]], axis=-1)
            return spread(srgb_to_linear(np.clip(cv2.cvtColor(relit, cv2.COLOR_Lab2RGB), 0, 1)), crop)

        return Estimate(light=sh.rotate(sh.from_dpr(light), turn).astype(np.float32), relight=relight)

    def _run(
        self, lab: Float[np.ndarray, "size size 3"], light: Float[np.ndarray, " 9"]
    ) -> tuple[Float[np.ndarray, "size size"], Float[np.ndarray, " 9"]]:
        """Lightness in [0, 1] under a light, and the light that the network sees in the photo."""
        torch = self._torch
        with torch.inference_mode():
            image = torch.from_numpy(np.ascontiguousarray(lab[None, None, ..., 0] / 100, dtype=np.float32))
            wanted = torch.from_numpy(light.astype(np.float32).reshape(1, 9, 1, 1))
            relit, seen = self._network(image, wanted)
        return relit[0, 0].numpy(), seen.numpy().reshape(9).astype(np.float64)


def to_dpr_strength(light: Float[np.ndarray, " 9"]) -> Float[np.ndarray, " 9"]:
    """A light of DPR's layout, scaled to the strength of its authors' examples."""
    return light * (_STRENGTH / max(float(light[0]), 1e-6))


def network() -> torch.nn.Module:
    """Their hourglass (Newell et al., ECCV 2016) for 512 px: light comes out of, and goes into, the innermost layer."""
    from torch import nn, sigmoid
    from torch.nn.functional import interpolate, max_pool2d, relu

    class Basic(nn.Module):
        def __init__(self, inputs: int, outputs: int, norm: type[nn.Module] = nn.BatchNorm2d) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
            self.bn1, self.bn2 = norm(outputs), norm(outputs)
            self.shortcuts = nn.Conv2d(inputs, outputs, 1, bias=False)  # in every file, used where sizes differ
            self.widens = inputs != outputs

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
            return relu(out + (self.shortcuts(x) if self.widens else x))

    class Lighting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.predict_FC1, self.predict_FC2 = (nn.Conv2d(i, o, 1, bias=False) for i, o in ((27, 128), (128, 9)))
            self.post_FC1, self.post_FC2 = (nn.Conv2d(i, o, 1, bias=False) for i, o in ((9, 128), (128, 27)))
            self.predict_relu1, self.post_relu1 = nn.PReLU(), nn.PReLU()

        def forward(self, x: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            mean = x[:, :_LIGHT_FEATURES].mean(dim=(2, 3), keepdim=True)
            seen = self.predict_FC2(self.predict_relu1(self.predict_FC1(mean)))
            put = relu(self.post_FC2(self.post_relu1(self.post_FC1(wanted))))
            x = x.clone()
            x[:, :_LIGHT_FEATURES] = put
            return x, seen

    class Level(nn.Module):
        def __init__(self, outer: int, inner: int, middle: nn.Module) -> None:
            super().__init__()
            self.upper = Basic(outer, outer, nn.InstanceNorm2d)
            self.low1, self.low2 = Basic(outer, inner), Basic(inner, outer, nn.InstanceNorm2d)
            self.middle = middle

        def forward(self, x: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            inner, seen = self.middle(self.low1(max_pool2d(x, 2)), wanted)
            return interpolate(self.low2(inner), scale_factor=2, mode="nearest") + self.upper(x), seen

    class Hourglass(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pre_conv, self.pre_bn = nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16)
            self.light = Lighting()  # the same module stands in the innermost level: files name it twice
            self.HG0 = Level(64, 128 + _LIGHT_FEATURES, self.light)
            self.HG1 = Level(32, 64, self.HG0)
            self.HG2 = Level(16, 32, self.HG1)
            self.HG3 = Level(16, 16, self.HG2)
            self.conv_1, self.conv_2 = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 1)
            self.conv_3, self.output = nn.Conv2d(16, 16, 1), nn.Conv2d(16, 1, 1)
            self.bn_1, self.bn_2, self.bn_3 = (nn.BatchNorm2d(16) for _ in range(3))

        def forward(self, x: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x, seen = self.HG3(relu(self.pre_bn(self.pre_conv(x))), wanted)
            for conv, norm in ((self.conv_1, self.bn_1), (self.conv_2, self.bn_2), (self.conv_3, self.bn_3)):
                x = relu(norm(conv(x)))
            return sigmoid(self.output(x)), seen

    return Hourglass()
