"""The one `app` that every command is hung on, and what commands share."""

from __future__ import annotations

import re
import sys
import warnings
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from illures import __version__
from illures.errors import InputError, InputWarning

OK, BAD_INPUT, INTERRUPTED = 0, 2, 130

Flag = Parameter(negative="")

app = App(
    name="illures",
    help="Take photos of faces apart into albedo, normal, light and residual; make the data and train the networks.",
    version=__version__,
    suppress_keyboard_interrupt=False,  # `main` says what is left behind
)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0 all went well, 2 bad input (one line each on stderr), 130 interrupted."""
    warnings.showwarning = _say_warning  # type: ignore[assignment]
    words = [no_option(word) for word in with_token(sys.argv[1:] if arguments is None else arguments)]
    try:
        code = app(words, exit_on_error=False, result_action="return_value")
    except CycloptsError:  # cyclopts has said what is wrong
        code = BAD_INPUT
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        code = BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted; what is finished is whole, the same command goes on", file=sys.stderr)
        code = INTERRUPTED
    sys.exit(code)


_show_warning = warnings.showwarning


def _say_warning(message: Warning | str, category: type[Warning], *rest: Any) -> None:
    """What a file was not read as is one line for the user; all else as Python has it."""
    if issubclass(category, InputWarning):
        print(f"warning: {message}", file=sys.stderr, flush=True)
    else:
        _show_warning(message, category, *rest)


def with_token(words: list[str]) -> list[str]:
    """Tokens may begin as options do (-e..., as `secrets` makes them, too): the word after --token is always one."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "--token":
            joined[-1] = f"--token={word}"
        else:
            joined.append(word)
    return joined


def no_option(word: str) -> str:
    """Directions such as -45,30 begin as options do; a blank before them says that they are none."""
    return " " + word if re.fullmatch(r"-\d[\d.]*(,-?\d[\d.]*)+", word) else word
