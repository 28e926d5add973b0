"""Long work in numbered pieces, done by processes of this machine or on a Ray cluster; what dies is done again.

A job opens in each process once, which loads what the work needs, and gives the function that does a piece.
"""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from illures.errors import InputError
from illures.files import check_writable, write_error

Work = Callable[[int], Any]  # the number of a piece to its result, which travels between processes
Job = Callable[[], Work]  # opened in each process; may raise InputError
Results = Generator[tuple[int, Any], None, None]  # number and result of each piece, in any order

RESTARTS = 3  # in a row that finish no piece
_LOSSES = 3  # of each actor on average, in a row and without a finished piece

_WORK: Work | InputError | None = None  # of this worker process, or why there is none


def in_processes(job: Job, pieces: Sequence[int], workers: int | None = None) -> Results:
    """Do pieces of work in a pool; closing the generator ends the processes.

    Args:
        job: what to do.
        pieces: numbers of those to do.
        workers: processes; None: as many as there are CPUs. One works in this process.

    Raises:
        InputError: the job can't be opened, or processes are killed again and again.
    """
    workers = min(workers or os.cpu_count() or 1, len(pieces))
    if workers <= 1:
        work = job()
        for piece in pieces:
            yield piece, work(piece)
        return
    missing, losses = list(pieces), 0
    while missing:
        try:
            for piece, result in _until_broken(job, tuple(missing), workers):
                missing.remove(piece)
                losses = 0
                yield piece, result
        except BrokenProcessPool as error:
            losses += 1
            if losses > RESTARTS:
                reason = f"worker processes were killed {losses} times in a row, perhaps as memory ran out"
                raise InputError(f"workers = {workers}: {reason}; try fewer") from error


def _until_broken(job: Job, pieces: Sequence[int], workers: int) -> Results:
    """Work with one pool; raises BrokenProcessPool when a process died: pieces that are not out yet are lost."""
    waiting = list(reversed(pieces))
    running: dict[Future[Any], int] = {}
    # Spawned, as threads of native libraries do not survive a fork.
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker, (job,))
    try:
        while waiting or running:
            # One more each than they work on: nobody waits, and results do not pile up in memory.
            while waiting and len(running) < 2 * workers:
                running[executor.submit(_worker_piece, waiting[-1])] = waiting[-1]
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


def _start_worker(job: Job) -> None:
    global _WORK
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _WORK = job()
    except InputError as error:  # raised here, it would reach the user as a broken pool
        _WORK = error


def _end_with_parent() -> None:
    """A parent that was killed could not end its workers; they end themselves."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _worker_piece(piece: int) -> Any:
    if isinstance(_WORK, InputError):
        raise _WORK
    assert _WORK is not None, "the pool starts each worker with `_start_worker`"
    return _WORK(piece)


def on_ray(job: Job, pieces: Sequence[int], workers: int | None = None, *, address: str) -> Results:
    """Do pieces of work on a Ray cluster, an actor a CPU; closing the generator ends the actors.

    Args:
        job: what to do; the files that it names must be at the same paths on each node.
        pieces: numbers of those to do.
        workers: actors; None: as many as the cluster has CPUs, which may join and leave meanwhile.
        address: "local" starts a cluster on this machine, "auto" joins the one that runs there.

    Raises:
        InputError: there is no cluster, the job can't be opened on a node, or actors die again and again.
    """
    with _connected(address, workers):
        crew = _Crew(job, workers)
        try:
            yield from crew.do(pieces)
        finally:
            crew.dismiss()


class _Actor:
    """What runs in a Ray actor."""

    def start(self, job: Job) -> None:
        """Open the job; what is wrong names the node."""
        try:
            self._work = job()
        except InputError as error:
            raise InputError(f"node {socket.gethostname()}: {error}") from error

    def do(self, piece: int) -> Any:
        return self._work(piece)


class _Crew:
    """The actors of a run: those that start (and wait for a CPU, maybe long), and those that work."""

    def __init__(self, job: Job, most: int | None) -> None:
        import ray

        self._ray, self._job, self._most = ray, job, most
        self._actor: Any = ray.remote(num_cpus=1, max_restarts=0)(_Actor)
        self._starting: dict[Any, Any] = {}  # reference to the result -> actor
        self._working: dict[Any, tuple[Any, int]] = {}  # likewise -> actor and piece

    def do(self, pieces: Sequence[int]) -> Results:
        """Deal pieces to actors as these become free."""
        waiting, losses = deque(pieces), 0
        while waiting or self._working:
            wanted = self._fill(len(waiting) + len(self._working))
            (reference,), _ = self._ray.wait([*self._working, *self._starting], num_returns=1, fetch_local=False)
            actor, piece = self._working.pop(reference, (self._starting.pop(reference, None), None))
            try:
                result = self._result(reference)
            except self._ray.exceptions.RayError as error:  # the actor or its node is gone
                self._ray.kill(actor)
                if piece is not None:
                    waiting.appendleft(piece)
                losses += 1
                if losses > _LOSSES * wanted:
                    raise InputError(f"Ray: {losses} workers in a row died; the last: {_line(error)}") from error
                continue
            if waiting:
                following = waiting.popleft()
                self._working[actor.do.remote(following)] = actor, following
            else:
                self._ray.kill(actor)
            if piece is not None:
                losses = 0
                yield piece, result

    def dismiss(self) -> None:
        """End all actors."""
        for actor in [*self._starting.values(), *(actor for actor, _ in self._working.values())]:
            self._ray.kill(actor)

    def _fill(self, pieces: int) -> int:
        """Start actors on CPUs that have none, up to one a piece; returns how many there should be."""
        cpus = max(1, int(self._ray.cluster_resources().get("CPU", 0)))
        wanted = min(cpus, self._most or cpus, pieces)
        while len(self._starting) + len(self._working) < wanted:
            actor = self._actor.remote()
            self._starting[actor.start.remote(self._job)] = actor
        return wanted

    def _result(self, reference: Any) -> Any:
        """What a call returned or raised; a `RayError` if it was lost."""
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause or error from None


@contextmanager
def _connected(address: str, workers: int | None) -> Iterator[None]:
    """Be a quiet driver of the cluster."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError as error:
        raise InputError(f"ray: {error}; install it with pip install illures[ray]") from error
    own: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise InputError(f"Ray, address {address!r}: {_line(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def one_writer(out: Path) -> Iterator[None]:
    """Hold a folder for this process; the lock goes with the process, however it ends.

    Raises:
        InputError: another process holds it, or it can't be written to.
    """
    check_writable(out)
    path = out / ".lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise write_error(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise InputError(f"{out}: another command is writing to this folder") from error
    finally:
        os.close(descriptor)


def _line(error: BaseException) -> str:
    """The first line of what an exception says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
