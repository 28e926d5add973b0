"""Render shards on a Ray cluster, one actor a CPU. The nodes share no disk: a shard comes back as bytes."""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from illures.errors import InputError
from illures.synth.pool import MakePeople, Shards, open_studio, render_shard
from illures.synth.recipes import Recipe, fingerprint
from illures.synth.views import Studio

_LOSSES = 3  # of each worker on average, in a row and without a finished shard


def render(
    recipe: Recipe, shards: Sequence[int], make_people: MakePeople, workers: int | None = None, *, address: str
) -> Shards:
    """Render shards; closing the generator ends the actors. What dies with an actor or a node is rendered again.

    Args:
        recipe: of the set; each node needs its model files and environment maps at the same paths.
        shards: numbers of those to render.
        make_people: builds the source of people in each actor.
        workers: actors; None: as many as the cluster has CPUs, which may join and leave meanwhile.
        address: "local" starts a cluster on this machine, "auto" joins the one that runs there.

    Raises:
        InputError: there is no cluster, a node lacks something, or actors die again and again.
    """
    # Workers have folders of their own; the bytes of a set depend on names and contents alone.
    recipe = replace(recipe, models=tuple(map(_absolute, recipe.models)), hdri=recipe.hdri and recipe.hdri.resolve())
    with _connected(address, workers):
        crew = _Crew(recipe, make_people, workers)
        try:
            yield from crew.render(shards)
        finally:
            crew.dismiss()


class _Worker:
    """What runs in an actor."""

    def start(self, recipe: Recipe, make_people: MakePeople, expected: str) -> None:
        """Open the studio; `expected` is the driver's fingerprint of the recipe."""
        node = f"node {socket.gethostname()}"
        for path in _files(recipe):
            if not path.exists():
                raise InputError(f"{node}: {path} is not there; every node of the cluster needs it at this path")
        if fingerprint(recipe) != expected:
            names = ", ".join(map(str, _files(recipe)))
            raise InputError(f"{node}: differs from this machine in the contents of {names}")
        try:
            self._studio: Studio = open_studio(recipe, make_people)
        except InputError as error:
            raise InputError(f"{node}: {error}") from error

    def render(self, shard: int) -> bytes:
        return render_shard(self._studio, shard)


class _Crew:
    """The actors of a run: those that start (and wait for a CPU, maybe long), and those that render."""

    def __init__(self, recipe: Recipe, make_people: MakePeople, most: int | None) -> None:
        import ray

        self._ray, self._most = ray, most
        self._worker: Any = ray.remote(num_cpus=1, max_restarts=0)(_Worker)
        self._start = recipe, make_people, fingerprint(recipe)
        self._starting: dict[Any, Any] = {}  # reference to the result -> actor
        self._rendering: dict[Any, tuple[Any, int]] = {}  # likewise -> actor and shard

    def render(self, shards: Sequence[int]) -> Shards:
        """Deal shards to actors as these become free."""
        waiting, losses = deque(shards), 0
        while waiting or self._rendering:
            wanted = self._fill(len(waiting) + len(self._rendering))
            (reference,), _ = self._ray.wait([*self._rendering, *self._starting], num_returns=1, fetch_local=False)
            actor, shard = self._rendering.pop(reference, (self._starting.pop(reference, None), None))
            try:
                data = self._result(reference)
            except self._ray.exceptions.RayError as error:  # the actor or its node is gone
                self._ray.kill(actor)
                if shard is not None:
                    waiting.appendleft(shard)
                losses += 1
                if losses > _LOSSES * wanted:
                    raise InputError(f"Ray: {losses} workers in a row died; the last: {_line(error)}") from error
                continue
            if waiting:
                following = waiting.popleft()
                self._rendering[actor.render.remote(following)] = actor, following
            else:
                self._ray.kill(actor)
            if shard is not None:
                losses = 0
                yield shard, data

    def dismiss(self) -> None:
        """End all actors."""
        for actor in [*self._starting.values(), *(actor for actor, _ in self._rendering.values())]:
            self._ray.kill(actor)

    def _fill(self, shards: int) -> int:
        """Start actors on CPUs that have none, up to one a shard; returns how many there should be."""
        cpus = max(1, int(self._ray.cluster_resources().get("CPU", 0)))
        wanted = min(cpus, self._most or cpus, shards)
        while len(self._starting) + len(self._rendering) < wanted:
            actor = self._worker.remote()
            self._starting[actor.start.remote(*self._start)] = actor
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


def _files(recipe: Recipe) -> list[Path]:
    """Files and folders that a recipe names."""
    models = [Path(file) for file in (model.partition("=")[2] for model in recipe.models) if file]
    return models + ([recipe.hdri] if recipe.hdri else [])


def _absolute(model: str) -> str:
    """NAME=FILE with the file's whole path."""
    name, _, file = model.partition("=")
    return f"{name}={Path(file).resolve()}" if file else model


def _line(error: BaseException) -> str:
    """The first line of what an exception says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
