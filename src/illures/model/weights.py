"""Weights files: safetensors with metadata and the ONNX graph; strictly checked when loaded.

A weights file is self-contained, but for one in the package: illures-256 leaves out the tensors that it shares with
illures-128, which is the body of its network, so that the package has them once.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
from safetensors.numpy import save

from illures.errors import InputError
from illures.io.decoding import decoding, parse_json, read_tensors
from illures.io.files import write_whole
from illures.model.config import NetworkConfig

FAST, FINE = "illures-128", "illures-256"  # in the package: for video and live use, and for photos
_FORMAT = "illures-1"
_SHARED = "shared"  # in the header of weights that leave out the tensors of `FAST`: the hash of those
# Largest decompressed graph; ours have less than 1 MiB.
_GRAPH_BYTES = 64 << 20
_LARGEST = 4096  # largest number in a configuration


@dataclass(frozen=True)
class WeightsInfo:
    """Metadata of a weights file.

    Attributes:
        config: architecture of the network.
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
        graph: ONNX model of the network in evaluation mode, without initializers, which are `tensors`.
        info: description.
    """

    tensors: Mapping[str, np.ndarray]
    graph: bytes
    info: WeightsInfo


def packaged(name: str) -> Path:
    """Path of packaged weights, by name."""
    return Path(str(files("illures.model") / "weights" / f"{name}.safetensors"))


def find_weights(name: Path | str | None) -> Path:
    """The file of a name of the package (`FAST`, `FINE`), of a path, or of None: `FINE`, the best for photos."""
    name = FINE if name is None else name
    return packaged(str(name)) if str(name) in (FAST, FINE) else Path(name)


def read_weights(path: Path | str | None = None) -> Weights:
    """Read weights from `path` or from the package (see `find_weights`); nothing is downloaded.

    Raises:
        InputError: the file is missing, is not an illures weights file, its hash does not fit its tensors, or it leaves
            out tensors of another release.
    """
    path = find_weights(path)
    tensors, about = read_tensors(path, "a weights file")
    if about.get("format") != _FORMAT:
        raise InputError(f"{path}: format is {about.get('format')!r}, {_FORMAT!r} is needed")
    if _SHARED in about:
        tensors = _tensors_of_fast(path, about[_SHARED]) | tensors
    with decoding(path, "a weights file"):  # the header is untrusted, too
        about = {name: about[name] for name in ("hash", "data", "config", "recipe", "metrics", "graph")}
        check_hash(path, tensors, about["hash"])
        config, recipe, metrics = (_table(name, about[name]) for name in ("config", "recipe", "metrics"))
        info = WeightsInfo(_config(config), about["hash"], recipe, about["data"], metrics)
        return Weights(tensors, _unfolded(about["graph"]), info)


def _tensors_of_fast(path: Path, hash: str) -> dict[str, np.ndarray]:
    """The tensors that a file leaves out."""
    tensors, about = read_tensors(packaged(FAST), "a weights file")
    if about["hash"] != hash:
        raise InputError(
            f"{path}: leaves out tensors of {FAST} {hash[:16]!r}, and the package has {FAST} {about['hash']!r}; "
            "`illures export -o NAME.safetensors` of the release that it is from writes a whole file"
        )
    return tensors


def write_weights(path: Path, weights: Weights, fast: Weights | None = None) -> None:
    """Write a weights file, whole or not at all.

    Args:
        path: ends in .safetensors.
        weights: all of them.
        fast: the package's `FAST`: what equals its tensors bit by bit is left out, if all of their names are there.

    Raises:
        InputError: the file can't be written.
    """
    tensors = {name: np.ascontiguousarray(value) for name, value in weights.tensors.items()}
    about = metadata(weights)
    if fast is not None and fast.tensors.keys() <= tensors.keys():
        own = {name: value for name, value in tensors.items() if not _same(value, fast.tensors.get(name))}
        if len(own) < len(tensors):
            tensors, about = own, about | {_SHARED: fast.info.hash}
    write_whole(path, _sorted_header(save(tensors, metadata=about)))


def write_packaged(changed: Mapping[str, Weights]) -> None:
    """Put weights into the package, by name; the others there keep their values, also where tensors were shared."""
    weights = {name: read_weights(name) for name in (FAST, FINE) if packaged(name).is_file()} | dict(changed)
    packaged(FAST).parent.mkdir(exist_ok=True)
    if FAST in changed:
        write_weights(packaged(FAST), weights[FAST])
    if FINE in weights:
        write_weights(packaged(FINE), weights[FINE], weights.get(FAST))


def _sorted_header(data: bytes) -> bytes:
    """The same safetensors file with a sorted header: the library writes metadata in a random order."""
    length = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # tensors begin at a multiple of 8 bytes
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _same(one: np.ndarray, other: np.ndarray | None) -> bool:
    return (
        other is not None
        and (one.dtype, one.shape) == (other.dtype, other.shape)
        and one.tobytes() == np.ascontiguousarray(other).tobytes()
    )


def _table(name: str, text: str) -> dict[str, Any]:
    values = parse_json(text)
    if not isinstance(values, dict):
        raise ValueError(f"{name} is no table")
    return values


def _config(values: dict[str, Any]) -> NetworkConfig:
    config = NetworkConfig(**values)
    for name, value in asdict(config).items():
        kind = type(getattr(NetworkConfig, name))
        if type(value) is not kind or (kind is int and not 0 <= value <= _LARGEST):
            raise ValueError(f"config: {name} = {value!r}")
    if config.form not in get_args(get_type_hints(NetworkConfig)["form"]) or not config.size:
        raise ValueError(f"config: form = {config.form!r}, size = {config.size}")
    return config


def _unfolded(text: str) -> bytes:
    """Decompress the graph, which is small without its tensors."""
    unpacker = zlib.decompressobj()
    graph = unpacker.decompress(base64.b64decode(text, validate=True), _GRAPH_BYTES)
    if not unpacker.eof:
        raise ValueError(f"graph is cut off, or unfolds to more than {_GRAPH_BYTES >> 20} MiB")
    return graph


def metadata(weights: Weights) -> dict[str, str]:
    """The header of a weights file; safetensors only stores text."""
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


def check_hash(path: Path, tensors: Mapping[str, np.ndarray], stored: str) -> None:
    """Raise an InputError unless the tensors have the stored hash."""
    found = hash_tensors(tensors)
    if found != stored:
        raise InputError(f"{path}: hash of the tensors is {found}, the file says {stored}: damaged")


def hash_tensors(tensors: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names and bytes in the order of the names, first 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()[:16]
