"""Muon (orthogonalised steps) for hidden convolutions, AdamW for all other parameters.

Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; the step's scale, which lets both
share one learning rate, from Liu et al. 2025, "Muon is scalable for LLM training", section 2.2. PyTorch's
`torch.optim.Muon` only supports matrices, without AdamW for other parameters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, overload

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.adamw import adamw

_MOMENTUM = 0.95
_BETAS, _EPSILON = (0.9, 0.999), 1e-8
_RMS = 0.2  # RMS of a step over the learning rate, similar to AdamW
_ITERATIONS = 5
_QUINTIC = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """Muon and AdamW in one optimizer.

    Args:
        model: convolutions without bias are hidden (a normalisation follows them): they get orthogonal steps.
        weight_decay: of weights; biases and normalisation do not decay.
    """

    def __init__(self, model: nn.Module, weight_decay: float) -> None:
        super().__init__(_groups(model, weight_decay), {"lr": 0.0})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update the parameters that have a gradient."""
        assert closure is None
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            (self._orthogonal if group["hidden"] else self._adam)(parameters, group)
        return None

    def _orthogonal(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        alike: dict[torch.Size, list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
        for p in parameters:
            state, gradient = self.state[p], p.grad
            assert gradient is not None
            if not state:
                state["momentum"] = torch.zeros_like(p)
            state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
            step = gradient.lerp(state["momentum"], _MOMENTUM).flatten(1)  # Nesterov's
            alike[step.shape].append((p, step))
        for shape, found in alike.items():
            steps = orthogonal(torch.stack([step for _, step in found])) * (_RMS * max(shape) ** 0.5)
            for (p, _), step in zip(found, steps, strict=True):
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(step.view(p.shape), alpha=group["lr"])

    def _adam(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        names = ("exp_avg", "exp_avg_sq", "step")
        for p in parameters:
            if not self.state[p]:
                start = (torch.zeros_like(p), torch.zeros_like(p), torch.zeros(()))
                self.state[p].update(zip(names, start, strict=True))
        first, second, steps = ([self.state[p][name] for p in parameters] for name in names)
        adamw(
            list(parameters),
            [p.grad for p in parameters if p.grad is not None],
            first,
            second,
            [],
            steps,
            amsgrad=False,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=_EPSILON,
            maximize=False,
        )


def orthogonal(matrices: Float[Tensor, "batch rows columns"]) -> Float[Tensor, "batch rows columns"]:
    """Approximate U Vᵀ of each U S Vᵀ, with singular values between 0.7 and 1.2 (Newton-Schulz iteration)."""
    x = matrices.float()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = _QUINTIC
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


def _groups(model: nn.Module, weight_decay: float) -> Iterator[dict[str, Any]]:
    hidden = {
        id(layer.weight)
        for layer in model.modules()
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and layer.bias is None
    }
    parameters = [p for p in model.parameters() if p.requires_grad]
    rest = [p for p in parameters if id(p) not in hidden]
    yield {"params": [p for p in parameters if id(p) in hidden], "hidden": True, "weight_decay": weight_decay}
    yield {"params": [p for p in rest if p.ndim > 1], "hidden": False, "weight_decay": weight_decay}
    yield {"params": [p for p in rest if p.ndim <= 1], "hidden": False, "weight_decay": 0.0}
