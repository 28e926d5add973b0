"""Render shards on a Ray cluster. The nodes share no disk: a shard is returned as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from illures.jobs import ray_cluster
from illures.synth.render_jobs import MakePeople, RenderJob, Shards
from illures.synth.sets import Recipe, fingerprint


def render(
    recipe: Recipe, shards: Sequence[int], make_people: MakePeople, workers: int | None = None, *, address: str
) -> Shards:
    """Render shards on Ray (see `jobs.ray_cluster.on_ray`); each node needs the recipe's files at the same paths."""
    # Workers have their own folders; the bytes of a set depend only on names and contents of files.
    recipe = replace(recipe, models=tuple(map(_absolute, recipe.models)), hdri=recipe.hdri and recipe.hdri.resolve())
    return ray_cluster.on_ray(RenderJob(recipe, make_people, fingerprint(recipe)), shards, workers, address=address)


def _absolute(model: str) -> str:
    """NAME=FILE with the file's whole path."""
    name, _, file = model.partition("=")
    return f"{name}={Path(file).resolve()}" if file else model
