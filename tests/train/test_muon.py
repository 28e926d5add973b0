"""Muon against the SVD, against PyTorch's own for matrices, and against AdamW for the rest."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from illures.train.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 72), (72, 8), (24, 60)])
def test_steps_are_the_nearest_orthogonal_matrices(shape):
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    found = orthogonal(matrices)
    for ours, matrix in zip(found, matrices, strict=True):
        u, _, v = torch.linalg.svd(matrix, full_matrices=False)  # the witness
        values = torch.linalg.svdvals(ours)
        assert values.min() > 0.6 and values.max() < 1.3
        assert torch.nn.functional.cosine_similarity(ours.flatten(), (u @ v).flatten(), dim=0) > 0.97


def _stepped(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], shape: torch.Size) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(4):
        for p in parameters:
            p.grad = torch.randn(shape, generator=generator).view(p.shape)
        for group in optimizer.param_groups:
            group["lr"] = 0.01
        optimizer.step()


def test_hidden_convolutions_step_as_pytorchs_muon_does():
    layer = nn.Conv2d(6, 8, 3, bias=False)
    matrix = nn.Parameter(layer.weight.detach().flatten(1).clone())
    theirs = torch.optim.Muon([matrix], lr=0.01, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    before = layer.weight.detach().clone()
    _stepped(Muon(layer, 0.1), [layer.weight], matrix.shape)
    _stepped(theirs, [matrix], matrix.shape)
    ours, other = layer.weight.flatten(1) - before.flatten(1), matrix - before.flatten(1)
    # Theirs iterates in bf16.
    assert float(((ours - other).norm() / other.norm()).detach()) < 0.05


def test_everything_else_steps_as_adamw_does():
    ours = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    theirs = copy.deepcopy(ours)
    weights = [p for p in theirs.parameters() if p.ndim > 1]
    rest = [p for p in theirs.parameters() if p.ndim <= 1]
    adamw = torch.optim.AdamW(
        [{"params": weights, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], lr=0.01
    )
    muon = Muon(ours, 0.1)
    rng = np.random.default_rng(0)
    for _ in range(4):
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            mine.grad = torch.from_numpy(rng.normal(size=mine.shape)).float()
            other.grad = mine.grad.clone()
        for group in muon.param_groups:
            group["lr"] = 0.01
        muon.step()
        adamw.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-6)
