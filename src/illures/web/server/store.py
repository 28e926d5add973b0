"""Storage between requests of the studio, in memory only."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from illures.web.server.limits import Limits


class ForgottenError(LookupError):
    """No value has this id: it never existed, or was removed."""


@dataclass
class _Entry:
    value: Any
    size: int
    used: float


class Store:
    """Stores values under random ids. Removes the least recently used beyond a limit, and all after an idle time."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        """Create an empty store; `clock` returns seconds."""
        self._limits, self._clock = limits, clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def put(self, value: Any, size: int, id: str | None = None) -> str:
        """Store a value of `size` bytes; returns its id, which can't be guessed."""
        id = id or new_id()
        self._entries[id] = _Entry(value, size, self._clock())
        self._entries.move_to_end(id)
        while len(self._entries) > 1 and self._over():
            self._entries.popitem(last=False)
        return id

    def get(self, id: str, kind: type) -> Any:
        """Return the value with this id.

        Raises:
            ForgottenError: there is none of type `kind`.
        """
        self._expire()
        entry = self._entries.get(id)
        if entry is None or not isinstance(entry.value, kind):
            raise ForgottenError(id)
        entry.used = self._clock()
        self._entries.move_to_end(id)
        return entry.value

    def drop(self, id: str) -> None:
        """Remove a value, if there is one."""
        self._entries.pop(id, None)

    def __len__(self) -> int:
        self._expire()
        return len(self._entries)

    def _over(self) -> bool:
        total = sum(entry.size for entry in self._entries.values())
        return len(self._entries) > self._limits.held or total > self._limits.held_bytes

    def _expire(self) -> None:
        oldest = self._clock() - self._limits.idle_s
        for id in [id for id, entry in self._entries.items() if entry.used < oldest]:
            del self._entries[id]


def new_id() -> str:
    """128 random bits as text."""
    return secrets.token_urlsafe(16)
