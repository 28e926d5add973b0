"""Make a synthetic set: shards of views, rendered by a pool of processes; what is stopped goes on where it was."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from illures.data.shards import write_shard
from illures.errors import InputError
from illures.synth.recipes import Recipe, to_json
from illures.synth.views import Heads, Studio, render_view

_STUDIO: Studio | InputError | None = None  # of this worker process, or why there is none


def generate(
    recipe: Recipe,
    out: Path,
    workers: int = 2,
    resume: bool = True,
    make_heads: Callable[[Recipe], Heads] | None = None,
) -> None:
    """Render the set that a recipe describes to `out`/shard-NNNNNN.tar.

    Args:
        recipe: what to make.
        out: folder; made if it is not there.
        workers: processes, one thread each.
        resume: keep the finished shards that `out` has from the same recipe.
        make_heads: builds the source of heads in each process; None: the models that the recipe names.

    Raises:
        InputError: `out` holds another set, or something that rendering needs is missing.
    """
    if workers < 1:
        raise InputError(f"workers = {workers}: must be at least 1")
    missing = _prepare(recipe, out, resume)
    make_heads = make_heads or default_heads
    if not missing:
        return
    if workers == 1:
        _progress((_shard(_studio(recipe, make_heads), out, k) for k in missing), recipe, len(missing))
        return
    # Spawned, as Dr.Jit's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(missing)), context, _start_worker, (recipe, make_heads))
    try:
        futures = [pool.submit(_worker_shard, out, k) for k in missing]
        _progress((future.result() for future in as_completed(futures)), recipe, len(missing))
    except BaseException:
        # Ctrl-C or a failure: drop what waits and end the processes; unfinished shards have left nothing behind.
        processes = list(pool._processes.values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        raise
    pool.shutdown()


def shard_path(out: Path, shard: int) -> Path:
    """Where a shard lies."""
    return out / f"shard-{shard:06d}.tar"


def default_heads(recipe: Recipe) -> Heads:
    """The head models that the recipe names."""
    from illures.synth.heads import head_source

    return head_source(recipe.ict, recipe.ict_share, recipe.seed)


def _prepare(recipe: Recipe, out: Path, resume: bool) -> list[int]:
    """Make the folder, hold it to one recipe; returns the shards that are missing."""
    out.mkdir(parents=True, exist_ok=True)
    note = out / "recipe.json"
    if note.exists() and note.read_text() != to_json(recipe):
        raise InputError(f"{note}: this folder holds a set of another recipe; choose another folder")
    missing = [k for k in range(recipe.shards) if not shard_path(out, k).exists()]
    if not resume and len(missing) < recipe.shards:
        raise InputError(f"{out}: already holds shards; resume, or choose another folder")
    note.write_text(to_json(recipe))
    for partial in out.glob(".shard-*.part"):
        partial.unlink()
    return missing


def _studio(recipe: Recipe, make_heads: Callable[[Recipe], Heads]) -> Studio:
    """Load everything once, on one thread."""
    # One thread a process is fastest: threads of two processes on the same cores wait for each other.
    os.environ["OIDN_NUM_THREADS"] = "1"
    import cv2

    from illures.synth import kernels, lights

    cv2.setNumThreads(1)
    kernels.start(threads=1)
    if recipe.denoise:
        try:
            import pyoidn  # noqa: F401
        except ImportError as error:
            raise InputError(f"pyoidn: {error}; install it or set denoise to false") from error
    hdris = list(lights.load_hdris(recipe.hdri).values()) if recipe.hdri else []
    return Studio(recipe, make_heads(recipe), hdris)


def _start_worker(recipe: Recipe, make_heads: Callable[[Recipe], Heads]) -> None:
    global _STUDIO
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _STUDIO = _studio(recipe, make_heads)
    except InputError as error:  # raised here, it would reach the user as a broken pool
        _STUDIO = error


def _end_with_parent() -> None:
    """A parent that was killed could not end its workers; they end themselves."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _worker_shard(out: Path, shard: int) -> int:
    if isinstance(_STUDIO, InputError):
        raise _STUDIO
    assert _STUDIO is not None, "the pool starts each worker with `_start_worker`"
    return _shard(_STUDIO, out, shard)


def _shard(studio: Studio, out: Path, shard: int) -> int:
    """Render and write one shard; returns its number of views."""
    recipe = studio.recipe
    first = shard * recipe.views_per_shard
    indices = range(first, min(first + recipe.views_per_shard, recipe.views))
    write_shard(shard_path(out, shard), ((f"{index:06d}", render_view(studio, index)) for index in indices))
    return len(indices)


def _progress(counts: Iterable[int], recipe: Recipe, shards: int) -> None:
    """Run through finished shards with a progress bar."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = TextColumn("views"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns) as progress:
        task = progress.add_task("views", total=min(shards * recipe.views_per_shard, recipe.views))
        for count in counts:
            progress.advance(task, count)
