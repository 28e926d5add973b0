"""The network, its running average and its optimizer: steps, and state for checkpoints."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from illures.errors import InputError
from illures.model.config import NetworkConfig
from illures.model.export import load_network
from illures.model.network import Estimate, IlluResSfSNet, network_inputs
from illures.model.sfsnet import ThinLevel
from illures.model.weights import FAST, FINE, packaged
from illures.train.checkpoint import optimizer_tensors, part, restore_optimizer
from illures.train.cost import TERMS, terms, total
from illures.train.data_loader import Step
from illures.train.distributed import Ranks, share_statistics
from illures.train.muon import Muon
from illures.train.objective import Consistency
from illures.train.recipe import Recipe, shipped

_LONGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class Taken:
    """Results of a step.

    Attributes:
        terms: as `cost.terms` gives them, over all processes.
        stop: whether a process was asked to stop.
        estimate: of the network, before the step.
    """

    terms: dict[str, float]
    stop: bool
    estimate: Estimate


def thin_modules(network: IlluResSfSNet) -> list[nn.Module]:
    """The modules beside the body of half the size: the stem and the thin levels."""
    return [m for name, m in network.named_modules() if isinstance(m, ThinLevel) or name == "sfsnet.stem"]


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 convolutions are faster than float32 ones: on GPUs, and on CPUs with AMX or AVX-512 BF16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


class Learner:
    """The network under training and its optimizer.

    Args:
        recipe: architecture of the network and settings of the optimizer.
        consistency: L_a and L_n, or None for recipes without pairs.
        ranks: this process among those that train together, and where it computes.
        fresh: whether training starts here; otherwise `restore` follows, and initial weights are not read.
        compiled: compile the network with torch.compile; needs a C++ compiler on CPUs.

    Raises:
        InputError: the initial weights are missing or of another network.
    """

    def __init__(
        self, recipe: Recipe, consistency: Consistency | None, ranks: Ranks, fresh: bool, compiled: bool = False
    ) -> None:
        self._recipe, self._consistency, self._ranks = recipe, consistency, ranks
        torch.manual_seed(recipe.seed)
        network = IlluResSfSNet(recipe.network)
        if fresh and recipe.initial:
            network.load_state_dict(initial_network(recipe).state_dict())
        if not recipe.residual:
            for parameter in network.illuresnet.out.parameters():  # without gradients the residual stays at 0
                nn.init.zeros_(parameter)
        self._learning: list[nn.Module] = [network] if recipe.learns == "all" else thin_modules(network)
        learning = {id(parameter) for module in self._learning for parameter in module.parameters()}
        for parameter in network.parameters():
            parameter.requires_grad_(id(parameter) in learning)
        self.model = network.to(ranks.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        decay = max(0.0, 1 - recipe.batch / recipe.average)
        self._average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
        share_statistics(self.model, ranks)
        self._forward = _compiled(self.model) if compiled else self.model
        self._optimizer = _optimizer(self.model, recipe)
        fast = has_fast_bf16(ranks.device) if recipe.precision == "auto" else recipe.precision == "bf16"
        self._autocast = torch.autocast(ranks.device.type, torch.bfloat16, enabled=fast)

    def network(self) -> IlluResSfSNet:
        """The averaged network."""
        return cast(IlluResSfSNet, self._average.module)

    def learn(self, step: Step, rate: float, with_residual: bool, asked: bool = False) -> Taken:
        """Forward, backward, update.

        Args:
            step: this process's share of the batch, on its device.
            rate: learning rate.
            with_residual: whether IlluResNet takes part.
            asked: whether this process was asked to stop; shared with all processes.

        Raises:
            FloatingPointError: a term or the gradient is not finite; nothing was updated.
        """
        inputs = network_inputs(self._recipe.network, step.image, step.guide, step.context)
        self.model.eval()
        for module in self._learning:
            module.train()
        with self._autocast:
            estimate = self._forward(*inputs, with_residual=with_residual).float()
        found = terms(estimate, step, with_residual, self._consistency, self._recipe.head, self._recipe.loss.drift > 0)
        self._optimizer.zero_grad(set_to_none=True)
        total(found, self._recipe.loss).backward()
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        self._ranks.average_gradients(parameters)
        length = clip_grad_norm_(parameters, _LONGEST_GRADIENT)
        nothing = torch.zeros((), device=self._ranks.device)
        values = [found.get(name, nothing).detach() for name in TERMS]
        *means, stop = self._ranks.mean(torch.stack([*values, nothing + float(asked)])).tolist()
        shared = dict(zip(TERMS, means, strict=True))
        _check_finite(shared | {"gradient": length.item()})
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._average.update_parameters(self.model)
        return Taken(shared, stop > 0, estimate)

    def state(self) -> dict[str, torch.Tensor]:
        """All tensors for a checkpoint."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self._average.state_dict().items()}
        return tensors | optimizer_tensors(self._optimizer, self.model)

    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        """Restore the tensors of `state`."""
        self.model.load_state_dict(part(tensors, "model."))
        self._average.load_state_dict(part(tensors, "average."))
        restore_optimizer(self._optimizer, self.model, tensors)


