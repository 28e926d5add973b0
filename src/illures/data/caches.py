"""Several caches of raw maps, in folders of their own, read as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from illures.errors import InputError

Arrays = dict[str, np.ndarray]


class Caches:
    """Random access to the rows of several caches, one after the other.

    Args:
        folders: of the caches, at least one.
        opened: gives the arrays of a folder by name, among them "image": rows of square images.

    Attributes:
        parts: arrays of each cache.
        size: side of the images [px].
        counts: rows of each cache.

    Raises:
        InputError: the sizes of the images differ, or `opened` raises it.
    """

    def __init__(self, folders: Sequence[Path], opened: Callable[[Path], Arrays]) -> None:
        self.parts = [opened(folder) for folder in folders]
        sizes = {part["image"].shape[1] for part in self.parts}
        if len(sizes) != 1:
            raise InputError(f"{', '.join(map(str, folders))}: sizes {sorted(sizes)} differ, one size is needed")
        self.size: int = sizes.pop()
        self.counts: Int[np.ndarray, " caches"] = np.array([len(part["image"]) for part in self.parts])
        self._starts = np.cumsum([0, *self.counts])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def column(self, name: str) -> np.ndarray:
        """An array of all rows."""
        return np.concatenate([part[name] for part in self.parts])

    def rows(self, name: str, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """The rows of an array at `indices`."""
        places = np.searchsorted(self._starts, indices, side="right") - 1
        return np.stack(
            [self.parts[k][name][index - self._starts[k]] for k, index in zip(places, indices, strict=True)]
        )
