"""The error for bad input, the warning for files that are only partly read, and suggestions for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input: one line that names the file, the value and the rule. The command line turns it into exit code 2."""


class InputWarning(UserWarning):
    """A file was read only in part, or was converted: one line that names the file. The command line prints it."""


def nearest(word: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: "; did you mean ...?" with the closest known names, or ""."""
    close = difflib.get_close_matches(word.lower(), list(names), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""
