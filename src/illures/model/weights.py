"""Weights files: safetensors that say what they are, loaded strictly."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from illures.errors import InputError
from illures.model.network import IlluResSfSNet, NetworkConfig

RELEASE = "illures-128.safetensors"
_FORMAT = "illures-1"


@dataclass(frozen=True)
class WeightsInfo:
    """What a weights file says of itself.

    Attributes:
        config: shape of the network.
        hash: SHA-256 over the names and bytes of all tensors, first 16 hexadecimal digits.
        recipe: the training recipe, as `Recipe.to_dict` gives it.
        data: what the network was trained on, in words.
        metrics: measured results by name.
    """

    config: NetworkConfig
    hash: str
    recipe: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    metrics: dict[str, float] = field(default_factory=dict)


def save_weights(
    path: Path, network: IlluResSfSNet, recipe: dict[str, Any], data: str, metrics: dict[str, float]
) -> None:
    """Write weights with all that describes them, whole or not at all."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    # Plain (not channels-last) memory, so that the bytes do not depend on how the network was run.
    tensors = {name: value.clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}
    about = {
        "format": _FORMAT,
        "config": json.dumps(asdict(network.config)),
        "hash": _hash(tensors),
        "recipe": json.dumps(recipe),
        "data": data,
        "metrics": json.dumps(metrics),
    }
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata=about)
    os.replace(part, path)


def load_weights(path: Path | None = None) -> tuple[IlluResSfSNet, WeightsInfo]:
    """Load a network in evaluation mode, from `path` or from the package.

    Raises:
        InputError: the file is missing, is no weights file of ours, lacks or adds a tensor, or its hash does not fit.
    """
    path = Path(str(files("illures.model") / "weights" / RELEASE)) if path is None else path
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such weights file") from error
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: is not a safetensors file: {error}") from error
    if about.get("format") != _FORMAT:
        raise InputError(f"{path}: format is {about.get('format')!r}, {_FORMAT!r} is needed")
    if _hash(tensors) != about["hash"]:
        raise InputError(f"{path}: hash of the tensors is {_hash(tensors)}, the file says {about['hash']}: damaged")
    config = NetworkConfig(**json.loads(about["config"]))
    # Building without drawing initial values takes a few milliseconds instead of tens.
    with torch.device("meta"):
        network = IlluResSfSNet(config)
    try:
        network.load_state_dict(tensors, strict=True, assign=True)
    except RuntimeError as error:
        raise InputError(f"{path}: tensors do not fit the network: {' '.join(str(error).split())[:200]}") from error
    info = WeightsInfo(config, about["hash"], json.loads(about["recipe"]), about["data"], json.loads(about["metrics"]))
    return network.eval().requires_grad_(False), info


def _hash(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
