"""Run numbered pieces of work in a pool of processes. Pieces of a process that was killed are run again.

A job is called once in each process. It loads what the work needs and returns the function that does a piece.
`ray_cluster` runs the same jobs on a Ray cluster.
"""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from illures.errors import InputError, InputWarning
from illures.io.decoding import one_line
from illures.io.files import check_writable, write_error
from illures.jobs.signals import terminal_signals_blocked

Work = Callable[[int], Any]  # maps the number of a piece to its result, which is pickled
Job = Callable[[], Work]  # called once in each process; may raise InputError
Results = Generator[tuple[int, Any], None, None]  # (number, result) of each piece, in any order

LOCK = ".lock"  # name of the lock file in an output folder
RESTARTS = 3  # restarts of the pool in a row without a finished piece, before giving up
LOSSES = 3  # the same for actors on Ray: deaths per actor

_WORK: Work | InputError | None = None  # the open job of this worker process, or the error of opening it


def in_processes(job: Job, pieces: Sequence[int], workers: int | None = None) -> Results:
    """Run pieces of work in a pool of processes. Closing the generator ends the processes.

    Args:
        job: the work.
        pieces: numbers of the pieces to run.
        workers: number of processes; None for the number of CPUs. With 1 the work runs in this process.

    Raises:
        InputError: the job can't be opened, or processes were killed repeatedly.
    """
    workers = min(workers or os.cpu_count() or 1, len(pieces))
    if workers > 1 and (reason := _why_alone()):
        warnings.warn(f"workers = {workers}: one process does the work ({reason})", InputWarning, stacklevel=2)
        workers = 1
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


def _why_alone() -> str:
    """Why processes can't work together here, as without a /dev/shm that can be written; "" where they can."""
    try:
        with terminal_signals_blocked():
            multiprocessing.get_context("spawn").Lock()
    except (OSError, ImportError) as error:  # the second where the system has no semaphores at all
        return f"this system gives it no semaphores: {one_line(error)}"
    return ""


def _until_broken(job: Job, pieces: Sequence[int], workers: int) -> Results:
    """Run pieces in one pool. Raises BrokenProcessPool if a process died; pieces not yielded yet must be run again."""
    waiting = list(reversed(pieces))
    running: dict[Future[Any], int] = {}
    with terminal_signals_blocked():  # also Python's resource tracker
        # Spawned, as threads of native libraries do not survive a fork.
        executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker, (job,))
    try:
        while waiting or running:
            # Two pieces per worker: none is idle, and results do not accumulate in memory.
            while waiting and len(running) < 2 * workers:
                with terminal_signals_blocked():  # handled by this process
                    future = executor.submit(_worker_piece, waiting[-1])
                running[future] = waiting[-1]
                waiting.pop()
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=lambda future: future.exception() is not None):
                yield running.pop(future), future.result()
    finally:
        # After Ctrl-C or an error, pieces in progress are not waited for.
        processes = list((executor._processes or {}).values())
        executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _start_worker(job: Job) -> None:
    global _WORK
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _WORK = job()
    except InputError as error:  # raised here, it would become a BrokenProcessPool
        _WORK = error


def _end_with_parent() -> None:
    """Exit with the parent process: if it was killed, it could not end its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _worker_piece(piece: int) -> Any:
    if isinstance(_WORK, InputError):
        raise _WORK
    assert _WORK is not None, "the pool starts each worker with `_start_worker`"
    return _WORK(piece)


@contextmanager
def one_writer(out: Path) -> Iterator[None]:
    """Lock an output folder for this process. The operating system releases the lock when the process ends.

    Raises:
        InputError: another process holds the lock, or the folder can't be written to.
    """
    check_writable(out)
    path = out / LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise write_error(path, error) from error
    try:
        _lock(descriptor, out)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, out: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(f"{out}: another command is writing to this folder") from error
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise write_error(out, error) from error
        words = "this disk has no locks; see to it that no other command writes to the folder"
        warnings.warn(f"{out}: {words}", InputWarning, stacklevel=4)
