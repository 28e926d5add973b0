"""Distributed training: `torchrun` starts several processes, each takes a slice of every batch.

The result is that of one process with the same batch. Gradients are averaged; batch normalisation
computes its statistics over all slices (`nn.SyncBatchNorm` on GPUs, `SharedBatchNorm` on CPUs, where
PyTorch has none).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, nn
from torch import distributed as dist

# Timeout: the first process builds caches and validates while the others wait.
_PATIENCE = timedelta(hours=12)


@dataclass(frozen=True)
class Ranks:
    """Rank of this process; a single process by default.

    Attributes:
        rank: from 0; rank 0 writes and reports.
        world: number of processes.
        device: of this process.
    """

    rank: int = 0
    world: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a tensor over the processes, the same on each of them."""
        if self.world > 1:
            dist.all_reduce(value)
            value /= self.world
        return value

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average gradients over the processes, in one message, as the networks are small."""
        if self.world == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = self.mean(torch.cat([g.flatten() for g in gradients]))
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def wait(self) -> None:
        """Wait for all processes (barrier)."""
        if self.world > 1:
            dist.barrier()


@contextmanager
def joined() -> Iterator[Ranks]:
    """The processes that `torchrun` started (RANK, WORLD_SIZE, LOCAL_RANK), or this one: NCCL on GPUs, Gloo on CPUs."""
    cuda = torch.cuda.is_available()
    world, local = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("LOCAL_RANK", 0))
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if world == 1:
        yield Ranks(device=device)
        return
    if cuda:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if cuda else "gloo", timeout=_PATIENCE)
    try:
        yield Ranks(dist.get_rank(), world, device)
    finally:
        dist.destroy_process_group()


def share_statistics(network: nn.Module, ranks: Ranks) -> None:
    """Make batch normalisation use the slices of all processes; parameters and names of the state stay."""
    if ranks.world == 1:
        return
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, _shared(child, ranks))


def _shared(norm: nn.BatchNorm2d, ranks: Ranks) -> nn.Module:
    if ranks.device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(norm)
    shared = SharedBatchNorm(norm.num_features)
    shared.load_state_dict(norm.state_dict())
    return shared.to(next(norm.parameters()).device)


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation over the equal slices of all processes, on any device."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise by the mean and variance of all slices; in evaluation by the running ones."""
        if not self.training:
            return super().forward(x)
        values, world = x.float(), dist.get_world_size()
        mean = _summed(values.mean(dim=(0, 2, 3))) / world
        centred = values - mean[:, None, None]
        variance = _summed(centred.square().mean(dim=(0, 2, 3))) / world
        count = world * x.numel() / x.shape[1]
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Update the running statistics as `nn.BatchNorm2d` does."""
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1


class _Sum(torch.autograd.Function):
    """The sum over the processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: object, value: Tensor) -> Tensor:  # noqa: D102
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:  # noqa: D102
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def _summed(value: Tensor) -> Tensor:
    return _Sum.apply(value)
