"""Augmentation of samples: other lights for rendered ones, mirror images. Effects of cameras are in `train.camera`."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from importlib.resources import files

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from illures.data.cache import Batch
from illures.data.pairs import VideoBatch
from illures.data.repaint import walls
from illures.faces.context import crop_context
from illures.math import sh
from illures.math.normals import mirror
from illures.render import render
from illures.train.camera import Images

# Images with only landmarks as annotation; also synthetic ones if their ground truth is not used.
Frames = VideoBatch


def relight(batch: Batch, rng: np.random.Generator, everything: bool = True, walled: float = 0.0) -> Batch:
    """Replace each image by the local image under another light of the batch, turned about the vertical.

    This is used for L_s: any light for one trace, without residual. With `everything` False, images with global
    illumination stay. `walled` is the chance of a plain wall behind (`data.repaint`), under the new light.
    """
    chosen = torch.ones_like(batch.traced) if everything else 1 - batch.traced
    if not chosen.any():
        return batch
    lights = batch.light[torch.from_numpy(rng.permutation(len(batch.light)))]
    mix = torch.from_numpy(rng.beta(0.4, 0.4, size=(len(lights), 1, 1))).float()
    turned = torch.stack([sh.rotate(light, _turn(rng)) for light in lights])
    light = mix * turned + (1 - mix) * batch.light
    on_surface = (batch.normal.square().sum(dim=-1, keepdim=True) > 0.5).float()
    local = render(batch.albedo, batch.normal, light[:, None]).clamp(0, 1)
    behind = torch.where(batch.traced[:, None, None, None] > 0, batch.image, _clutter(batch.image, rng))
    image = on_surface * local + (1 - on_surface) * behind
    if walled > 0:
        image, _ = walls(image, image, light, batch.region, rng, walled)
    pick = chosen > 0
    return replace(
        batch,
        # The surroundings of such an image are unknown.
        context=torch.where(pick[:, None, None, None], crop_contexts(image), batch.context),
        light=torch.where(pick[:, None, None], light, batch.light),
        image=torch.where(pick[:, None, None, None], image, batch.image),
        traced=torch.where(pick, torch.zeros_like(batch.traced), batch.traced),
    )


def crop_contexts(image: Float[Tensor, "batch height width 3"]) -> Float[Tensor, "batch 32 32 4"]:
    """The contexts of images of which only the crop is known."""
    return torch.from_numpy(np.stack([crop_context(pixels) for pixels in image.numpy()]))


def _clutter(image: Float[Tensor, "batch height width 3"], rng: np.random.Generator) -> Tensor:
    """Backgrounds for images that have none: other images of the batch, out of focus."""
    order = torch.from_numpy(rng.permutation(len(image)))
    size = image.shape[1]
    coarse = avg_pool2d(image[order].permute(0, 3, 1, 2), size // 8)
    blurred = interpolate(coarse, size=(size, size), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    gain = torch.from_numpy(rng.uniform(0.2, 2.0, (len(image), 1, 1, 3))).float()
    return (blurred * gain).clamp(0, 1)


def _turn(rng: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    angle = rng.normal(0, 0.6)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


def flip(batch: Images, rng: np.random.Generator, tied: int = 1) -> Images:
    """Mirror a random half of the batch.

    Args:
        batch: holds `tied` equally long runs of images; the k-th of each run are mirrored together.
        rng: draws which.
        tied: 2 for pairs, whose first frames come before all second ones.
    """
    chosen = torch.from_numpy(np.tile(rng.random(len(batch.image) // tied) < 0.5, tied))

    def mirrored(name: str, value: Tensor) -> Tensor:
        if name in ("normal", "guide"):
            return mirror(value)
        if name == "landmarks":
            return mirror_landmarks(value, batch.image.shape[2])
        if name == "light":
            return sh.mirror(value)
        return value if name == "traced" else value.flip(2)

    def picked(name: str) -> Tensor:
        value = getattr(batch, name)
        return torch.where(chosen.view(-1, *[1] * (value.ndim - 1)), mirrored(name, value), value)

    return replace(batch, **{f.name: picked(f.name) for f in fields(batch)})


def mirror_landmarks(landmarks: Float[Tensor, "*batch 478 3"], width: int) -> Float[Tensor, "*batch 478 3"]:
    """The landmarks of the mirrored image: left and right points are also swapped in the list."""
    shift, sign = torch.tensor([width - 1.0, 0, 0]), torch.tensor([-1.0, 1, 1])
    return landmarks[..., _partners(), :] * sign + shift


@cache
def _partners() -> Int[Tensor, "478"]:
    """Index of the mirrored point of each; the canonical mesh is exactly symmetric."""
    with np.load(str(files("illures.faces") / "weights" / "face_mesh.npz")) as mesh:
        points = mesh["positions"].astype(np.float64)
    across = np.linalg.norm((points * [-1, 1, 1])[:, None] - points, axis=-1).argmin(axis=1)
    irises = [473, 476, 475, 474, 477, 468, 471, 470, 469, 472]  # centre, then around: outer and inner change places
    return torch.from_numpy(np.concatenate([across, irises]))
