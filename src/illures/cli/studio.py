"""`illures studio`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from illures.cli.app import OK, Flag, app
from illures.errors import InputError


@app.command
def studio(
    *,
    port: int = 8000,
    host: str = "127.0.0.1",
    open: Annotated[bool, Flag] = False,
    allow_host: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    weights: Path | None = None,
) -> int:
    """A web page on this machine: drag a light over a face, see its parts, paint on its albedo.

    Runs until Ctrl-C. Photos stay on this machine, in memory; nothing is fetched from the network.

    Parameters
    ----------
    port
        Where the page is: http://127.0.0.1:PORT/. 0 takes a free one.
    host
        Address to listen on. By default this machine alone can reach the page; 0.0.0.0 lets others in, without a
        password.
    open
        Show the page in the browser.
    allow_host
        Names besides localhost and plain addresses by which the page may be called.
    weights
        A weights file instead of those of the package.
    """
    if not 0 <= port <= 65535:
        raise InputError(f"port {port}: must be from 0 to 65535")
    if weights is not None:
        from illures.decompose import Decomposer

        Decomposer.from_pretrained(weights)  # says now what is wrong with it

    from illures.web.serve import serve

    serve(host, port, open_browser=open, names=allow_host or [], weights=weights)
    return OK
