"""`illures studio`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from illures.cli.app import OK, Flag, app
from illures.cli.options import Many
from illures.errors import InputError


@app.command
def studio(
    *,
    port: int = 8000,
    host: str = "127.0.0.1",
    open: Annotated[bool, Flag] = False,
    token: Annotated[str | None, Parameter(env_var="ILLURES_TOKEN")] = None,
    allow_host: Annotated[list[str] | None, Many] = None,
    weights: Path | None = None,
) -> int:
    """Open the studio, a web page on this machine: move a light over a face, see its maps, paint on its albedo.

    Runs until Ctrl-C. Photos stay on this machine, in memory; nothing is fetched from the network.

    Parameters
    ----------
    port
        Port of http://127.0.0.1:PORT/. 0 takes a free one.
    host
        Address to listen on. By default only this machine can connect; 0.0.0.0 admits others, who need the token.
    open
        Show the page in the browser.
    token
        Token that visitors must know, at least 16 characters. Default: a random one, printed with the address, if other
        machines can connect. "off" asks for none.
    allow_host
        Host names of this server, besides localhost and IP addresses.
    weights
        A weights file instead of those of the package.
    """
    run(port, host, token=token, names=allow_host or [], weights=weights, open_browser=open)
    return OK


def run(port: int, host: str, *, weights: Path | None, **how: Any) -> None:
    """Check the options, then call `illures.web.serve.serve`."""
    if not 0 <= port <= 65535:
        raise InputError(f"port {port}: must be from 0 to 65535")
    if weights is not None:
        from illures.decompose.decomposer import Decomposer

        Decomposer.from_pretrained(weights)  # fails now, not at the first request

    from illures.web.serve import serve

    serve(host, port, weights=weights, **how)
