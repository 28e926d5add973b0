"""The pre-training loop of an AlignNet: exactly resumable, validated on held-out people.

Its error is compared with two baselines without learning: the unchanged map, and the mesh.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from illures.data.cache import SampleCache
from illures.errors import InputError
from illures.jobs.prefetch import in_order
from illures.math.color import linear_to_srgb
from illures.math.normals import angular_error_deg, encode
from illures.model.alignnet import AlignNet, save_alignnet
from illures.model.warp import Correspondence, batched, correspond, warp_map, warp_normal
from illures.train.alignnet.pairs import MapPairs, ViewPairs
from illures.train.alignnet.recipe import AlignRecipe
from illures.train.checkpoint import (
    Checkpoint,
    check_recipe,
    optimizer_tensors,
    part,
    read_checkpoint,
    restore_optimizer,
    write_checkpoint,
)
from illures.train.consistency import ALBEDO, NORMAL, albedo_difference, normal_difference
from illures.train.learner import has_fast_bf16
from illures.train.loop import asked_to_stop
from illures.train.validate import held_out

_SURE = 0.5  # least weight of a correspondence
_AT_ONCE = 16  # pairs through the network in validation
_PREFETCH = 5  # batches that are ready or being made
_LOG_EVERY = 50  # steps
_SHOWN = 8  # rows of a panel

Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class AlignFigures:
    """Mean errors on held-out people: sRGB-encoded albedo in hundredths, or degrees of normals; 0 is perfect.

    Attributes:
        net: the AlignNet, on all of the mask of frame j.
        net_seen: the AlignNet, where both frames show the surface according to the mesh.
        copy_seen: the unchanged map of frame i, there.
        warp_seen: the map of frame i warped by the mesh, there.
    """

    net: float
    net_seen: float
    copy_seen: float
    warp_seen: float


class AlignTraining:
    """A pre-training in a folder.

    Args:
        recipe: all settings.
        cache: views; see `pairs.prepare_views`.
        folder: must exist; a checkpoint in it is resumed.
        data: what it is trained on, in words; goes into the weights.
        device: for computation; None: the GPU if there is one.

    Attributes:
        seen: pairs so far.
        pairs: in all.
        network: current state.

    Raises:
        InputError: the folder holds the checkpoint of another recipe, the views' size is not the network's, or there
            are no pairs.
    """

    def __init__(
        self, recipe: AlignRecipe, cache: SampleCache, folder: Path, data: str = "", device: str | None = None
    ) -> None:
        if cache.size != recipe.network.size:
            raise InputError(f"views are {cache.size} px wide, the recipe's network takes {recipe.network.size} px")
        kind = recipe.network.kind
        self.recipe, self.seen = recipe, 0
        self._data, self._best = data, math.inf
        self._logs, self._checkpoint = folder / f"align-{kind}", folder / f"align-{kind}.checkpoint.safetensors"
        self._weights = folder / (ALBEDO if kind == "albedo" else NORMAL)
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        out = held_out(cache, recipe.held_out)
        self._train = ViewPairs(cache, kind, np.flatnonzero(~out), recipe.gain, recipe.seed)
        self.pairs = max(1, recipe.epochs * len(self._train) // recipe.batch) * recipe.batch
        held = ViewPairs(cache, kind, np.flatnonzero(out), 0.0, recipe.seed) if out.any() else None
        self._validation = None if held is None else AlignValidation(kind, held.fixed(recipe.validation_pairs))
        torch.manual_seed(recipe.seed)
        self.network = AlignNet(recipe.network).to(self._device)
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=recipe.learning_rate)
        fast = has_fast_bf16(self._device) if recipe.precision == "auto" else recipe.precision == "bf16"
        self._autocast = torch.autocast(self._device.type, torch.bfloat16, enabled=fast)
        if self._checkpoint.exists():
            self._resume()

    def run(self, report: Report = lambda seen, figures: None) -> Path:
        """Train to the end of the recipe; the path of the weights that validated best (or, without, the last ones).

        SIGINT and SIGTERM end it after the current step: a checkpoint is written and KeyboardInterrupt raised.

        Args:
            report: called after every step with the pairs seen and {"loss"}, and after every validation with its
                figures.

        Raises:
            InputError: the loss is not finite; the last checkpoint stays.
        """
        writer = SummaryWriter(self._logs, purge_step=self.seen)
        batches = self._batches()
        try:
            with asked_to_stop() as asked:
                for pairs in batches:
                    loss = self._step(pairs.to(self._device))
                    report(self.seen, {"loss": loss})
                    if self._passes(_LOG_EVERY * self.recipe.batch):
                        writer.add_scalar("loss", loss, self.seen)
                    if self._passes(len(self._train)) or self.seen >= self.pairs:
                        self._validate(writer, report)
                    if asked.is_set() or self._passes(self.recipe.checkpoint) or self.seen >= self.pairs:
                        self.save()
                    if asked.is_set():
                        raise KeyboardInterrupt
        finally:
            batches.close()
            writer.close()
        if self._validation is None:
            self._keep({})
        return self._weights

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        tensors = {f"model.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= optimizer_tensors(self._optimizer, self.network)
        best = None if math.isinf(self._best) else self._best
        write_checkpoint(self._checkpoint, Checkpoint(tensors, self.recipe.to_dict(), self.seen, self.seen, best))

    def _resume(self) -> None:
        state = read_checkpoint(self._checkpoint)
        check_recipe(self._checkpoint, state.recipe, self.recipe.to_dict())
        self.network.load_state_dict(part(state.tensors, "model."))
        restore_optimizer(self._optimizer, self.network, state.tensors)
        self.seen, self._best = state.seen, math.inf if state.best is None else state.best

    def _batches(self) -> Generator[MapPairs, None, None]:
        """Pairs for each step from here on, prefetched by threads."""
        starts = range(self.seen, self.pairs, self.recipe.batch)
        drawn = partial(self._train.drawn, count=self.recipe.batch)
        return in_order(drawn, starts, 2, _PREFETCH, partial(torch.set_num_threads, 1))

    def _step(self, pairs: MapPairs) -> float:
        """Forward, backward, update."""
        epoch = self.seen // len(self._train)
        for group in self._optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * self.recipe.decay**epoch
        self.network.train()
        with self._autocast:
            found = self.network(pairs.contour_i, pairs.contour_j, pairs.source * pairs.mask_i)
        difference = albedo_difference if self.recipe.network.kind == "albedo" else normal_difference
        loss = difference(found, pairs.target, pairs.mask_j).mean()
        if not math.isfinite(loss.item()):
            kept = "the last checkpoint is kept" if self._checkpoint.exists() else "there is no checkpoint yet"
            advice = f"learning_rate = {self.recipe.learning_rate:g} may be too high"
            raise InputError(f"{self._logs}: loss is not finite after {self.seen} pairs; {advice}; {kept}")
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        self.seen += self.recipe.batch
        return loss.item()

    def _passes(self, every: int) -> bool:
        """Whether a multiple of `every` pairs was passed in the last step."""
        return self.seen // every > (self.seen - self.recipe.batch) // every

    def _validate(self, writer: SummaryWriter, report: Report) -> None:
        """Measure on people held out, and keep the weights if they are the best."""
        if self._validation is None:
            return
        figures = self._validation(self.network)
        found = asdict(figures)
        for name, value in found.items():
            writer.add_scalar(f"validation/{name}", value, self.seen)
        writer.add_image("panel", self._validation.panel(self.network, _SHOWN), self.seen, dataformats="HWC")
        report(self.seen, found)
        if figures.net < self._best:
            self._best = figures.net
            self._keep({f"validation_{name}": value for name, value in found.items()})

    def _keep(self, metrics: dict[str, float]) -> None:
        save_alignnet(self._weights, self.network, self.recipe.to_dict(), self._data, metrics)


class AlignValidation:
    """Measures an AlignNet, the copy and the mesh on the same pairs.

    Args:
        kind: which map the pairs hold.
        pairs: of held-out people.
    """

    def __init__(self, kind: str, pairs: MapPairs) -> None:
        self._kind, self._pairs = kind, pairs
        size = pairs.mask_j.shape[1]
        points = zip(pairs.landmarks_i.numpy(), pairs.landmarks_j.numpy(), strict=True)
        self._mesh: Correspondence = batched([correspond(i, j, size) for i, j in points])
        weight = self._mesh.valid[..., None] * pairs.mask_j * warp_map(pairs.mask_i, self._mesh)
        self._seen = weight > _SURE
        self._warped = (warp_map if kind == "albedo" else warp_normal)(pairs.source, self._mesh)

    @torch.no_grad()
    def __call__(self, network: AlignNet) -> AlignFigures:
        """Measure, in evaluation mode."""
        found, on_face = self._warp(network), self._pairs.mask_j > _SURE
        seen = self._seen
        return AlignFigures(
            self._error(found, on_face),
            self._error(found, seen),
            self._error(self._pairs.source, seen),
            self._error(self._warped, seen),
        )

    @torch.no_grad()
    def panel(self, network: AlignNet, count: int) -> UInt8[np.ndarray, "height width 3"]:
        """One row per pair: map of i, map of j, i warped by the AlignNet, and by the mesh where both are visible."""
        pairs = self._pairs.part(0, count)
        maps = [
            pairs.source * pairs.mask_i,
            pairs.target * pairs.mask_j,
            self._warp(network)[:count] * pairs.mask_j,
            self._warped[:count] * self._seen[:count],
        ]
        shown = [linear_to_srgb(m) if self._kind == "albedo" else encode(m) for m in maps]
        rows = torch.cat(shown, dim=2)
        return (torch.cat(list(rows)).clamp(0, 1) * 255).round().to(torch.uint8).numpy()

    def _warp(self, network: AlignNet) -> Float[Tensor, "batch height width 3"]:
        device, was_training = next(network.parameters()).device, network.training
        network.eval()
        found = []
        for start in range(0, len(self._pairs.source), _AT_ONCE):
            pairs = self._pairs.part(start, start + _AT_ONCE).to(device)
            found.append(network(pairs.contour_i, pairs.contour_j, pairs.source * pairs.mask_i).cpu())
        network.train(was_training)
        return torch.cat(found)

    def _error(self, found: Tensor, where: Tensor) -> float:
        """Mean over all pixels of all pairs; a missing normal counts as facing the viewer."""
        chosen = where[..., 0]
        ours, truth = found[chosen], self._pairs.target[chosen]
        if self._kind == "albedo":
            return 100 * float((linear_to_srgb(ours) - linear_to_srgb(truth)).abs().mean())
        viewer = torch.tensor([0.0, 0.0, 1.0])
        ours = torch.where(ours.square().sum(dim=-1, keepdim=True) > 0.25, ours, viewer)
        return float(angular_error_deg(ours, truth).mean())
