"""Runs decoding and computation in a separate process, so that a malicious file can crash only that process.

Calls run one after the other. A call that takes too long is killed, and the process is restarted for the next call.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import shutil
import sys
import tempfile
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from illures.errors import InputError
from illures.io.workfolder import WorkFolder
from illures.jobs.signals import terminal_signals_blocked
from illures.web.server.limits import Limits

FOLDER = "illures-studio-"  # prefix of temporary folders
_BEGUN, _DONE, _BAD, _FAILED = "begun", "done", "bad", "failed"


class WorkError(Exception):
    """A call that failed, with a message for the user. The server continues.

    Attributes:
        status: HTTP status: 422 caused by the input, 500 a bug in illures, 503 it took too long.
    """

    def __init__(self, words: str, status: int) -> None:
        super().__init__(words)
        self.status = status


class Worker:
    """Calls methods of `illures.web.server.workbench.Workbench` in a process of its own."""

    def __init__(self, limits: Limits, weights: Path | None = None) -> None:
        """Create the worker; the process starts with the first call.

        Args:
            limits: limits of time and memory.
            weights: weights of the network; None for those in the package.
        """
        self._limits, self._weights = limits, weights
        self._turn = threading.Lock()
        # Held while the process begins or ends: `close` comes from another thread.
        self._changing = threading.RLock()
        self._process: Any = None
        self._started = 0
        self._loaded = self._closed = False
        self._pipe: Connection | None = None
        self._folder: WorkFolder | None = None

    async def do(self, method: str, *arguments: Any) -> Any:
        """Call a method; concurrent calls wait.

        Raises:
            InputError: the input is invalid.
            WorkError: the call took too long, crashed the process, or hit a bug in illures.
        """
        return await asyncio.to_thread(self._do, method, arguments)

    @property
    def started(self) -> int:
        """Number of processes started so far; all but the first replaced one that ended."""
        return self._started

    @property
    def ready(self) -> bool:
        """Whether the process has loaded the network."""
        return self._loaded

    @property
    def folder(self) -> Path | None:
        """Folder of the process's temporary files; None before the first start and after `close`."""
        return self._folder.path if self._folder is not None else None

    def close(self) -> None:
        """End the process. Later calls fail."""
        with self._changing:
            self._closed = True
            self._end()
            if self._folder is not None:
                self._folder.close()
                self._folder = None

    def _do(self, method: str, arguments: tuple[Any, ...]) -> Any:
        with self._turn:
            try:
                kind, answer = self._ask(method, arguments)
            except TimeoutError:
                self._end()
                words = f"stopped, as it took longer than {self._limits.work_s:.0f} seconds"
                raise WorkError(words, 503) from None
            except InputError:  # the temporary folder can't be created
                raise
            except (EOFError, OSError, ValueError):  # ValueError: the process was closed by `close`
                self._end()
                words = "the process that works on files ended (the file is damaged, or too large for the memory)"
                raise WorkError(words, 422) from None
        if kind == _BAD:
            raise InputError(answer)
        if kind == _FAILED:
            raise WorkError(answer, 500)
        return answer

    def _ask(self, method: str, arguments: tuple[Any, ...]) -> tuple[str, Any]:
        try:
            self._hand_over(method, arguments)
        except (TimeoutError, InputError):
            raise
        except (EOFError, OSError, ValueError):  # it ended while idle, so the file is not the cause
            self._end()
            self._hand_over(method, arguments)
        answer = self._received()
        self._loaded = True
        return answer

    def _hand_over(self, method: str, arguments: tuple[Any, ...]) -> None:
        """Send the call to the process, and wait until it has begun."""
        process = self._process
        if process is None or not process.is_alive():
            self._start()
        if self._pipe is None:
            raise EOFError
        self._pipe.send((method, arguments))
        self._received()

    def _received(self) -> Any:
        pipe = self._pipe
        if pipe is None:
            raise EOFError
        if not pipe.poll(self._limits.work_s):
            raise TimeoutError
        return pipe.recv()

    def _start(self) -> None:
        with self._changing:
            self._end()
            if self._closed:
                raise EOFError
            self._folder = self._folder or WorkFolder(FOLDER)
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            arguments = (theirs, self._weights, self._folder.path, self._limits)
            process = context.Process(target=_serve, args=arguments, daemon=True, name="illures-studio-worker")
            with terminal_signals_blocked():  # the server handles them, and ends the process
                process.start()
            self._process = process
            self._started += 1
            theirs.close()

    def _end(self) -> None:
        with self._changing:
            process, pipe = self._process, self._pipe
            self._process = self._pipe = None
            self._loaded = False
            if pipe is not None:
                pipe.close()
            if process is not None:
                process.kill()
                process.join()
                process.close()  # else the garbage collector would warn of open handles
            if self._folder is not None:
                self._folder.clear()  # removes files of a killed process


def _serve(pipe: Connection, weights: Path | None, folder: Path, limits: Limits) -> None:
    """Main loop of the process: runs calls until the server closes the pipe."""
    tempfile.tempdir = str(folder)
    _limit_memory(limits.memory_bytes)
    from illures.web.server.workbench import Workbench

    bench = Workbench(limits, weights)
    with contextlib.suppress(EOFError, OSError):
        while True:
            method, arguments = pipe.recv()
            pipe.send(_BEGUN)
            pipe.send(_answer(bench, method, arguments))
    server = multiprocessing.parent_process()
    if server is not None and not server.is_alive():  # it was killed, and can't remove the folder itself
        shutil.rmtree(folder, ignore_errors=True)


def _answer(bench: Any, method: str, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return _DONE, getattr(bench, method)(*arguments)
    except InputError as error:
        return _BAD, str(error)
    except MemoryError:
        return _BAD, "needs more memory than one request may use; try a smaller image"
    except Exception as error:  # a bug; it must not end the process, and is printed to the terminal
        traceback.print_exc(file=sys.stderr)
        return _FAILED, f"a fault in illures ({type(error).__name__}); the terminal says more"


def _limit_memory(size: int) -> None:
    try:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (size, hard))
    except (ImportError, OSError, ValueError):  # no such limits on this system
        return
