"""LPIPS with AlexNet (Zhang et al., CVPR 2018, version 0.1), from weights in a user's folder; none are shipped.

The folder holds two PyTorch files as their authors publish them:

- `alexnet*.pth`: torchvision's AlexNet (`features.0.weight`, …; the classifier is not read);
- `alex.pth`: the five linear layers of the `lpips` package (`lin0.model.1.weight`, …), found in its wheel under
  `lpips/weights/v0.1/`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from illures.errors import InputError

if TYPE_CHECKING:
    import torch

# torchvision's `AlexNet.features`: index, stride and padding of each convolution, and if a max-pooling comes before.
_LAYERS = ((0, 4, 2, False), (3, 1, 2, True), (6, 1, 1, True), (8, 1, 1, False), (10, 1, 1, False))
_SHAPES = ((64, 3, 11, 11), (192, 64, 5, 5), (384, 192, 3, 3), (256, 384, 3, 3), (256, 256, 3, 3))
# ImageNet's mean and deviation for inputs in [-1, 1].
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class Lpips:
    """Perceptual distance of two images; 0 is equal.

    Args:
        folder: holds `alexnet*.pth` and `alex.pth`.

    Raises:
        InputError: a file is missing or has other contents; or PyTorch is not installed.
    """

    def __init__(self, folder: Path) -> None:
        backbone, linear = _read(_only(folder, "alexnet*.pth")), _read(_only(folder, "alex.pth"))
        self._convolutions, self._linear = [], []
        for k, ((index, *_), shape) in enumerate(zip(_LAYERS, _SHAPES, strict=True)):
            weight = _tensor(backbone, f"features.{index}.weight", shape, folder)
            bias = _tensor(backbone, f"features.{index}.bias", shape[:1], folder)
            self._convolutions.append((weight, bias))
            self._linear.append(_tensor(linear, f"lin{k}.model.1.weight", (1, shape[0], 1, 1), folder))

    def __call__(self, a: Float[np.ndarray, "height width 3"], b: Float[np.ndarray, "height width 3"]) -> float:
        """Distance of two sRGB-encoded images in [0, 1]; symmetric."""
        import torch

        with torch.no_grad():
            pair = torch.from_numpy(np.stack([a, b]).astype(np.float32)).permute(0, 3, 1, 2)
            pair = (2 * pair - 1 - torch.tensor(_SHIFT)[:, None, None]) / torch.tensor(_SCALE)[:, None, None]
            total = 0.0
            for features, weight in zip(self._features(pair), self._linear, strict=True):
                unit = features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)
                total += float(((unit[:1] - unit[1:]).square() * weight).sum(1).mean())
        return total

    def inside(
        self,
        a: Float[np.ndarray, "height width 3"],
        b: Float[np.ndarray, "height width 3"],
        mask: Bool[np.ndarray, "height width"],
    ) -> float:
        """Distance inside a mask: over the rectangle around it, with grey outside the mask in both images."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        seen = mask[window][..., None]
        return self(np.where(seen, a[window], 0.5), np.where(seen, b[window], 0.5))

    def _features(self, images: torch.Tensor) -> list[torch.Tensor]:
        import torch.nn.functional as F  # noqa: N812

        layers = []
        for (_, stride, padding, pooled), (weight, bias) in zip(_LAYERS, self._convolutions, strict=True):
            images = F.max_pool2d(images, 3, 2) if pooled else images
            images = F.relu(F.conv2d(images, weight, bias, stride, padding))
            layers.append(images)
        return layers


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise InputError(f"{folder}: holds {len(found)} files {pattern}; LPIPS needs one")
    return found[0]


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        import torch
    except ImportError:
        raise InputError("LPIPS needs PyTorch: pip install 'illures[train]'") from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises any type for a file that it can't read
        raise InputError(f"{path}: not a PyTorch weights file ({type(error).__name__})") from error
    if not isinstance(state, dict):
        raise InputError(f"{path}: not a dictionary of tensors")
    return state


def _tensor(state: dict[str, torch.Tensor], name: str, shape: tuple[int, ...], folder: Path) -> torch.Tensor:
    if name not in state or tuple(state[name].shape) != shape:
        raise InputError(f"{folder}: weights lack {name} of shape {shape}")
    return state[name].float()
