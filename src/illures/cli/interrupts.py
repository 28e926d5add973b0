"""What ends a command: Ctrl-C, SIGTERM and a closed terminal, all in the same way."""

from __future__ import annotations

import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_AGAIN_S = 0.2  # after which an interrupt that something swallowed is raised again
_PATIENCE_S = 1.0  # during which further signals do not disturb what is being cleared away


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM and a closed terminal end the block as Ctrl-C does, so that nothing is left; `nohup` stays in force.

    What is at work may turn KeyboardInterrupt into another error, as pybind11 does (ImportError: initialization
    failed) while a module of it is imported: whatever the block raises after a signal is KeyboardInterrupt. What is at
    work may also swallow it, as Python does in the callbacks of weak references: it is raised again, as long as nothing
    is being cleared away because of it.
    """
    if threading.current_thread() is not threading.main_thread():  # handlers can only be set there
        yield
        return
    interrupts = _Interrupts()
    interrupts.begin()
    try:
        yield
    except Exception as error:
        if interrupts.asked:
            raise KeyboardInterrupt from error
        raise
    finally:
        interrupts.end()


class _Interrupts:
    """The handlers, and a thread that reminds of a signal until the block has ended.

    A handler runs in the middle of anything, also of a lock's own code: it takes no lock, and starts no thread.
    """

    def __init__(self) -> None:
        self.asked = False
        self._asked_s = 0.0
        self._ended = self._reminding = False
        self._numbers: queue.SimpleQueue[int | None] = queue.SimpleQueue()  # the one queue that handlers may use
        self._thread = threading.Thread(target=self._remind, daemon=True, name="illures-interrupts")
        self._handlers: dict[int, Any] = {}
        self._hook = sys.unraisablehook

    def begin(self) -> None:
        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers}
        ours_to_take = signal.SIG_DFL, signal.default_int_handler  # and not what is ignored, or has its handler
        self._handlers = {number: handler for number, handler in before.items() if handler in ours_to_take}
        self._thread.start()
        sys.unraisablehook = self._quiet
        for number in self._handlers:
            signal.signal(number, self._interrupt)

    def end(self) -> None:
        self._ended = True
        self._numbers.put(None)
        self._thread.join()
        sys.unraisablehook = self._hook
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _interrupt(self, number: int, frame: object) -> None:
        now_s, reminder = time.monotonic(), self._reminding
        self._reminding = False
        if self._ended:
            return
        if not self.asked:
            self.asked, self._asked_s = True, now_s
            self._numbers.put(number)
        elif _is_clearing_away() and (reminder or now_s - self._asked_s < _PATIENCE_S):
            return
        raise KeyboardInterrupt

    def _remind(self) -> None:
        if hasattr(signal, "pthread_sigmask"):  # signals are the main thread's, whose waiting they end
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        number = self._numbers.get()
        while number is not None:
            try:
                number = self._numbers.get(timeout=_AGAIN_S)
            except queue.Empty:
                self._reminding = True
                _send_to_main_thread(number)

    def _quiet(self, unraisable: Any) -> None:
        """Say nothing of an interrupt that could not be raised where it came: it is raised again."""
        if not (self.asked and issubclass(unraisable.exc_type, KeyboardInterrupt)):
            self._hook(unraisable)


def _send_to_main_thread(number: int | None) -> None:
    assert number is not None
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)


def _is_clearing_away() -> bool:
    """Whether the code that runs now does so because of an interrupt: in an `except`, a `finally` or an `__exit__`."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None
