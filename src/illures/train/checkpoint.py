"""Checkpoints: tensors in safetensors, everything else as JSON in the same file's header; nothing is unpickled.

A single file is replaced atomically. There is no state of a random generator: all randomness follows from the seed and
the number of images seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from illures.errors import InputError
from illures.io.decoding import decoding, parse_json, read_tensors
from illures.io.files import write_whole

_FORMAT = "illures-checkpoint-1"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after a step.

    Attributes:
        tensors: "model.*", "average.*" and "optimizer.<parameter>.<quantity>".
        recipe: as `Recipe.to_dict` gives it.
        seen: training images.
        validated: images that were seen at the last validation.
        best: best validation score, or None before the first.
    """

    tensors: dict[str, Tensor]
    recipe: dict[str, Any]
    seen: int
    validated: int
    best: float | None


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        InputError: the file can't be written.
    """
    about = {name: getattr(checkpoint, name) for name in ("recipe", "seen", "validated", "best")}
    tensors = {name: value.detach().cpu().contiguous() for name, value in checkpoint.tensors.items()}
    write_whole(path, save(tensors, {_FORMAT: json.dumps(about)}))  # one entry: order is not kept


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        InputError: it is damaged, or something else.
    """
    tensors, header = read_tensors(path, "a checkpoint", "pt")
    if _FORMAT not in header:
        raise InputError(f"{path}: is not a checkpoint of format {_FORMAT!r}")
    with decoding(path, "a checkpoint"):
        return Checkpoint(tensors, **parse_json(header[_FORMAT]))


def check_recipe(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Check that a checkpoint has the same recipe.

    Raises:
        InputError: a setting differs.
    """
    wanted = json.loads(json.dumps(wanted))  # tuples become lists, as in the file
    for name in sorted(set(found) | set(wanted)):
        if found.get(name) != wanted.get(name):
            raise InputError(
                f"{path}: was made by another recipe: {name} = {found.get(name)}, here {wanted.get(name)};"
                " give another folder or the same recipe"
            )


def optimizer_tensors(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """The optimizer's state under the parameters' names; parameters that have had no gradient have none."""
    named = ((name, optimizer.state.get(parameter, {})) for name, parameter in model.named_parameters())
    return {f"optimizer.{name}.{key}": value for name, state in named for key, value in state.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Restore the state in the memory layout of the parameters, as the rounding of sums depends on the order."""
    parameters = dict(model.named_parameters())
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            parameter, _, key = name.removeprefix("optimizer.").rpartition(".")
            target = parameters[parameter]
            like = torch.empty_like(target) if value.shape == target.shape else torch.empty_like(value)
            optimizer.state[target][key] = like.detach().copy_(value)


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
