"""AlignNet: warps a map of frame i to frame j, from the contours of both frames.

One architecture for albedo and normals, each with its own weights. Blocks as the method names them: convolution + BN,
average pooling, residual blocks (BN-ReLU-C128-BN-ReLU-C128), transposed convolution + BN, leaky ReLU and ReLU. The
paper prints no table of widths; those here are ours. There are no
skip connections around the residual blocks, as they would carry details of frame i to wrong places.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor, nn

from illures.errors import InputError
from illures.io.decoding import decoding, parse_json, read_tensors
from illures.io.files import write_whole
from illures.math.color import linear_to_srgb, srgb_to_linear
from illures.math.normals import normalize
from illures.model.blocks import conv_bn, is_counter, load_fixed, residual_stage, transposed_conv_bn
from illures.model.weights import check_hash, hash_tensors

_FORMAT = "illures-align-1"
_SLOPE = 0.2


@dataclass(frozen=True)
class AlignConfig:
    """Architecture of an AlignNet, and the kind of map; stored in its weights file.

    Attributes:
        kind: "albedo" or "normal".
        size: side of the aligned crop [px].
        width: channels of the residual blocks; the finer levels have fewer. 128 as published, 48 is compact.
        blocks: how many residual blocks.
        levels: halvings of the image's sides on the way to the residual blocks.
    """

    kind: Literal["albedo", "normal"]
    size: int = 128
    width: int = 128
    blocks: int = 5
    levels: int = 2

    def __post_init__(self) -> None:
        """Raise an InputError for impossible values."""
        if self.kind not in ("albedo", "normal"):
            raise InputError(f"kind = {self.kind!r}: 'albedo' or 'normal' is needed")
        for name in ("size", "width", "blocks", "levels"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)!r}: a whole number from 1 is needed")
        if self.size % 2**self.levels or self.width % 2 ** (self.levels - 1):
            raise InputError(
                f"size = {self.size}, width = {self.width}: can't be halved as levels = {self.levels} asks"
            )


@dataclass(frozen=True)
class AlignInfo:
    """Metadata of an AlignNet's weights file; as `WeightsInfo`."""

    config: AlignConfig
    hash: str
    recipe: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    metrics: dict[str, float] = field(default_factory=dict)


class AlignNet(nn.Module):
    """Contours C_i and C_j and the map of frame i → the map of frame j."""

    def __init__(self, config: AlignConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.width >> (config.levels - 1 - level) for level in range(config.levels)]  # finest first
        layers: list[nn.Module] = []
        inputs = 5
        for level, outputs in enumerate(widths):
            layers += [conv_bn(inputs, outputs, kernel=3 if level else 7, slope=_SLOPE), nn.AvgPool2d(2)]
            inputs = outputs
        self.encoder = nn.Sequential(*layers)
        self.deep = residual_stage(config.width, config.blocks)
        layers = []
        for outputs in [*reversed(widths[:-1]), widths[0]]:
            layers.append(transposed_conv_bn(inputs, outputs, slope=_SLOPE))
            inputs = outputs
        self.decoder = nn.Sequential(*layers, nn.Conv2d(inputs, 3, kernel_size=3, padding=1))

    def forward(
        self,
        contour_i: Float[Tensor, "batch height width 1"],
        contour_j: Float[Tensor, "batch height width 1"],
        source: Float[Tensor, "batch height width 3"],
    ) -> Float[Tensor, "batch height width 3"]:
        """Warp a map from frame i to frame j.

        Args:
            contour_i: C of the frame that the map is of (`faces.draw_contour`).
            contour_j: C of the target frame.
            source: linear albedo in [0, 1] or unit normals, 0 outside the face mask.

        Returns:
            Linear albedo in [0, 1] or unit normals, float32; undefined outside frame j's mask.
        """
        is_albedo = self.config.kind == "albedo"
        # Albedo is read and predicted sRGB-encoded, which is perceptually more uniform.
        values = 2 * linear_to_srgb(source) - 1 if is_albedo else source
        x = torch.cat([values, 2 * contour_i - 1, 2 * contour_j - 1], dim=-1).permute(0, 3, 1, 2)
        found = self.decoder(self.deep(self.encoder(x))).float().permute(0, 2, 3, 1)
        return srgb_to_linear(torch.sigmoid(found)) if is_albedo else normalize(found)


def save_alignnet(
    path: Path, network: AlignNet, recipe: dict[str, Any], data: str, metrics: dict[str, float]
) -> AlignInfo:
    """Write an AlignNet's weights file, whole or not at all.

    Args:
        path: ends in .safetensors.
        network: trained.
        recipe: as `AlignRecipe.to_dict` gives it.
        data: what it was trained on, in words.
        metrics: measured results by name.

    Raises:
        InputError: the file can't be written.
    """
    state = network.state_dict().items()
    tensors = {name: value.detach().cpu().contiguous() for name, value in state if not is_counter(name)}
    digest = hash_tensors({name: value.numpy() for name, value in tensors.items()})
    info = AlignInfo(network.config, digest, recipe, data, metrics)
    write_whole(path, save(tensors, {_FORMAT: json.dumps(asdict(info))}))  # one entry: order is not kept
    return info


def load_alignnet(path: Path) -> tuple[AlignNet, AlignInfo]:
    """The AlignNet of a weights file, fixed: in evaluation mode, its parameters without gradients.

    Raises:
        InputError: the file is missing, is not AlignNet weights, is damaged, or its tensors do not fit.
    """
    tensors, header = read_tensors(path, "AlignNet weights", "pt")
    if _FORMAT not in header:
        raise InputError(f"{path}: is not a weights file of format {_FORMAT!r}")
    info = _info(path, header[_FORMAT])
    check_hash(path, {name: value.numpy() for name, value in tensors.items()}, info.hash)
    network = AlignNet(info.config)
    load_fixed(network, tensors, path)
    return network, info


def _info(path: Path, text: str) -> AlignInfo:
    with decoding(path, "AlignNet weights"):  # the header is untrusted
        values = parse_json(text)
        return AlignInfo(**(values | {"config": AlignConfig(**values["config"])}))
