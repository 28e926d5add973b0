"""The `app` that all commands are registered on, exit codes, and errors."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from illures import __version__
from illures.errors import InputError, InputWarning

OK, BAD_INPUT, INTERRUPTED = 0, 2, 130
_CLOSED_PIPE = 141  # 128 + SIGPIPE, as shells report it

Flag = Parameter(negative="")

app = App(
    name="illures",
    help="Decompose photos of faces into albedo, normal, light and residual; make the data and train the networks.",
    version=__version__,
    suppress_keyboard_interrupt=False,  # `main` prints its own message
)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0 all went well, 2 bad input (one line each on stderr), 130 interrupted.

    A reader that closes the pipe (`illures ... | head`) ends the command without a message, with 141.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name may hold what the terminal, or UTF-8, can't say
    warnings.showwarning = _say_warning  # type: ignore[assignment]
    words = sys.argv[1:] if arguments is None else arguments
    words = [escape_direction(current_name(word)) for word in with_token(words)]
    try:
        with _ended_like_ctrl_c():
            code = app(words, exit_on_error=False, result_action="return_value")
    except CycloptsError:  # cyclopts has printed the error
        code = BAD_INPUT
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        code = BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted; finished outputs are complete, the same command continues", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in the buffer goes there at exit
        code = _CLOSED_PIPE
    sys.exit(code)


@contextmanager
def needs_extra(extra: str, work: str) -> Iterator[None]:
    """Around imports of an optional part: a missing package is an InputError that names the extra.

    Args:
        extra: of the package, as in `pip install illures[extra]`.
        work: that needs it, for the message.
    """
    try:
        yield
    except ImportError as error:
        raise InputError(f"{error.name}: not installed; {work} needs `pip install illures[{extra}]`") from error


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM and a closed terminal end the block as Ctrl-C does, so that nothing is left; `nohup` stays in force.

    Whatever the block raises after one of them is KeyboardInterrupt: what is at work may turn that into another error,
    as pybind11 does (ImportError: initialization failed) while a module of it is imported.
    """
    asked = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        asked.set()
        raise KeyboardInterrupt

    main_thread = threading.current_thread() is threading.main_thread()  # only there may handlers be set
    numbers = [
        getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if main_thread and hasattr(signal, name)
    ]
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: old for number, old in before.items() if old in (signal.SIG_DFL, signal.default_int_handler)}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    except Exception as error:
        if asked.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, old in before.items():
            signal.signal(number, old)


_show_warning = warnings.showwarning


def _say_warning(message: Warning | str, category: type[Warning], *rest: Any) -> None:
    """Print an InputWarning as one line; other warnings as Python does."""
    if issubclass(category, InputWarning):
        print(f"warning: {message}", file=sys.stderr, flush=True)
    else:
        _show_warning(message, category, *rest)


# Options that have been renamed; the old names still work.
_RENAMED = {"--wear": "--accessories", "--obstacles": "--occluders"}


def current_name(word: str) -> str:
    """The current name of an option, where an old name of it is given (also as `--old=value`)."""
    name, equals, value = word.partition("=")
    return _RENAMED.get(name, name) + equals + value


def with_token(words: list[str]) -> list[str]:
    """Join --token and its value, which may begin as options do (-e..., as `secrets` makes some)."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "--token":
            joined[-1] = f"--token={word}"
        else:
            joined.append(word)
    return joined


def escape_direction(word: str) -> str:
    """Put a blank before a direction such as -45,30, so that it is not parsed as an option."""
    return " " + word if re.fullmatch(r"-\d[\d.]*(,-?\d[\d.]*)+", word) else word
