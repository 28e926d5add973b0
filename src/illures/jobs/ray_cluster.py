"""Pieces of work on a Ray cluster, an actor a CPU."""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from illures.errors import InputError
from illures.jobs.pool import _LOSSES, Job, Results

# Until the first worker runs, where none does [s]: clusters that grow on demand take minutes.
_START_S = 900
# Of a cluster on this machine: Ray gives it 30 s, which a busy machine may not keep.
_STARTS = 3


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
    with connected(address, workers):
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
            reference = self._next()
            actor, piece = self._working.pop(reference, (self._starting.pop(reference, None), None))
            try:
                result = self._result(reference)
            except self._ray.exceptions.RayError as error:  # the actor or its node is gone
                self._ray.kill(actor)
                if piece is not None:
                    waiting.appendleft(piece)
                losses += 1
                if losses > _LOSSES * wanted:
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
        """The first call that ends; a worker may take as long as it likes, but one must begin."""
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
def connected(address: str, workers: int | None) -> Iterator[None]:
    """Be a quiet driver of the cluster.

    Args:
        address: "local" starts a cluster on this machine, "auto" joins the one that runs there; or an address.
        workers: CPUs of a cluster that is started; None: all.

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
        except Exception as error:  # of many kinds, also the bare one
            ray.shutdown()
            if not (own and tries_left and "timed out" in str(error)):
                raise InputError(f"Ray, address {address!r}: {first_line(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def first_line(error: BaseException) -> str:
    """The first line of what an exception says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
