"""Pictures of training progress."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from illures.data.cache import Batch
from illures.math.color import linear_to_srgb
from illures.math.normals import encode
from illures.model.network import Estimate, IlluResSfSNet
from illures.render import render, shade
from illures.train.augment import Frames
from illures.train.validate import estimate


@torch.no_grad()
def panel(
    network: IlluResSfSNet, images: Batch | Frames, count: int | None = None
) -> UInt8[np.ndarray, "height width 3"]:
    """One row per image: the image; albedo, normal, shading and residual, each beside its ground truth; the sum of all.

    Frames of videos have no ground truth. `count`: largest number of rows.
    """
    images = replace(images, **{f.name: getattr(images, f.name)[:count] for f in fields(images)})
    was_training = network.training
    found = estimate(network.eval(), images)
    network.train(was_training)
    columns = [linear_to_srgb(images.image)]
    for ours, true in zip(_pictures(found), _truths(images), strict=True):
        columns += [ours] if true is None else [ours, true]
    columns.append(linear_to_srgb(found.render()))
    rows = torch.cat([columns[0], *[column * images.mask for column in columns[1:]]], dim=2)
    return (torch.cat(list(rows)).clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def _truths(images: Batch | Frames) -> list[Float[Tensor, "batch height width 3"]] | list[None]:
    if isinstance(images, Frames):
        return [None] * 4
    residual = images.image - render(images.albedo, images.normal, images.light[:, None])
    return _pictures(Estimate(images.albedo, images.normal, images.light, residual))


def _pictures(estimate: Estimate) -> list[Float[Tensor, "batch height width 3"]]:
    shading = shade(estimate.normal, estimate.light[:, None])
    return [
        linear_to_srgb(estimate.albedo),
        encode(estimate.normal),
        linear_to_srgb(shading / 2),
        (estimate.residual + 1) / 2,
    ]
