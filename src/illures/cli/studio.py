"""`illures studio`."""

from __future__ import annotations

from typing import Annotated

from illures.cli.app import OK, Flag, app
from illures.cli.options import FastWeights, ServerOptions


@app.command
def studio(
    *,
    server: ServerOptions = ServerOptions(),  # noqa: B008 (frozen)
    open: Annotated[bool, Flag] = False,
    weights: FastWeights = None,
) -> int:
    """Open the studio, a web page on this machine: move a light over a face, see its maps, paint on its albedo.

    Runs until Ctrl-C. Photos stay on this machine, in memory; nothing is fetched from the network.

    Parameters
    ----------
    server
        Where it listens.
    open
        Show the page in the browser.
    """
    server.run(weights, open_browser=open)
    return OK
