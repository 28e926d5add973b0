"""The one error that a user can cause and mend, and what is said where a file is read but not as it is."""


class InputError(ValueError):
    """Bad input: one line that names the file, the value and the rule. The command line turns it into exit code 2."""


class InputWarning(UserWarning):
    """A file is read, but not all of it or not as it is; one line that names the file. The command line prints it."""
