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
    """A web page on this machine: drag a light over a face, see its parts, paint on its albedo.

    Runs until Ctrl-C. Photos stay on this machine, in memory; nothing is fetched from the network.

    Parameters
    ----------
    port
        Where the page is: http://127.0.0.1:PORT/. 0 takes a free one.
    host
        Address to listen on. By default this machine alone can reach the page; 0.0.0.0 lets others in, who need the
        token.
    open
        Show the page in the browser.
    token
        That visitors must know, at least 16 characters. Default: one is made, and printed with the address, where other
        machines can reach it. "off" asks for none.
    allow_host
        Names besides localhost and plain addresses by which the page may be called.
    weights
        A weights file instead of those of the package.
    """
    run(port, host, token=token, names=allow_host or [], weights=weights, open_browser=open)
    return OK


def run(port: int, host: str, *, weights: Path | None, **how: Any) -> None:
    """Serve, after a look at what can be wrong; the rest goes to `illures.web.serve.serve`."""
    if not 0 <= port <= 65535:
        raise InputError(f"port {port}: must be from 0 to 65535")
    if weights is not None:
        from illures.decompose.decomposer import Decomposer

        Decomposer.from_pretrained(weights)  # says now what is wrong with it

    from illures.web.serve import serve

    serve(host, port, weights=weights, **how)
