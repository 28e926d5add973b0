"""Keep signals of the terminal away from child processes: only the process that the user started handles them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

# What a terminal sends to a command and to all that it started.
_OF_TERMINALS = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def terminal_signals_blocked() -> Iterator[None]:
    """Processes that are started in the block ignore Ctrl-C and a closed terminal; their parent ends them.

    They ignore them even while they start, when Python would print a traceback. In this process these signals, and
    SIGTERM, take effect when the block ends: no process is half started.
    """
    with signals_held_back():
        if not hasattr(signal, "pthread_sigmask"):
            yield
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_TERMINALS)
        try:
            # It is started here, so that it inherits the mask; CPython 3.11 unblocks SIGINT when it starts it.
            resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, _OF_TERMINALS)
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Hold back the signals that end this process by an exception (SIGINT, SIGTERM, SIGHUP) until the block has ended.

    Only the main thread gets such exceptions: in others nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = [*_OF_TERMINALS, signal.SIGTERM]
    before: dict[int, Any] = {number: signal.getsignal(number) for number in numbers}
    before = {number: handler for number, handler in before.items() if callable(handler)}
    for number in before:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came[:1]:
            signal.raise_signal(number)
