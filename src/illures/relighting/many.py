"""The job of a worker of a cluster: relight each photo into a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from illures.decompose.many import Network
from illures.relighting.batch import Job, relight_one


@dataclass(frozen=True)
class RelightPhotos:
    """The job: a picture of each photo for each light."""

    network: Network
    job: Job

    def __call__(self) -> Callable[[Path, Path], int]:
        """Load the network; returns what relights a photo into a new folder and returns its number of faces."""
        decomposer = self.network.open()

        def do(photo: Path, folder: Path) -> int:
            return relight_one(decomposer, photo, folder, self.job.files(folder), self.job).faces

        return do
