"""Other colours for a rendered person under the same light, and other backgrounds.

The network must not learn to recognise its few hundred people. With random tones of skin, hair and clothes it has to
estimate strength and colour of the light from the light itself, and from surfaces of known albedo. Backgrounds of real
people are sharp, with textures like hair and cloth: trees, prints on walls and other people.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from illures.data.context import WIDE
from illures.data.pixels import MELANIN, burnt, softened
from illures.math.normals import normalize
from illures.render import shade
from illures.types import Region

_SKIN, _HAIR, _CLOTHES = 0.4, 0.4, 0.6  # standard deviations of log albedo
_HUES = {Region.SKIN: 0.06, Region.HAIR: 0.15, Region.CLOTHES: 0.3}  # and of its channels
_ALBEDO = (0.01, 0.9)
_FEW = 0.02  # of the skin's pixels
_WHITE = 0.6  # share of white walls
_WALL_LIGHT = 0.35  # standard deviation of the log of a wall's light over the person's


def repaint(
    image: Float[Tensor, "batch height width 3"],
    albedo: Float[Tensor, "batch height width 3"],
    region: UInt8[Tensor, "batch height width 1"],
    rng: np.random.Generator,
    chance: float,
) -> tuple[Float[Tensor, "batch height width 3"], Float[Tensor, "batch height width 3"]]:
    """Images and albedo of people in other colours; both linear.

    The illumination of each pixel stays, E = I / A. (So highlights take the tint, too; bounce
    light within the face keeps that of the old skin. Both are small beside the change of tone.)

    Args:
        image: the renders.
        albedo: theirs.
        region: classes of `types.Region`.
        rng: draws the colours.
        chance: that a person gets others.
    """
    lost = burnt(image)
    logs = np.stack([_logs(rng) * (rng.random() < chance) for _ in range(len(image))])
    table = torch.from_numpy(logs).float()
    # If much of the skin is burnt, only lighter skin looks like a photo.
    skin = region[..., 0] == Region.SKIN
    shines = (lost[..., 0] * skin).sum(dim=(1, 2)) > _FEW * skin.sum(dim=(1, 2))
    table = torch.where(shines[:, None, None], table.clamp(min=0), table)
    known = region[..., 0].long().clamp(max=table.shape[1] - 1)
    change = torch.stack([rows[where] for rows, where in zip(table, known, strict=True)])
    least, most = (np.log(bound) - albedo.clamp(min=1e-6).log() for bound in _ALBEDO)
    gain = softened(change).clamp(min=least.clamp(max=0), max=most.clamp(min=0)).exp()
    return (image * (gain + (1 - gain) * lost)).clamp(0, 1), albedo * gain


def other_backgrounds(
    image: Float[Tensor, "batch height width 3"],
    region: UInt8[Tensor, "batch height width 1"],
    rng: np.random.Generator,
    chance: float,
) -> Float[Tensor, "batch height width 3"]:
    """Put parts of other images of the batch behind some people, turned and mirrored, at the old brightness.

    Args:
        image: the renders, linear.
        region: classes of `types.Region`.
        rng: draws them.
        chance: that a person gets another background.
    """
    size, changed = image.shape[1], image.clone()
    for i in np.flatnonzero(rng.random(len(image)) < chance):
        behind = region[i] == int(Region.BACKGROUND)
        if not behind.any():
            continue
        other = (int(i) + int(rng.integers(1, max(len(image), 2)))) % len(image)
        part = image[other].permute(2, 0, 1)[None]
        side = int(size * rng.uniform(0.3, 1.0))
        top, left = rng.integers(0, size - side + 1, 2)
        part = interpolate(part[..., top : top + side, left : left + side], size=(size, size), mode="bilinear")[0]
        part = torch.rot90(part, int(rng.integers(4)), (1, 2)).permute(1, 2, 0)
        if rng.random() < 0.5:
            part = part.flip(1)
        gain = (image[i][behind[..., 0]].mean(dim=0) / part.mean(dim=(0, 1)).clamp(min=1e-3)).clamp(0.1, 10)
        changed[i] = _before(image[i], behind, (part * gain).clamp(0, 1))
    return changed


def walls(
    image: Float[Tensor, "batch height width 3"],
    around: Float[Tensor, "batch wide wide 3"],
    light: Float[Tensor, "batch 9 3"],
    region: UInt8[Tensor, "batch height width 1"],
    rng: np.random.Generator,
    chance: float,
) -> tuple[Float[Tensor, "batch height width 3"], Float[Tensor, "batch wide wide 3"]]:
    """Put a plain wall behind some people, mostly a white one, under about the light that they stand in.

    Passport, studio and indoor photos have them. White ones tell the light's strength and colour; without them what is
    white behind a face would always be a sky or a lamp, and say that the photo is exposed for too long.

    Args:
        image: the renders, linear.
        around: what lies round them, likewise; several times as wide.
        light: SH coefficients of the radiance.
        region: classes of `types.Region`.
        rng: draws the walls.
        chance: that a person gets one.
    """
    image, around = image.clone(), around.clone()
    for i in np.flatnonzero(rng.random(len(image)) < chance):
        facing = normalize(torch.tensor([*rng.normal(0, 0.3, 2), 1.0]).float())
        falling = shade(facing, light[i]).clamp(min=0.1 * float(light[i, 0].abs().mean()))
        white = rng.random() < _WHITE
        albedo = rng.uniform(0.65, 0.9) if white else float(np.exp(rng.uniform(np.log(0.03), np.log(0.65))))
        tint = np.exp(rng.normal(0, 0.03 if white else 0.15, 3))
        colour = falling * torch.from_numpy(albedo * tint * np.exp(rng.normal(0, _WALL_LIGHT))).float()
        slopes = rng.normal(0, 0.15, 2)  # of log brightness, over the crop's side
        behind = region[i] == int(Region.BACKGROUND)
        image[i] = _before(image[i], behind, (colour * _ramp(image.shape[1], 1.0, slopes)).clamp(0, 1))
        around[i] = colour * _ramp(around.shape[1], float(WIDE), slopes)
    return image, around


def _before(
    person: Float[Tensor, "height width 3"],
    behind: Bool[Tensor, "height width 1"],
    other: Float[Tensor, "height width 3"],
) -> Float[Tensor, "height width 3"]:
    """A person before something else; pixels on the outline show both."""
    alpha = torch.maximum(softened(behind[None].float())[0], behind.float())
    return person * (1 - alpha) + other * alpha


def _ramp(size: int, sides: float, slopes: Float[np.ndarray, "2"]) -> Float[Tensor, "size size 1"]:
    """Brightness that grows evenly in its logarithm, 1 in the middle, over so many sides of a crop."""
    at = ((torch.arange(size) + 0.5) / size - 0.5) * sides
    return (slopes[0] * at[:, None] + slopes[1] * at[None, :]).clamp(-1, 1).exp()[..., None].float()


def _logs(rng: np.random.Generator) -> Float[np.ndarray, "classes 3"]:
    """Shifts of the log albedo of each class; the last entry is for unknown pixels, and 0."""
    logs = np.zeros((len(Region) + 1, 3))
    logs[Region.SKIN] = rng.normal(0, _SKIN) * MELANIN
    logs[Region.HAIR] = rng.normal(0, _HAIR)
    logs[Region.CLOTHES] = rng.normal(0, _CLOTHES)
    for which, spread in _HUES.items():
        logs[which] += rng.normal(0, spread, 3)
    logs[[Region.LIPS, Region.OBJECT]] = logs[Region.SKIN]  # most objects are hands
    return logs
