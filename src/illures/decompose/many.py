"""The job of a worker of a cluster: decompose each photo into a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from illures.decompose.batch import decompose_one
from illures.decompose.decomposer import Decomposer
from illures.decompose.map_files import DEFAULT
from illures.errors import InputError
from illures.faces.finder import FaceFinder
from illures.io.formats import Format


@dataclass(frozen=True)
class Network:
    """The network and the finder of faces, to be opened in another process.

    Attributes:
        weights: a file that every node has, or a name of the package; None: the best of the package.
        hash: of the weights, so that no node works with others.
        size: side of the crops [px]; None: what the network was trained on.
        faces: which faces count.
    """

    weights: str | None
    hash: str
    size: int | None = None
    faces: FaceFinder = FaceFinder()

    def open(self) -> Decomposer:
        """Load it, for one CPU.

        Raises:
            InputError: the file is missing or is no weights file, or holds other weights.
        """
        from illures.model.averaged import for_photos
        from illures.model.predictor import Predictor
        from illures.model.weights import read_weights

        found = read_weights(self.weights)
        if found.info.hash != self.hash:
            raise InputError(
                f"weights {self.weights or 'of the package'}: {found.info.hash}, where {self.hash} are meant"
            )
        return Decomposer(for_photos(Predictor(found, threads=1)), self.size, self.faces)


@dataclass(frozen=True)
class DecomposePhotos:
    """The job; see `decompose_all`."""

    network: Network
    format: Format
    crop_only: bool = False
    names: tuple[str, ...] = DEFAULT

    def __call__(self) -> Callable[[Path, Path], int]:
        """Load the network; returns what decomposes a photo into a new folder and returns its number of faces."""
        decomposer = self.network.open()

        def do(photo: Path, folder: Path) -> int:
            return decompose_one(decomposer, photo, folder, self.format, self.crop_only, self.names).faces

        return do
