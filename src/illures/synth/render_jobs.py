"""Rendering of shards as tasks, for processes of this machine or a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from illures.data.shards import shard_bytes
from illures.errors import InputError
from illures.jobs.pool import in_processes
from illures.synth.renderer.views import Posable, Studio, render_view
from illures.synth.sets import Recipe, fingerprint

People = Callable[[int], Posable]  # from the number of a person to the person
MakePeople = Callable[[Recipe], People]
Shards = Generator[tuple[int, bytes], None, None]  # number and bytes of each shard, in any order


@dataclass(frozen=True)
class RenderJob:
    """Rendering the shards of a recipe (see `jobs`).

    Attributes:
        recipe: of the set.
        make_people: builds the source of people in each process.
        expected: fingerprint of the recipe, which the files of each node must match; or None.
    """

    recipe: Recipe
    make_people: MakePeople
    expected: str | None = None

    def __call__(self) -> Callable[[int], bytes]:
        """Open the studio; raises an InputError if a requirement of rendering is missing or differs."""
        if self.expected is not None:
            for path in files(self.recipe):
                if not path.exists():
                    raise InputError(f"{path} is not there; every node of the cluster needs it at this path")
            if fingerprint(self.recipe) != self.expected:
                names = ", ".join(map(str, files(self.recipe)))
                raise InputError(f"differs from this machine in the contents of {names}")
        return partial(render_shard, open_studio(self.recipe, self.make_people))


def render(recipe: Recipe, shards: Sequence[int], make_people: MakePeople, workers: int | None = None) -> Shards:
    """Render shards in a pool of processes (see `jobs.pool.in_processes`)."""
    return in_processes(RenderJob(recipe, make_people), shards, workers)


def files(recipe: Recipe) -> list[Path]:
    """Files and folders that a recipe names."""
    models = [Path(file) for file in (model.partition("=")[2] for model in recipe.models) if file]
    return models + ([recipe.hdri] if recipe.hdri else [])


def open_studio(recipe: Recipe, make_people: MakePeople) -> Studio:
    """Load everything for rendering, on one thread.

    Raises:
        InputError: a requirement is missing.
    """
    # One thread per process is fastest, as threads of two processes on the same cores wait for each other.
    os.environ["OIDN_NUM_THREADS"] = "1"
    import cv2

    from illures.io.environment_maps import load_hdris
    from illures.synth.renderer import kernels

    cv2.setNumThreads(1)
    kernels.start(threads=1)
    if recipe.denoise:
        try:
            import pyoidn  # noqa: F401
        except ImportError as error:
            raise InputError(f"pyoidn: {error}; install it or set denoise to false") from error
    hdris = list(load_hdris(recipe.hdri).values()) if recipe.hdri else []
    return Studio(recipe, make_people(recipe), hdris)


def render_shard(studio: Studio, shard: int) -> bytes:
    """The bytes of a shard, which are reproducible."""
    views = ((f"{index:07d}", render_view(studio, index)) for index in studio.recipe.shard_views(shard))
    return shard_bytes(views)
