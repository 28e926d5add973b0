"""The command line: one module per command, which checks its options and calls the package that does the work.

Heavy modules are imported inside the commands, so that `--help` is fast.
May import all of illures. To add a command, add its module here and its name to the import below.
"""

# Importing a module registers its command.
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
