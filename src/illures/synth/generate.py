"""Render a synthetic set: shards of views, on this machine or a cluster; interrupted sets are continued."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import ProgressColumn, Task, TextColumn
from rich.text import Text

from illures.errors import InputError
from illures.io.files import write_whole
from illures.jobs.pool import one_writer
from illures.jobs.progress import Progress, timed_columns
from illures.synth import ray_jobs, render_jobs
from illures.synth.render_jobs import MakePeople, People
from illures.synth.sets import Recipe, to_json

_SPEED_WINDOW = 1800.0  # a shard may take minutes; speeds are means over this long [s]


def generate(
    recipe: Recipe,
    out: Path,
    workers: int | None = None,
    ray: str | None = None,
    make_people: MakePeople | None = None,
) -> None:
    """Render the set that a recipe describes to `out`/shard-NNNNNN.tar; finished shards are kept.

    Args:
        recipe: what to make.
        out: folder; created if missing. Only this process writes to it, so workers need no access.
        workers: processes, one thread each; None: as many as this machine, or the Ray cluster, has CPUs.
        ray: render on Ray: "auto" joins the cluster on this machine, "local" starts one, anything else is the address
            of one. None: a pool of processes on this machine.
        make_people: builds the source of people in each process; None: the models that the recipe names.

    Raises:
        InputError: `out` holds another set or is being written to, or a requirement of rendering is missing.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers = {workers}: must be at least 1")
    if make_people is None:
        _check_files(recipe)
    backend = render_jobs.render if ray is None else partial(ray_jobs.render, address=ray)
    with one_writer(out):
        missing = _prepare(recipe, out)
        if missing:
            with closing(backend(recipe, missing, make_people or default_people, workers)) as shards:
                _progress(_written(shards, out, recipe), recipe, missing)


def shard_path(out: Path, shard: int) -> Path:
    """Path of a shard."""
    return out / f"shard-{shard:06d}.tar"


def default_people(recipe: Recipe) -> People:
    """People of the head models that the recipe names."""
    from illures.synth.heads.models import people

    return people(recipe)


def _check_files(recipe: Recipe) -> None:
    """Check models and maps before a folder is created and workers start."""
    from illures.io.environment_maps import load_hdris
    from illures.synth.heads.models import load_model

    for model in recipe.models:
        load_model(model)
    if recipe.hdri is not None:
        load_hdris(recipe.hdri)


def _prepare(recipe: Recipe, out: Path) -> list[int]:
    """Check that the folder has the same recipe, and remove partial files; returns the missing shards."""
    note, text = out / "recipe.json", to_json(recipe)
    kept = note.read_text() if note.exists() else None
    if kept != text:
        if kept is not None and any(out.glob("*.tar")):
            raise InputError(f"{note}: this folder holds a set of another recipe; choose another folder")
        write_whole(note, text.encode())
    for left in out.glob(".shard-*.part*"):  # of dead processes, as we hold the lock
        left.unlink()
    return [k for k in range(recipe.shards) if not shard_path(out, k).exists()]


def _written(shards: Iterable[tuple[int, bytes]], out: Path, recipe: Recipe) -> Iterator[int]:
    """Write shards as they arrive; yields the number of views in each."""
    for shard, data in shards:
        write_whole(shard_path(out, shard), data)
        yield len(recipe.shard_views(shard))


class _Speed(ProgressColumn):
    """Views a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.3g} views/s" if speed else "", style="progress.data.speed")


def _progress(counts: Iterable[int], recipe: Recipe, shards: list[int]) -> None:
    """Run through finished shards with a progress bar."""
    columns = TextColumn("views"), *timed_columns(_Speed())
    with Progress(
        *columns, console=Console(stderr=True), unit="views", speed_estimate_period=_SPEED_WINDOW
    ) as progress:
        task = progress.add_task("views", total=sum(len(recipe.shard_views(k)) for k in shards))
        for count in counts:
            progress.advance(task, count)
