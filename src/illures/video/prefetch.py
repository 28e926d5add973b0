"""Prefetching: items are produced in another thread while the caller works on earlier ones."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from queue import Full, Queue
from typing import Any, TypeVar

QUEUED = 3  # items that wait between two threads
_POLL_S = 0.1  # interval at which a waiting thread checks for a stop

T = TypeVar("T")


@dataclass(frozen=True)
class _End:
    error: BaseException | None = None


def prefetch(items: Iterator[T]) -> Generator[T, None, None]:
    """Produce items in another thread while the caller works on earlier ones; at most `QUEUED` wait.

    Errors of the other thread are raised here; closing the generator stops it.
    """
    queue: Queue[Any] = Queue(QUEUED)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                queue.put(item, timeout=_POLL_S)
                return True
            except Full:
                continue
        return False

    def work() -> None:
        end = _End()
        try:
            while not stopped.is_set() and put(next(items)):
                pass
        except StopIteration:
            pass
        except BaseException as error:  # all of them are raised in the caller's thread
            end = _End(error)
        put(end)
        close = getattr(items, "close", None)
        if close:
            close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item = queue.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        thread.join()
