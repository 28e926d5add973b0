"""Run numbered pieces of work (`pool.Job`) on a Ray cluster, with one actor per CPU."""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from illures.errors import InputError
from illures.jobs.pool import LOSSES, Job, Results

# Longest time until the first actor runs [s]: clusters that start machines on demand take minutes.
_START_S = 900
# Of a cluster on this machine: Ray gives it 30 s, which a busy machine may not keep.
_STARTS = 3


def on_ray(job: Job, pieces: Sequence[int], workers: int | None = None, *, address: str) -> Results:
    """Run pieces of work on a Ray cluster. Closing the generator ends the actors.

    Args:
        job: the work; its files must have the same paths on each node.
        pieces: numbers of the pieces to run.
        workers: number of actors; None for the number of CPUs of the cluster. Nodes may join and leave during the run.
        address: "local" starts a cluster on this machine, "auto" connects to the one that runs there; or an address.

    Raises:
        InputError: there is no cluster, the job can't be opened on a node, or actors died repeatedly.
    """
    with connected(address, workers):
        crew = _Crew(job, workers)
        try:
            yield from crew.do(pieces)
        finally:
            crew.dismiss()


class _Actor:
    """The process of one Ray actor."""

    def start(self, job: Job) -> None:
        """Open the job; an InputError names the node."""
        try:
            self._work = job()
        except InputError as error:
            raise InputError(f"node {socket.gethostname()}: {error}") from error

    def do(self, piece: int) -> Any:
        """Run one piece."""
        return self._work(piece)


class _Crew:
    """The actors of a run: those that are starting (they may wait long for a CPU), and those that work."""

    def __init__(self, job: Job, most: int | None) -> None:
        import ray

        self._ray, self._job, self._most = ray, job, most
        self._actor: Any = ray.remote(num_cpus=1, max_restarts=0)(_Actor)
        self._starting: dict[Any, Any] = {}  # result reference -> actor
        self._working: dict[Any, tuple[Any, int]] = {}  # result reference -> actor, piece

    def do(self, pieces: Sequence[int]) -> Results:
        """Assign pieces to actors as they become free, and yield the results."""
        waiting, losses = deque(pieces), 0
        while waiting or self._working:
            wanted = self._fill(len(waiting) + len(self._working))
            reference = self._next()
            actor, piece = self._working.pop(reference, (self._starting.pop(reference, None), None))
            try:
                result = self._result(reference)
            except self._ray.exceptions.RayError as error:  # the actor or its node is gone
                self._ray.kill(actor)
                if piece is not None:
                    waiting.appendleft(piece)
                losses += 1
                if losses > LOSSES * wanted:
                    raise InputError(f"Ray: {losses} workers in a row died; the last: {first_line(error)}") from error
                continue
            if waiting:
                following = waiting.popleft()
                self._working[actor.do.remote(following)] = actor, following
            else:
                self._ray.kill(actor)
            if piece is not None:
                losses = 0
                yield piece, result

    def _next(self) -> Any:
        """Wait for the next call to end. Work has no time limit, but the first actor must start within `_START_S`."""
        limit = None if self._working else _START_S
        done, _ = self._ray.wait([*self._working, *self._starting], num_returns=1, fetch_local=False, timeout=limit)
        if not done:
            raise InputError(f"Ray: no worker started within {_START_S} s; are all CPUs of the cluster taken?")
        return done[0]

    def dismiss(self) -> None:
        """End all actors."""
        for actor in [*self._starting.values(), *(actor for actor, _ in self._working.values())]:
            self._ray.kill(actor)

    def _fill(self, pieces: int) -> int:
        """Start actors on free CPUs, at most one per piece; returns the number wanted."""
        cpus = max(1, int(self._ray.cluster_resources().get("CPU", 0)))
        wanted = min(cpus, self._most or cpus, pieces)
        while len(self._starting) + len(self._working) < wanted:
            actor = self._actor.remote()
            self._starting[actor.start.remote(self._job)] = actor
        return wanted

    def _result(self, reference: Any) -> Any:
        """Return what a call returned, or raise what it raised; a `RayError` if its actor died."""
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause or error from None


@contextmanager
def connected(address: str, workers: int | None) -> Iterator[None]:
    """Connect to a Ray cluster, without its log output.

    Args:
        address: "local" starts a cluster on this machine, "auto" connects to the one that runs there; or an address.
        workers: CPUs of a cluster that is started; None for all.

    Raises:
        InputError: Ray is not installed, or there is no cluster.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError as error:
        raise InputError(f'ray: {error}; install it with pip install "illures[ray]"') from error
    own: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False} if address == "local" else {}
    for tries_left in range(_STARTS - 1, -1, -1):
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
            break
        except Exception as error:  # Ray raises many types, also a plain Exception
            ray.shutdown()
            if not (own and tries_left and "timed out" in str(error)):
                raise InputError(f"Ray, address {address!r}: {first_line(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def first_line(error: BaseException) -> str:
    """First line of an exception's message, or its type if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
