"""L_a and L_n: change of albedo and normals of one face from frame to frame, and terms against collapse.

    L_a = ‖Ā_j - φ_a(C_i, C_j, Ā_i)‖,  L_n = ‖N̄_j - φ_n(C_i, C_j, N̄_i)‖,  in both directions,

where φ warps a map of frame i to frame j: a trained and fixed AlignNet (the method), or the dense landmark mesh
(`illures-warp`). Only pixels visible in both frames count.

Such losses are 0 for uninformative maps. Each kind of collapse is prevented:

- constant albedo: `albedo_change` compares logarithms, so that a common scale gains nothing, and divides differences of
  the pattern by the spread of the albedo, so that less contrast gains nothing either;
- flat normals: the mesh rotates the normals that it warps, so that normals which all face the viewer differ in every
  pair with a turned head; and `collapse` penalises normals that face the viewer more than those of faces;
- shading in the residual: `collapse` penalises a share of the image's energy that true residuals rarely have.

A face that is the same for every image is not detected by these terms, but by reconstruction and synthetic ground
truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from illures.errors import InputError
from illures.math.color import linear_to_srgb, luminance
from illures.model.alignnet import AlignNet, load_alignnet
from illures.model.network import Estimate
from illures.model.warp import Correspondence, batched, both_ways, warp_map, warp_normal
from illures.train.augment import Frames
from illures.train.losses import masked_mean
from illures.train.objective import Drift

ALBEDO, NORMAL = "align-albedo.safetensors", "align-normal.safetensors"  # in a folder of trained AlignNets
_DARKEST = 0.01  # floor of albedo in logarithms
_LEAST_SPREAD = 0.05  # of log albedo; keeps the quotient finite
_USUAL_SPREAD = 0.25  # of log albedo over a face's mask, to express L_a in log albedo
# Limits of `collapse`: 99 % of rendered faces have more spread, all more slant, and 95 % less energy in the residual.
_LEAST_LOG_STD, _LEAST_SLANT_DEG, _MOST_ENERGY = 0.1, 25.0, 0.35

AlbedoNorm = Callable[
    [
        Float[Tensor, "batch height width 3"],
        Float[Tensor, "batch height width 3"],
        Float[Tensor, "batch height width 1"],
    ],
    Float[Tensor, " batch"],
]


@dataclass(frozen=True)
class AlignNets:
    """φ_a and φ_n, trained.

    Raises:
        InputError: one is of the other kind, or their sizes differ.
    """

    albedo: AlignNet
    normal: AlignNet

    def __post_init__(self) -> None:
        """Fix both, after checking that they fit."""
        for network, kind in ((self.albedo, "albedo"), (self.normal, "normal")):
            if network.config.kind != kind:
                raise InputError(f"AlignNet for {kind}: the weights given are for {network.config.kind}")
            network.eval().requires_grad_(False)
        sizes = self.albedo.config.size, self.normal.config.size
        if sizes[0] != sizes[1]:
            raise InputError(f"AlignNets: sizes {sizes[0]} and {sizes[1]} px differ, one size is needed")


@dataclass(frozen=True)
class Collapse:
    """Excess of maps over the limits of `collapse`, per image; 0 within the limits."""

    albedo: Float[Tensor, " batch"]
    normal: Float[Tensor, " batch"]
    residual: Float[Tensor, " batch"]

    def total(self) -> Float[Tensor, " batch"]:
        """The sum, as a term of a loss."""
        return self.albedo + self.normal + self.residual


def load_consistency(
    align: Literal["alignnet", "warp"], folder: Path | None = None, *, plain: bool = False
) -> FrameConsistency:
    """The consistency for the `align` setting of a recipe.

    Args:
        align: as in `train.recipe.Recipe`.
        folder: of the trained AlignNets; needed for "alignnet".
        plain: see `FrameConsistency`.

    Raises:
        InputError: the AlignNets are missing or not what they should be.
    """
    if align == "warp":
        return FrameConsistency(None, plain=plain)
    if folder is None:
        raise InputError('align = "alignnet": give the folder of trained AlignNets with --align')
    albedo, normal = (load_alignnet(folder / name)[0] for name in (ALBEDO, NORMAL))
    return FrameConsistency(AlignNets(albedo, normal), plain=plain)


class FrameConsistency:
    """L_a and L_n of pairs (a `train.objective.Consistency`).

    Args:
        networks: warp the maps; None: the mesh does.
        plain: L_a as the method's plain L1 norm, of sRGB-encoded albedo, instead of `albedo_change`.
    """

    def __init__(self, networks: AlignNets | None, *, plain: bool = False) -> None:
        self._networks = networks
        self._albedo_norm: AlbedoNorm = albedo_difference if plain else albedo_change

    def __call__(self, first: Frames, second: Frames, found: tuple[Estimate, Estimate]) -> Drift:
        """Mean of both directions; gradients reach both estimates, through φ too.

        Raises:
            InputError: the frames are of another size than the AlignNets.
        """
        forth, back = correspondences(first, second)
        there = self._drift(first, second, found[0], found[1], forth)
        here = self._drift(second, first, found[1], found[0], back)
        return Drift((there.albedo + here.albedo) / 2, (there.normal + here.normal) / 2)

    def _drift(self, i: Frames, j: Frames, of_i: Estimate, of_j: Estimate, pair: Correspondence) -> Drift:
        """From frame i to frame j."""
        weight = visibility(i, j, pair)
        if self._networks is None:
            albedo, normal = warp_map(of_i.albedo, pair), warp_normal(of_i.normal, pair)
        else:
            albedo = _through(self._networks.albedo, i, j, of_i.albedo)
            normal = _through(self._networks.normal, i, j, of_i.normal)
        return Drift(self._albedo_norm(albedo, of_j.albedo, weight), normal_difference(normal, of_j.normal, weight))


def correspondences(first: Frames, second: Frames) -> tuple[Correspondence, Correspondence]:
    """Correspondences of a batch of pairs from their landmarks, in both directions, on the device of the frames."""
    size, device = first.mask.shape[1], first.mask.device
    points = zip(first.landmarks.cpu().numpy(), second.landmarks.cpu().numpy(), strict=True)
    pairs = [both_ways(i, j, size) for i, j in points]
    return batched([forth for forth, _ in pairs], device), batched([back for _, back in pairs], device)


def visibility(i: Frames, j: Frames, pair: Correspondence) -> Float[Tensor, "batch height width 1"]:
    """Weight of each pixel of frame j: on the face and well visible in both frames."""
    return pair.valid[..., None] * j.mask * warp_map(i.mask, pair)


def albedo_change(
    there: Float[Tensor, "batch height width 3"],
    here: Float[Tensor, "batch height width 3"],
    weight: Float[Tensor, "batch height width 1"],
) -> Float[Tensor, " batch"]:
    """Difference of log albedo: of its level, and of its pattern relative to the common spread.

    Raising both albedos to a power or scaling both changes nothing (down to a spread of about 0.05), so that darker or
    duller albedo gains nothing.

    Args:
        there: linear albedo of frame i warped to frame j.
        here: that of frame j.
        weight: of pixels.
    """
    logs = [albedo.clamp(min=_DARKEST).log() for albedo in (there, here)]
    levels = [_mean(log, weight) for log in logs]
    variances = [_mean((log - level).square(), weight) for log, level in zip(logs, levels, strict=True)]
    spread = (torch.stack(variances).mean(dim=(0, 2, 3, 4)) + _LEAST_SPREAD**2).sqrt()
    pattern = ((logs[1] - levels[1]) - (logs[0] - levels[0])).abs()
    level = (levels[1] - levels[0]).abs().mean(dim=(1, 2, 3))
    return level + _USUAL_SPREAD * masked_mean(pattern, weight) / spread


def albedo_difference(
    there: Float[Tensor, "batch height width 3"],
    here: Float[Tensor, "batch height width 3"],
    weight: Float[Tensor, "batch height width 1"],
) -> Float[Tensor, " batch"]:
    """L1 of sRGB-encoded albedo, as the supervised losses measure it; arguments as for `albedo_change`."""
    return masked_mean((linear_to_srgb(here) - linear_to_srgb(there)).abs(), weight)


def normal_difference(
    there: Float[Tensor, "batch height width 3"],
    here: Float[Tensor, "batch height width 3"],
    weight: Float[Tensor, "batch height width 1"],
) -> Float[Tensor, " batch"]:
    """L1 of unit normals plus one minus their cosine, as the supervised losses measure it."""
    return masked_mean((here - there).abs() + 1 - (here * there).sum(dim=-1, keepdim=True), weight)


def collapse(estimate: Estimate, frames: Frames) -> Collapse:
    """Penalty of maps without ground truth beyond the usual limits of faces, relative to the limits.

    Within the limits it is 0 and has no gradient.
    """
    mask = frames.mask
    energy = residual_energy(estimate, frames.image, mask)
    return Collapse(
        albedo=(1 - log_albedo_std(estimate, mask) / _LEAST_LOG_STD).clamp(min=0),
        normal=(1 - normal_slant_deg(estimate, mask) / _LEAST_SLANT_DEG).clamp(min=0),
        residual=(energy / _MOST_ENERGY - 1).clamp(min=0),
    )


def log_albedo_std(estimate: Estimate, mask: Float[Tensor, "batch height width 1"]) -> Float[Tensor, " batch"]:
    """Spread of the log luminance of albedo within each image; 0 when albedo has become constant."""
    log = luminance(estimate.albedo)[..., None].clamp(min=_DARKEST).log()
    variance = _mean((log - _mean(log, mask)).square(), mask)
    return (variance.flatten() + 1e-8).sqrt()


def residual_energy(
    estimate: Estimate, image: Float[Tensor, "batch height width 3"], mask: Float[Tensor, "batch height width 1"]
) -> Float[Tensor, " batch"]:
    """Sum of R² over that of I_g² on the mask; grows when shading is pushed into the residual."""
    return masked_mean(estimate.residual.square(), mask) / masked_mean(image.square(), mask).clamp(min=1e-6)


def normal_slant_deg(estimate: Estimate, mask: Float[Tensor, "batch height width 1"]) -> Float[Tensor, " batch"]:
    """Mean angle between normals and the viewer [deg]; 0 when normals have become flat."""
    x, y, z = estimate.normal.unbind(dim=-1)
    # The square root is taken of a positive value, so that its gradient is finite where a normal faces the viewer.
    angle = torch.atan2((x.square() + y.square() + 1e-8).sqrt(), z) * (180 / pi)
    return _mean(angle[..., None], mask).flatten()


def _through(network: AlignNet, i: Frames, j: Frames, source: Tensor) -> Float[Tensor, "batch height width 3"]:
    """A map through a fixed AlignNet, which is moved to the map's device the first time."""
    if source.shape[1] != network.config.size:
        raise InputError(f"frames of {source.shape[1]} px: the AlignNet takes {network.config.size} px")
    return network.to(source.device)(i.contour, j.contour, source * i.mask)


def _mean(
    value: Float[Tensor, "batch height width channels"], weight: Float[Tensor, "batch height width 1"]
) -> Float[Tensor, "batch 1 1 channels"]:
    """Weighted mean over the pixels of each image."""
    total = weight.sum(dim=(1, 2), keepdim=True).clamp(min=1)
    return (value * weight).sum(dim=(1, 2), keepdim=True) / total
