"""Weights files: safetensors that say what they are and carry the graph that runs them; loaded strictly."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from illures.errors import InputError
from illures.model.config import NetworkConfig

FAST, FINE = "illures-128", "illures-256"  # of the package: for video and live use, and for photos
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


@dataclass(frozen=True)
class Weights:
    """A weights file in memory.

    Attributes:
        tensors: by the names of the torch network's state.
        graph: ONNX model of the network in evaluation mode, its initializers left out: they are `tensors`.
        info: description.
    """

    tensors: Mapping[str, np.ndarray]
    graph: bytes
    info: WeightsInfo


def packaged(name: str) -> Path:
    """Where weights of the package lie, by name."""
    return Path(str(files("illures.model") / "weights" / f"{name}.safetensors"))


def find_weights(name: Path | str | None) -> Path:
    """The file of a name of the package (`FAST`, `FINE`), of a path, or of None: those for photos."""
    known = {one: packaged(one) for one in (FINE, FAST) if packaged(one).is_file()}
    return next(iter(known.values())) if name is None else known.get(str(name), Path(name))


def read_weights(path: Path | str | None = None) -> Weights:
    """Read weights from `path` or from the package (see `find_weights`); nothing is fetched.

    Raises:
        InputError: the file is missing, is no weights file of ours, or its hash does not fit its tensors.
    """
    path = find_weights(path)
    if not path.is_file():
        raise InputError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="numpy") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: is not a safetensors file: {error}") from error
    if about.get("format") != _FORMAT:
        raise InputError(f"{path}: format is {about.get('format')!r}, {_FORMAT!r} is needed")
    found = hash_tensors(tensors)
    if found != about["hash"]:
        raise InputError(f"{path}: hash of the tensors is {found}, the file says {about['hash']}: damaged")
    config = NetworkConfig(**json.loads(about["config"]))
    graph = zlib.decompress(base64.b64decode(about["graph"]))
    recipe, metrics = json.loads(about["recipe"]), json.loads(about["metrics"])
    return Weights(tensors, graph, WeightsInfo(config, about["hash"], recipe, about["data"], metrics))


def metadata(weights: Weights) -> dict[str, str]:
    """The header of a weights file: text alone, as safetensors wants it."""
    info = weights.info
    return {
        "format": _FORMAT,
        "config": json.dumps(asdict(info.config)),
        "hash": info.hash,
        "recipe": json.dumps(info.recipe),
        "data": info.data,
        "metrics": json.dumps(info.metrics),
        "graph": base64.b64encode(zlib.compress(weights.graph, 9)).decode(),
    }


def hash_tensors(tensors: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names and bytes in the order of the names, first 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()[:16]
