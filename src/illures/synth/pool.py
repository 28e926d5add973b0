"""Render shards in a pool of processes on this machine, one thread each; a process that is killed loses nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from illures.data.shards import shard_bytes
from illures.errors import InputError
from illures.synth.recipes import Recipe
from illures.synth.views import Posable, Studio, render_view

People = Callable[[int], Posable]  # from the number of a person to the person
MakePeople = Callable[[Recipe], People]
Shards = Generator[tuple[int, bytes], None, None]  # number and bytes of each shard, in any order

RESTARTS = 3  # in a row that finish no shard

_STUDIO: Studio | InputError | None = None  # of this worker process, or why there is none


def render(recipe: Recipe, shards: Sequence[int], make_people: MakePeople, workers: int | None = None) -> Shards:
    """Render shards; closing the generator ends the processes.

    Args:
        recipe: of the set.
        shards: numbers of those to render.
        make_people: builds the source of people in each process.
        workers: processes; None: as many as there are CPUs. One renders in this process.

    Raises:
        InputError: something that rendering needs is missing, or processes are killed again and again.
    """
    workers = min(workers or os.cpu_count() or 1, len(shards))
    if workers == 1:
        studio = open_studio(recipe, make_people)
        for shard in shards:
            yield shard, render_shard(studio, shard)
        return
    missing, losses = list(shards), 0
    while missing:
        try:
            for shard, data in _until_broken(recipe, tuple(missing), make_people, workers):
                missing.remove(shard)
                losses = 0
                yield shard, data
        except BrokenProcessPool as error:
            losses += 1
            if losses > RESTARTS:
                reason = f"worker processes were killed {losses} times in a row, perhaps as memory ran out"
                raise InputError(f"workers = {workers}: {reason}; try fewer") from error


def open_studio(recipe: Recipe, make_people: MakePeople) -> Studio:
    """Load everything that rendering needs once, on one thread.

    Raises:
        InputError: some of it is missing.
    """
    # One thread a process is fastest: threads of two processes on the same cores wait for each other.
    os.environ["OIDN_NUM_THREADS"] = "1"
    import cv2

    from illures.environment import load_hdris
    from illures.synth import kernels

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
    """The bytes of a shard; the same whenever and wherever it is rendered."""
    views = ((f"{index:07d}", render_view(studio, index)) for index in studio.recipe.shard_views(shard))
    return shard_bytes(views)


def _until_broken(recipe: Recipe, shards: Sequence[int], make_people: MakePeople, workers: int) -> Shards:
    """Render with one pool of processes.

    Raises:
        BrokenProcessPool: a process died; shards that are not out yet are lost.
    """
    waiting = list(reversed(shards))
    running: dict[Future[bytes], int] = {}
    # Spawned, as Dr.Jit's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, context, _start_worker, (recipe, make_people))
    try:
        while waiting or running:
            # One more each than they work on: nobody waits, and finished shards do not pile up in memory.
            while waiting and len(running) < 2 * workers:
                running[executor.submit(_worker_shard, waiting[-1])] = waiting[-1]
                waiting.pop()
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=lambda future: future.exception() is not None):
                yield running.pop(future), future.result()
    finally:
        # At the end nobody works; after Ctrl-C or a failure nobody should.
        processes = list((executor._processes or {}).values())
        executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _start_worker(recipe: Recipe, make_people: MakePeople) -> None:
    global _STUDIO
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _STUDIO = open_studio(recipe, make_people)
    except InputError as error:  # raised here, it would reach the user as a broken pool
        _STUDIO = error


def _end_with_parent() -> None:
    """A parent that was killed could not end its workers; they end themselves."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _worker_shard(shard: int) -> bytes:
    if isinstance(_STUDIO, InputError):
        raise _STUDIO
    assert _STUDIO is not None, "the pool starts each worker with `_start_worker`"
    return render_shard(_STUDIO, shard)
