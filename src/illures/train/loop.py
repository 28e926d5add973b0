"""The training loop: stages of a recipe over a cache, resumable to the image."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter

from illures.data.cache import Batch, SampleCache
from illures.errors import InputError
from illures.model.export import load_network
from illures.model.network import IlluResSfSNet
from illures.train import augment
from illures.train.losses import Losses, supervised
from illures.train.panel import panel
from illures.train.recipe import Recipe, Stage

Report = Callable[[int, dict[str, float]], None]


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 convolutions are faster than float32 ones: on GPUs, and on CPUs with AMX or AVX-512 BF16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


class Training:
    """A run in a folder: `checkpoint.pt` resumes it, TensorBoard reads it, `network()` is what it has learnt.

    Args:
        recipe: all settings.
        cache: training samples.
        folder: made if missing; a checkpoint there is taken up.

    Raises:
        InputError: the folder holds the checkpoint of another recipe, or the cache's size is not the network's.
    """

    def __init__(self, recipe: Recipe, cache: SampleCache, folder: Path, device: str | None = None) -> None:
        if cache.size != recipe.network.size:
            raise InputError(f"samples are {cache.size} px wide, the recipe's network takes {recipe.network.size} px")
        self.recipe, self.cache, self.folder = recipe, cache, folder
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.seen = 0
        torch.manual_seed(recipe.seed)
        network = IlluResSfSNet(recipe.network)
        if recipe.initial:
            network.load_state_dict(_initial(recipe).state_dict())
        self.model = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        decay = 1 - recipe.batch / recipe.average
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
        self.optimizer = torch.optim.AdamW(_parameter_groups(self.model, recipe.weight_decay))
        fast = has_fast_bf16(self.device) if recipe.precision == "auto" else recipe.precision == "bf16"
        self.autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=fast)
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()

    def network(self) -> IlluResSfSNet:
        """The averaged network."""
        return cast(IlluResSfSNet, self.average.module)

    def run(self, report: Report = lambda seen, terms: None) -> None:
        """Train to the end of the recipe; Ctrl-C leaves a checkpoint and raises KeyboardInterrupt on.

        Args:
            report: called after every step with the images seen and the terms of the loss.
        """
        writer = SummaryWriter(self.folder, purge_step=self.seen)
        recipe = self.recipe
        try:
            while self.seen < recipe.images:
                stage, progress, done = self._stage()
                rng = np.random.default_rng([recipe.seed, self.seen])
                batch = self._batch(stage, rng)
                losses = self._step(stage, batch, rng, _learning_rate(stage, progress, done, recipe))
                terms = {f.name: getattr(losses, f.name).item() for f in fields(losses)}
                before, self.seen = self.seen, self.seen + recipe.batch
                if not all(map(math.isfinite, terms.values())):
                    raise FloatingPointError(f"loss is not finite after {self.seen} images: {terms}")
                report(self.seen, terms)
                if _crosses(before, self.seen, 50 * recipe.batch):
                    for name, value in terms.items():
                        writer.add_scalar(f"loss/{name}", value, self.seen)
                if _crosses(before, self.seen, recipe.panel):
                    writer.add_image("panel", panel(self.network(), batch), self.seen, dataformats="HWC")
                if _crosses(before, self.seen, recipe.checkpoint):
                    self.save()
        finally:
            self.save()
            writer.close()

    def save(self) -> None:
        """Write `checkpoint.pt`, whole or not at all."""
        state = {
            "recipe": self.recipe.to_dict(),
            "seen": self.seen,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        part = self.folder / "checkpoint.pt.part"
        torch.save(state, part)
        os.replace(part, self.folder / "checkpoint.pt")

    def _resume(self) -> None:
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["recipe"] != self.recipe.to_dict():
            raise InputError(f"{path}: was made by another recipe; give another folder or the same recipe")
        self.seen = state["seen"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _stage(self) -> tuple[Stage, float, int]:
        """The stage of the next image, how far through it we are in [0, 1), and its images already seen."""
        start = 0
        for stage in self.recipe.stages:
            if self.seen < start + stage.images:
                return stage, (self.seen - start) / stage.images, self.seen - start
            start += stage.images
        raise AssertionError("called only while images are left")

    def _batch(self, stage: Stage, rng: np.random.Generator) -> Batch:
        """The samples of this step: every pass over the cache is a permutation of its own."""
        passes = np.arange(self.seen, self.seen + self.recipe.batch) // len(self.cache)
        order = {int(p): _order(self.recipe.seed, int(p), len(self.cache)) for p in np.unique(passes)}
        steps = np.arange(self.seen, self.seen + self.recipe.batch) % len(self.cache)
        batch = self.cache.batch([int(order[int(p)][i]) for p, i in zip(passes, steps, strict=True)])
        batch = augment.relight(batch, rng, everything=stage.data == "local")
        batch = augment.flip(batch, rng)
        batch = augment.expose(batch, self.recipe.camera, rng)
        batch = augment.cut(batch, self.recipe.camera, rng)
        return augment.drop_guide(batch, self.recipe.camera, rng)

    def _step(self, stage: Stage, batch: Batch, rng: np.random.Generator, rate: float) -> Losses:
        seen = augment.photograph(batch.image, self.recipe.camera, rng)
        image, guide = network_inputs(seen, batch.guide if self.recipe.network.guide else None, self.device)
        truth = Batch(*(getattr(batch, f.name).to(self.device) for f in fields(batch)))
        self.model.train()
        with self.autocast:
            estimate = self.model(image, guide, with_residual=stage.data == "global")
        losses = supervised(estimate.float(), truth)
        self.optimizer.zero_grad(set_to_none=True)
        losses.total(self.recipe.loss).backward()
        clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.average.update_parameters(self.model)
        return losses


def _initial(recipe: Recipe) -> IlluResSfSNet:
    """The network that training starts from.

    Raises:
        InputError: there are no such weights, or they are of a network of another shape.
    """
    path = None if recipe.initial == "release" else Path(recipe.initial)
    network, info = load_network(path)
    if info.config != recipe.network:
        raise InputError(
            f"initial = {recipe.initial!r}: weights of {info.config}, the recipe asks for {recipe.network}"
        )
    return network


def network_inputs(
    image: torch.Tensor, guide: torch.Tensor | None, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Channel-last maps as the network takes them: channel axis second, channels-last memory."""
    image = image.to(device).permute(0, 3, 1, 2)
    return image, None if guide is None else guide.to(device).permute(0, 3, 1, 2)


def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, 1]).permutation(count)


def _learning_rate(stage: Stage, progress: float, done: int, recipe: Recipe) -> float:
    warm = min(1.0, (done + recipe.batch) / recipe.warmup)
    return stage.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * progress))


def _crosses(before: int, after: int, every: int) -> bool:
    return after // every > before // every


def _parameter_groups(model: nn.Module, weight_decay: float) -> Iterator[dict[str, object]]:
    """Weights decay; biases and normalisation do not."""
    parameters = list(model.parameters())
    yield {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay}
    yield {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0}
