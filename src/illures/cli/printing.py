"""What is printed, where it goes to a full disk, or to a reader that has gone (`illures ... | head`)."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BAD_INPUT, NOBODY_READS = 2, 141  # the second is the shell's for a program that SIGPIPE ended


class PrintError(OSError):
    """stdout can't be written; unlike every other OSError it is no fault in illures."""


class _Stdout(io.TextIOWrapper):
    """As its base, but for the kind of the error."""

    def write(self, text: str, /) -> int:
        with _told():
            return super().write(text)

    def flush(self) -> None:
        with _told():
            super().flush()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PrintError(error.errno, error.strerror) from error


def prepare() -> None:
    """Have stdout raise PrintError, and say on stdout and stderr what their encoding can't, in escapes."""
    # Not where a test or a notebook has put its own there.
    if type(sys.stdout) is io.TextIOWrapper:
        plain = sys.stdout
        sys.stdout = _Stdout(plain.buffer, plain.encoding, plain.errors, line_buffering=plain.line_buffering)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name may hold what the terminal, or UTF-8, can't say


def flush() -> None:
    """Write what is printed.

    Raises:
        PrintError: it can't be.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def given_up(error: PrintError) -> int:
    """The exit code; says why, but for a reader that has gone: as from other programs, it hears nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the end of Python would say it again
    if error.errno == errno.EPIPE:
        return NOBODY_READS
    print(f"error: what is printed can't be written ({error.strerror})", file=sys.stderr)
    return BAD_INPUT
