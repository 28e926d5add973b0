"""`illures serve`."""

from __future__ import annotations

from illures.cli.app import OK, app
from illures.cli.options import FastWeights, ServerOptions


@app.command
def serve(*, server: ServerOptions = ServerOptions(), weights: FastWeights = None) -> int:  # noqa: B008 (frozen)
    """Run a REST interface: POST a photo, get its maps, or the photo under another light.

    Its page at http://127.0.0.1:PORT/ documents every request; see docs/serve.md. Runs until Ctrl-C. No photo is
    stored, and nothing is fetched from the network.

    Parameters
    ----------
    server
        Where it listens.
    """
    server.run(weights, rest=True)
    return OK
