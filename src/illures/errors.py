"""The one error that a user can cause and mend, what helps to mend a wrong name, and what is said of odd files."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input: one line that names the file, the value and the rule. The command line turns it into exit code 2."""


class InputWarning(UserWarning):
    """A file is read, but not all of it or not as it is; one line that names the file. The command line prints it."""


def nearest(word: str, names: Iterable[str]) -> str:
    """What ends a message about a wrong name: "; did you mean ...?" with the nearest right ones, or nothing."""
    close = difflib.get_close_matches(word.lower(), list(names), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""
