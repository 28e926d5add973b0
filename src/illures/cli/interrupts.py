"""What ends a command: Ctrl-C, SIGTERM and a closed terminal, all in the same way."""

from __future__ import annotations

import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_AGAIN_S = 0.1  # after which an interrupt that Python swallowed is raised again
_PATIENCE_S = 1.0  # during which further signals do not disturb what is being cleared away


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM and a closed terminal end the block as Ctrl-C does, so that nothing is left; `nohup` stays in force.

    What is at work may turn KeyboardInterrupt into another error, as pybind11 does (ImportError: initialization
    failed) while a module of it is imported: whatever the block raises after a signal is KeyboardInterrupt. Python may
    swallow it, in callbacks of weak references and finalizers, and so may the import of a module that can do without
    what it imports: then it is raised again a moment later.
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
    """The handlers, and a thread that sends a signal again whose exception was swallowed.

    A handler runs in the middle of anything, also of a lock's own code: it takes no lock, and starts no thread.
    """

    def __init__(self) -> None:
        self.asked = False
        self._asked_s = 0.0
        self._ended, self._number = False, 0
        self._numbers: queue.SimpleQueue[int | None] = queue.SimpleQueue()  # the one queue that handlers may use
        self._thread = threading.Thread(target=self._send_again, daemon=True, name="illures-interrupts")
        self._handlers: dict[int, Any] = {}
        self._hook = sys.unraisablehook

    def begin(self) -> None:
        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers}
        ours_to_take = signal.SIG_DFL, signal.default_int_handler  # and not what is ignored, or has its handler
        self._handlers = {number: handler for number, handler in before.items() if handler in ours_to_take}
        self._thread.start()
        sys.unraisablehook = self._swallowed
        for number in self._handlers:
            signal.signal(number, self._interrupt)

    def end(self) -> None:
        self._ended = True
        self._numbers.put(None)
        self._thread.join()
        sys.unraisablehook = self._hook
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._ended:
            return
        now_s = time.monotonic()
        if self.asked and _is_clearing_away() and now_s - self._asked_s < _PATIENCE_S:
            return
        if not self.asked:
            self.asked, self._asked_s, self._number = True, now_s, number
        if _is_importing(frame):
            self._numbers.put(self._number)
        raise KeyboardInterrupt

    def _send_again(self) -> None:
        if hasattr(signal, "pthread_sigmask"):  # signals are the main thread's, whose waiting they end
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while (number := self._numbers.get()) is not None:
            time.sleep(_AGAIN_S)  # until Python has left the callback or the import
            _send_to_main_thread(number)

    def _swallowed(self, unraisable: Any) -> None:
        """Python's hook for exceptions that can't be raised: an interrupt comes again, and nothing is said of it."""
        if self.asked and issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._numbers.put(self._number)
        else:
            self._hook(unraisable)


def _send_to_main_thread(number: int) -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _is_clearing_away() -> bool:
    """Whether the code that runs now does so because of an interrupt: in an `except`, a `finally` or an `__exit__`."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None
