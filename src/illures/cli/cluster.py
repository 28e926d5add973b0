"""Options of the commands that work on photos by the million, and how such work is begun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

from illures.cli import where
from illures.cli.options import FaceOptions, Ray, Workers, check_workers
from illures.errors import InputError

if TYPE_CHECKING:
    from illures.decompose.decomposer import Decomposer
    from illures.decompose.many import Network
    from illures.jobs.photos import Report
    from illures.jobs.ray_photos import PhotoJob


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """Photos by the million.

    Attributes:
        shards: With --ray, results go to shards in OUTPUT: WebDataset tars (default), or Parquet files. The photos may
            then also be such shards, folders of them, and lists (a .txt file with a path a line).
        shard_size: With --ray: photos of a shard; a tar or a row group that is read gives one shard.
    """

    ray: Ray = None
    shards: Literal["tar", "parquet"] | None = None
    shard_size: int | None = None
    workers: Workers = None

    def check(self, photos: Sequence[Path], output: Path | None) -> None:
        """Raise an InputError where options do not go together, before any work."""
        from illures.jobs.parts import is_shards

        check_workers(self.workers)
        if self.ray is None:
            for name in ("shards", "shard_size"):
                if getattr(self, name) is not None:
                    raise InputError(f"--{name.replace('_', '-')} {getattr(self, name)}: goes with --ray alone")
            for path in photos:
                if path.suffix and is_shards(path):
                    raise InputError(f"{path}: shards and lists need --ray local (this machine) or --ray auto")
            return
        if output is None or where.is_file(output):
            raise InputError(f"{output or 'no output'}: --ray writes many photos; name a folder with -o")
        if self.shard_size is not None and self.shard_size < 1:
            raise InputError(f"--shard-size {self.shard_size}: must be at least 1")

    def run(self, job: PhotoJob, photos: Sequence[Path], recursive: bool, output: Path, report: Report) -> None:
        """Do the job with all photos; `report` is told of each.

        Raises:
            InputError: there is no cluster, or the folder can't be used.
        """
        from illures.jobs.parts import plan
        from illures.jobs.ray_photos import Cluster, photos_on_ray

        assert self.ray is not None, "`check` tells the two ways apart"
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise InputError('--ray: needs the extra; pip install "illures[ray]"') from error
        parts, problems = plan(photos, recursive, self.shard_size or 100)
        report.more(len(problems))
        for path, problem in problems:
            report.failed(path, problem)
        if parts:
            photos_on_ray(job, parts, output, self.shards or "tar", report, Cluster(self.ray, self.workers))


def network(decomposer: Decomposer, weights: Path | None, size: int | None, faces: FaceOptions) -> Network:
    """The network of this process for other processes; a file by its whole path."""
    from illures.decompose.many import Network

    named = None if weights is None else str(weights.resolve() if weights.exists() else weights)
    return Network(named, decomposer.predictor.info.hash, size, faces.finder())
