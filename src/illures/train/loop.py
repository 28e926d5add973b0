"""The training loop: stages of a recipe over synthetic samples and real pairs, exactly resumable."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from illures.data.cache import SampleCache
from illures.errors import InputError
from illures.io.files import write_whole
from illures.model.export import save_weights
from illures.train.augment import Frames
from illures.train.checkpoint import Checkpoint, check_recipe, read_checkpoint, write_checkpoint
from illures.train.collapse_monitor import collapse_signs
from illures.train.cost import term_means
from illures.train.data_loader import PairSource, Step, StepLoader
from illures.train.distributed import Ranks
from illures.train.learner import Learner
from illures.train.objective import Consistency
from illures.train.panel import panel
from illures.train.recipe import Recipe, Stage
from illures.train.validate import Validation, held_out

CHECKPOINT, BEST = "checkpoint.safetensors", "best.safetensors"
_LOG_EVERY = 50  # steps
_SHOWN = 6  # rows of a panel

Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class RealPairs:
    """Frames of real videos.

    Attributes:
        train: pairs to train on.
        held_out: first and second frames of held-out people, or None.
    """

    train: PairSource
    held_out: tuple[Frames, Frames] | None = None


class Training:
    """A run in a folder: `checkpoint.safetensors` for resuming, `best.safetensors`, and TensorBoard logs.

    Args:
        recipe: all settings.
        cache: synthetic samples.
        folder: created if missing; a checkpoint in it is resumed.
        videos: real pairs, or None for recipes without.
        consistency: L_a and L_n, for recipes with pairs.
        ranks: this process among those that train together, and where it computes.
        data: what it is trained on, in words; goes into the weights.
        compiled: compile the network with torch.compile.

    Raises:
        InputError: the folder holds the checkpoint of another recipe; the data's size is not the network's; initial
            weights, videos or AlignNets are missing.
    """

    def __init__(
        self,
        recipe: Recipe,
        cache: SampleCache,
        folder: Path,
        *,
        videos: RealPairs | None = None,
        consistency: Consistency | None = None,
        ranks: Ranks | None = None,
        data: str = "",
        compiled: bool = False,
    ) -> None:
        _check_inputs(recipe, cache, videos, consistency)
        self.recipe, self.folder, self._ranks, self._data = recipe, folder, ranks or Ranks(), data
        out = held_out(cache, recipe.held_out)
        self._loader = StepLoader(recipe, cache, np.flatnonzero(~out), videos.train if videos else None, self._ranks)
        self._real = videos.held_out if videos else None
        count = recipe.validation_images
        self._validation = Validation(cache, np.flatnonzero(out), count, self._real) if out.any() else None
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / CHECKPOINT
        self.learner = Learner(recipe, consistency, self._ranks, fresh=not path.exists(), compiled=compiled)
        self.seen, self._validated, self._best = 0, 0, math.inf
        if path.exists():
            self._resume(path)

    def run(self, report: Report = lambda seen, figures: None) -> None:
        """Train to the end of the recipe.

        SIGINT, SIGTERM and SIGHUP end it after the current step: a checkpoint is written and KeyboardInterrupt raised.

        Args:
            report: called after every step with the images seen and the terms of the loss, and after every validation
                with its figures.

        Raises:
            InputError: the loss is not finite; the last checkpoint stays.
        """
        writer = SummaryWriter(self.folder, purge_step=self.seen) if self._ranks.first else None
        steps = self._loader.steps(self.seen)
        try:
            with asked_to_stop() as asked:
                if self.seen == 0 and self.recipe.initial:  # those weights may be the best of the run
                    self._validate(writer, report)
                for step in steps:
                    stop = self._advance(step, asked.is_set(), writer, report)
                    if self._is_due():
                        self._validate(writer, report)
                    if stop or self._passes(self.recipe.checkpoint):
                        self.save()
                    if stop:
                        raise KeyboardInterrupt
            self.save()
        finally:
            steps.close()
            if writer is not None:
                writer.close()

    def finish(self, path: Path) -> None:
        """Write the weights with the best validation, or without validation the last average."""
        if self._validation is not None:
            write_whole(path, (self.folder / BEST).read_bytes())
        else:
            save_weights(path, self.learner.network(), self.recipe.to_dict(), self._data, {})

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        if self._ranks.first:
            best = None if math.isinf(self._best) else self._best
            state = Checkpoint(self.learner.state(), self.recipe.to_dict(), self.seen, self._validated, best)
            write_checkpoint(self.folder / CHECKPOINT, state)

    def _resume(self, path: Path) -> None:
        state = read_checkpoint(path)
        check_recipe(path, state.recipe, self.recipe.to_dict())
        self.learner.restore(state.tensors)
        self.seen, self._validated = state.seen, state.validated
        self._best = math.inf if state.best is None else state.best

    def _advance(self, step: Step, asked: bool, writer: SummaryWriter | None, report: Report) -> bool:
        """One step; whether a process was asked to stop."""
        stage, done = self.recipe.stage_at(self.seen)
        with_residual = self.recipe.residual and stage.with_residual
        step = step.to(self._ranks.device)
        try:
            taken = self.learner.learn(step, _learning_rate(stage, done, self.recipe), with_residual, asked)
        except FloatingPointError as error:
            raise InputError(f"{self.folder}: {error} after {self.seen} images; {self._advice(stage)}") from error
        means = term_means(taken.terms, self._loader.shares(self.seen), with_residual)
        self.seen += self.recipe.batch
        if writer is not None:
            report(self.seen, means)
            if self._passes(_LOG_EVERY * self.recipe.batch):
                _write(writer, "loss", means, self.seen)
                _write(writer, "watch", asdict(collapse_signs(taken.estimate, step)), self.seen)
            if self._passes(self.recipe.panel):
                self._draw(writer)
        return taken.stop

    def _advice(self, stage: Stage) -> str:
        path = self.folder / CHECKPOINT
        kept = f"{path} of an earlier step is kept" if path.exists() else "there is no checkpoint yet"
        return f"learning_rate = {stage.learning_rate:g} of stage {stage.kind!r} may be too high; {kept}"

    def _passes(self, every: int) -> bool:
        """Whether a multiple of `every` images was passed in the last step."""
        return self.seen // every > (self.seen - self.recipe.batch) // every

    def _is_due(self) -> bool:
        """Whether it is time to validate; at the end it always is."""
        every = self.recipe.validate
        ended = self.seen >= self.recipe.images > self._validated
        return ended or self.seen // every > self._validated // every

    def _validate(self, writer: SummaryWriter | None, report: Report) -> None:
        """Measure on people held out, and keep the weights if they are the best."""
        self._validated = self.seen
        if self._validation is None or writer is None:
            return
        network = self.learner.network()
        figures = self._validation(network)
        found = figures.found()
        _write(writer, "validation", found, self.seen)
        report(self.seen, found)
        if figures.score() < self._best:
            self._best = figures.score()
            metrics = {f"validation_{name}": value for name, value in found.items()}
            save_weights(self.folder / BEST, network, self.recipe.to_dict(), self._data, metrics)

    def _draw(self, writer: SummaryWriter) -> None:
        network = self.learner.network()
        if self._validation is not None:
            samples = self._validation.examples(_SHOWN)
            writer.add_image("panel/synthetic", panel(network, samples), self.seen, dataformats="HWC")
        if self._real is not None:
            writer.add_image("panel/real", panel(network, self._real[0], _SHOWN), self.seen, dataformats="HWC")


def _check_inputs(
    recipe: Recipe, cache: SampleCache, videos: RealPairs | None, consistency: Consistency | None
) -> None:
    sizes = {"samples": cache.size} | ({"frames of the videos": videos.train.size} if videos else {})
    for what, size in sizes.items():
        if size != recipe.network.size:
            raise InputError(f"{what} are {size} px wide, the recipe's network takes {recipe.network.size} px")
    if recipe.needs_videos and videos is None:
        raise InputError("the recipe trains on real pairs: give frames of videos with --videos")
    if consistency is None and recipe.needs_alignment:
        raise InputError(f"the recipe trains on pairs: align = {recipe.align!r} needs what aligns them")


@contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """Record SIGINT, SIGTERM and SIGHUP instead of ending within a step; a second signal has its usual effect."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # handlers can only be set there
        yield asked
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before: dict[int, Any] = {number: signal.getsignal(number) for number in numbers}
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}  # nohup

    def note(number: int, frame: object) -> None:
        asked.set()
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, note)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write(writer: SummaryWriter, group: str, values: dict[str, float], seen: int) -> None:
    for name, value in values.items():
        writer.add_scalar(f"{group}/{name}", value, seen)


def _learning_rate(stage: Stage, done: int, recipe: Recipe) -> float:
    """Warm-up, then the peak until the last part of the stage, then half a cosine down to 0."""
    warm = min(1.0, (done + recipe.batch) / recipe.warmup)
    falling = (done / stage.images - (1 - stage.decay)) / stage.decay
    return stage.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * min(1.0, max(0.0, falling))))
