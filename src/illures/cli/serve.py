"""`illures serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from illures.cli.app import OK, app
from illures.cli.options import Many
from illures.cli.studio import run


@app.command
def serve(
    *,
    port: int = 8000,
    host: str = "127.0.0.1",
    token: Annotated[str | None, Parameter(env_var="ILLURES_TOKEN")] = None,
    allow_host: Annotated[list[str] | None, Many] = None,
    weights: Path | None = None,
) -> int:
    """Run a REST interface: POST a photo, get its maps, or the photo under another light.

    Its page at http://127.0.0.1:PORT/ documents every request; see docs/serve.md. Runs until Ctrl-C. No photo is
    stored, and nothing is fetched from the network.

    Parameters
    ----------
    port
        Port of http://127.0.0.1:PORT/. 0 takes a free one.
    host
        Address to listen on. By default only this machine can connect; 0.0.0.0 admits others, who need the token.
    token
        Token that requests must send (Authorization: Bearer TOKEN), at least 16 characters. Default: a random one,
        printed at the start, if other machines can connect. "off" asks for none.
    allow_host
        Host names of this server, besides localhost and IP addresses.
    weights
        A weights file instead of those of the package.
    """
    run(port, host, token=token, names=allow_host or [], weights=weights, rest=True)
    return OK