def initial_network(recipe: Recipe) -> IlluResSfSNet:
    """The initial network.

    Weights of a smaller architecture are copied where they fit. Additional parts of the recipe's network start as the
    identity, so that its first estimates are those of the given weights.

    Raises:
        InputError: there are no such weights, or they are of a network that this one does not contain.
    """
    if recipe.initial != "release" and recipe.initial in shipped():
        raise InputError(f"the recipe goes on from the weights of {recipe.initial!r}: give them with --initial FILE")
    network, info = load_network(_shipped_weights(recipe) if recipe.initial == "release" else Path(recipe.initial))
    if info.config == recipe.network:
        return network
    if not _contains(recipe.network, info.config):
        raise InputError(
            f"initial = {recipe.initial!r}: weights of {info.config}, the recipe asks for {recipe.network}"
        )
    return _taken_over(network, recipe.network)


def _shipped_weights(recipe: Recipe) -> Path:
    """Weights of the package for a network of this size, or the small ones, which the larger network contains."""
    fine = packaged(FINE)
    return fine if recipe.network.fine_width and fine.is_file() else packaged(FAST)


def _contains(ours: NetworkConfig, theirs: NetworkConfig) -> bool:
    """Whether one network extends another: by outputs, inputs, a gain, a tint, blocks, a thin level, a quotient."""
    grown = replace(
        theirs,
        albedo=ours.albedo,
        context=ours.context,
        regions=ours.regions,
        gain=ours.gain,
        tint=ours.tint,
        detail_blocks=theirs.detail_blocks or ours.detail_blocks,
        fine_width=theirs.fine_width or ours.fine_width,
        size=ours.size if ours.body_size == theirs.body_size else theirs.size,
    )
    less = any(getattr(theirs, name) and not getattr(ours, name) for name in ("context", "regions", "gain", "tint"))
    return grown == ours and not less and theirs.albedo in ("direct", ours.albedo)


def _taken_over(network: IlluResSfSNet, config: NetworkConfig) -> IlluResSfSNet:
    """Copy all tensors of another network; new outputs follow the old ones."""
    grown = IlluResSfSNet(config)
    state, theirs = grown.state_dict(), network.state_dict()
    for name, value in theirs.items():
        if name not in state:
            continue  # the output of the residual, which has another meaning in the quotient form
        if state[name].shape == value.shape:
            state[name] = value
        elif state[name].shape[1:] == value.shape[1:] and len(state[name]) > len(value):
            state[name] = torch.cat([value, torch.zeros_like(state[name][len(value) :])])
        else:
            raise InputError(f"weights: tensor {name} is {list(value.shape)}, {list(state[name].shape)} is needed")
    grown.load_state_dict(state)
    return grown


def _compiled(model: nn.Module) -> nn.Module:
    # It warns about the cache of array-api-compat, which only holds modules.
    warnings.filterwarnings("ignore", message="Dynamo detected a call to a `functools.lru_cache`")
    return cast(nn.Module, torch.compile(model))


def _check_finite(values: dict[str, float]) -> None:
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise FloatingPointError(f"{', '.join(bad)} not finite")


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    if recipe.optimizer == "muon":
        return Muon(model, recipe.weight_decay)
    return torch.optim.AdamW(_parameter_groups(model, recipe.weight_decay))


def _parameter_groups(model: nn.Module, weight_decay: float) -> Iterator[dict[str, object]]:
    """Weights decay; biases and normalisation do not."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    yield {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay}
    yield {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0}
