"""The `app` that all commands are registered on, exit codes, and errors."""

from __future__ import annotations

import errno
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from illures import __version__
from illures.cli import printing
from illures.cli.interrupts import ended_like_ctrl_c
from illures.cli.printing import BAD_INPUT
from illures.errors import InputError, InputWarning

OK, INTERRUPTED = 0, 130

Flag = Parameter(negative="", show_default=False)

app = App(
    name="illures",
    help="Decompose photos of faces into albedo, normal, light and residual; make the data and train the networks.",
    version=__version__,
    suppress_keyboard_interrupt=False,  # `main` prints its own message
    default_parameter=Parameter(consume_multiple=True, negative_iterable=()),  # --light a b; no --empty-light
)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0 all went well, 2 bad input (one line each on stderr), 130 interrupted.

    141 says that nobody reads what is printed, as after `| head`.
    """
    printing.prepare()
    warnings.showwarning = _say_warning  # type: ignore[assignment]
    words = sys.argv[1:] if arguments is None else arguments
    words = [escape_direction(word) for word in with_token(current_names(words))]
    try:
        with ended_like_ctrl_c():
            code = app(words, exit_on_error=False, result_action="return_value")
            printing.flush()
    except CycloptsError:  # cyclopts has printed the error
        code = BAD_INPUT
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        code = BAD_INPUT
    except printing.PrintError as error:
        code = printing.given_up(error)
    except (OSError, ImportError) as error:
        if os.strerror(errno.EMFILE) not in str(error):
            raise
        print("error: needs more open files than it may have here; `ulimit -n` tells how many", file=sys.stderr)
        code = BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted; finished outputs are complete, the same command continues", file=sys.stderr)
        code = INTERRUPTED
        # Where the exception came through an `exec` of text, as of dataclasses, CPython would still end the process by
        # SIGINT at its very end, instead of with this code; a further `exec` makes it forget (run_eval_code_obj).
        exec("")
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
        if (error.name or "").partition(".")[0] == "illures":  # a fault of ours
            raise
        raise InputError(f"{error.name}: not installed; {work} needs `pip install illures[{extra}]`") from error


_show_warning = warnings.showwarning


def _say_warning(message: Warning | str, category: type[Warning], *rest: Any) -> None:
    """Print an InputWarning as one line; other warnings as Python does."""
    if issubclass(category, InputWarning):
        print(f"warning: {message}", file=sys.stderr, flush=True)
    else:
        _show_warning(message, category, *rest)


# Options of commands that have been renamed; the old names still work.
RENAMED = {
    "synth": {"--wear": "--accessories", "--obstacles": "--occluders"},
    "evaluate": {"--models": "--weights"},
}


def current_names(words: list[str]) -> list[str]:
    """The words with current names of options, where old names are given (also as `--old=value`)."""
    renamed = RENAMED.get(words[0], {}) if words else {}
    split = [word.partition("=") for word in words]
    return [renamed.get(name, name) + equals + value for name, equals, value in split]


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
