"""The one error that a user can cause and mend."""


class InputError(ValueError):
    """Bad input: one line that names the file, the value and the rule. The command line turns it into exit code 2."""
