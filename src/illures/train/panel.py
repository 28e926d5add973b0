"""Pictures of how training goes."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import UInt8

from illures.data.cache import Batch
from illures.math.color import linear_to_srgb
from illures.math.normals import encode
from illures.model.network import Estimate, IlluResSfSNet
from illures.render import render, shade


@torch.no_grad()
def panel(network: IlluResSfSNet, batch: Batch, count: int = 6) -> UInt8[np.ndarray, "height width 3"]:
    """Rows of image, then albedo, normal, shading and residual as found and as they should be, then the image again."""
    device = next(network.parameters()).device
    image = linear_to_srgb(batch.image[:count]).clamp(0, 1).to(device).permute(0, 3, 1, 2)
    guide = batch.guide[:count].to(device).permute(0, 3, 1, 2) if network.config.guide else None
    was_training = network.training
    found = network.eval()(image, guide)
    network.train(was_training)
    light = batch.light[:count]
    albedo, normal = batch.albedo[:count], batch.normal[:count]
    truth = Estimate(albedo, normal, light, batch.image[:count] - render(albedo, normal, light[:, None]))
    columns = [linear_to_srgb(batch.image[:count])]
    for ours, true in zip(_pictures(found), _pictures(truth), strict=True):
        columns += [ours.cpu(), true]
    columns.append(linear_to_srgb(found.render()).cpu())
    mask = batch.mask[:count]
    rows = torch.cat([columns[0], *[column * mask for column in columns[1:]]], dim=2)
    return (torch.cat(list(rows)).clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def _pictures(estimate: Estimate) -> list[torch.Tensor]:
    shading = shade(estimate.normal, estimate.light[:, None])
    return [
        linear_to_srgb(estimate.albedo),
        encode(estimate.normal),
        linear_to_srgb(shading / 2),
        (estimate.residual + 1) / 2,
    ]
