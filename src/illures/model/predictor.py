"""From crops to maps: the network ready for use, numpy in and numpy out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from illures.model.blocks import ResidualBlock
from illures.model.network import IlluResSfSNet
from illures.model.weights import WeightsInfo, load_weights


@dataclass(frozen=True)
class Prediction:
    """The four maps of one crop; linear colours, normals in the crop's frame."""

    albedo: Float[np.ndarray, "size size 3"]
    normal: Float[np.ndarray, "size size 3"]
    light: Float[np.ndarray, "9 3"]
    residual: Float[np.ndarray, "size size 3"]


class Predictor:
    """A network in evaluation mode on one device, batch normalisation folded into the convolutions."""

    def __init__(self, network: IlluResSfSNet, info: WeightsInfo, device: str | torch.device = "cpu") -> None:
        self.info = info
        self.size = network.config.size
        self._device = torch.device(device)
        network = _fold(network.eval()).to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network: IlluResSfSNet = network

    @classmethod
    def from_pretrained(cls, path: Path | None = None, device: str | torch.device | None = None) -> Predictor:
        """Load weights from `path` or from the package; nothing is fetched.

        Args:
            path: a weights file.
            device: None takes CUDA where there is one.

        Raises:
            InputError: as `load_weights` does.
        """
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        return cls(*load_weights(path), device=device)

    @torch.inference_mode()
    def __call__(
        self,
        images: Float[np.ndarray, "batch size size 3"],
        guides: Float[np.ndarray, "batch size size 3"],
    ) -> list[Prediction]:
        """Decompose aligned crops.

        Args:
            images: sRGB-encoded, in [0, 1].
            guides: normals of the dense face mesh (`faces.mesh_normals`); unused by networks without a guide.
        """
        guide = self._tensor(guides) if self._network.config.guide else None
        found = self._network(self._tensor(images), guide)
        maps = [value.float().cpu().numpy() for value in (found.albedo, found.normal, found.light, found.residual)]
        return [Prediction(*(np.ascontiguousarray(value[i]) for value in maps)) for i in range(len(images))]

    def _tensor(self, maps: Float[np.ndarray, "batch size size 3"]) -> torch.Tensor:
        # Channel-last arrays are already channels-last tensors: no copy.
        return torch.from_numpy(np.ascontiguousarray(maps, dtype=np.float32)).permute(0, 3, 1, 2).to(self._device)


def _fold(module: nn.Module) -> nn.Module:
    """Fold each batch normalisation that follows a convolution into it; the outputs stay the same."""
    if isinstance(module, ResidualBlock):
        module.conv1, module.norm2 = fuse_conv_bn_eval(module.conv1, module.norm2), nn.Identity()  # type: ignore[assignment]
        return module
    if isinstance(module, nn.Sequential):
        for i in range(len(module) - 1):
            conv, norm = module[i], module[i + 1]
            if isinstance(conv, nn.Conv2d | nn.ConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
                transpose = isinstance(conv, nn.ConvTranspose2d)
                module[i], module[i + 1] = fuse_conv_bn_eval(conv, norm, transpose=transpose), nn.Identity()
    for child in module.children():
        _fold(child)
    return module
