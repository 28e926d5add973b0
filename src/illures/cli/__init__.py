"""The command line, one module a command.

Heavy modules are imported inside the commands, so that `--help` comes at once.

A new command is a module here and its name in the import below.
"""

# Hung on the app by being imported.
from illures.cli import (  # noqa: F401
    decompose,
    edit,
    evaluate,
    export,
    lights,
    pack,
    relight,
    serve,
    studio,
    synth,
    train,
    video,
    videos,
)
from illures.cli.app import app, main

__all__ = ["app", "main"]
