"""Prefetching: threads work on the next items while the caller takes the results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_BYTES_EACH = 2**30  # memory that a photo of 12 megapixels takes at the most


def threads_for(count: int, most: int | None = None) -> int:
    """Number of threads for `count` photos: at most `most`, one a core, and no more than the available memory holds."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(count, most or cores, cores, _available_bytes() // _BYTES_EACH))


def _available_bytes() -> int:
    """Memory that can be had without swapping; a great number where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return 2**63


def in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    threads: int,
    pending: int,
    first: Callable[[], object] | None = None,
) -> Generator[Result, None, None]:
    """The results of all items, in their order; closing the generator drops what has not begun and waits for the rest.

    Args:
        work: safe to call from several threads at a time.
        items: read one by one, in the caller's thread; may be endless.
        threads: how many work.
        pending: most items that are begun or done, and not yet taken.
        first: called once in each thread.
    """
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, initializer=first)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= pending:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def prefetched(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[Callable[[Item], Result]]:
    """Within the block, gives a function that returns the result of the next item, in the order of `items`.

    It raises what `work` raised for that item. At most `threads` items after it are begun. With one thread, `work` runs
    in the caller's. At the end of the block, items not begun are dropped and those in work are waited for.

    Args:
        work: safe to call from several threads at a time.
        items: all of them; each is passed to the function once, in this order.
        threads: how many work.
    """
    if threads == 1:
        yield work
        return
    remaining = iter(items)
    running: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads)

    def result(item: Item) -> Result:
        while len(running) <= threads and (following := next(remaining, None)) is not None:
            running.append(pool.submit(work, following))
        return running.popleft().result()

    try:
        yield result
    finally:
        pool.shutdown(cancel_futures=True)
