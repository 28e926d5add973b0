"""Read other people's weights from a user's folder, without executing code in them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from illures.errors import InputError

if TYPE_CHECKING:
    import torch

# Names in a pickled NumPy array; anything else in a pickle could be code.
_ARRAY_PARTS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("_codecs", "encode"),
}


def find_file(folder: Path, *patterns: str) -> Path:
    """The first file that one of the patterns names, the first pattern first.

    Raises:
        InputError: there is none.
    """
    for pattern in patterns:
        files = sorted(path for path in folder.glob(pattern) if path.is_file())
        if files:
            return files[0]
    raise InputError(f"{folder}: holds no {' or '.join(patterns)}")


def import_torch(who: str) -> Any:
    """PyTorch.

    Raises:
        InputError: it is not installed.
    """
    try:
        import torch
    except ImportError:
        raise InputError(f"{who} needs PyTorch: pip install illures[train]") from None
    return torch


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """A state dict from .safetensors, .npz, or what torch.save wrote (tensors alone, no code).

    A surrounding {"state_dict": …} and the "module." of data-parallel training are taken off.

    Raises:
        InputError: the file holds something else.
    """
    torch = import_torch(str(path))
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: torch.from_numpy(file[name]) for name in file.files}
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, BadZipFile, pickle.UnpicklingError) as error:
        raise InputError(f"{path}: not a readable weights file ({str(error).splitlines()[0]})") from error
    except Exception as error:  # safetensors' own error shares no base with these
        raise InputError(f"{path}: not a readable weights file ({error})") from error
    content = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise InputError(f"{path}: holds something else than named tensors")
    return {name.removeprefix("module."): value for name, value in content.items()}


def load_weights(network: torch.nn.Module, tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Put tensors into a network, in evaluation mode; all of its own must be there, others are left out.

    Raises:
        InputError: one is missing or has another shape.
    """
    own = network.state_dict()
    for name, value in own.items():
        if name.endswith("num_batches_tracked"):
            continue
        if name not in tensors:
            raise InputError(f"{path}: lacks the tensor {name}")
        if tensors[name].shape != value.shape:
            found, wanted = tuple(tensors[name].shape), tuple(value.shape)
            raise InputError(f"{path}: {name} has shape {found}; must be {wanted}")
    network.load_state_dict({name: tensors[name] for name in own if name in tensors}, strict=False)
    network.eval()


def read_arrays(path: Path) -> Any:
    """A pickle of numpy arrays in dicts and lists; anything else in it is refused, not run.

    Raises:
        InputError: the file is missing or holds something else.
    """
    try:
        with path.open("rb") as file:
            return _ArraysOnly(file).load()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, EOFError, pickle.UnpicklingError, AttributeError, IndexError, ValueError) as error:
        raise InputError(f"{path}: not a pickle of arrays ({error})") from error


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ARRAY_PARTS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"names {module}.{name}")
