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
    """A REST interface: POST a photo, get its maps, or the photo under another light.

    Its page at http://127.0.0.1:PORT/ shows every request; see docs/serve.md. Runs until Ctrl-C. Nothing is kept, and
    nothing is fetched from the network.

    Parameters
    ----------
    port
        Where it is: http://127.0.0.1:PORT/. 0 takes a free one.
    host
        Address to listen on. By default this machine alone can reach it; 0.0.0.0 lets others in, who need the token.
    token
        That requests must send (Authorization: Bearer TOKEN), at least 16 characters. Default: one is made and printed
        where other machines can reach the address. "off" asks for none.
    allow_host
        Names besides localhost and plain addresses by which it may be called.
    weights
        A weights file instead of those of the package.
    """
    run(port, host, token=token, names=allow_host or [], weights=weights, rest=True)
    return OK
