"""Runs the studio's server until Ctrl-C."""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from illures.errors import InputError
from illures.web.limits import Limits


def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    open_browser: bool = False,
    names: Sequence[str] = (),
    weights: Path | None = None,
    limits: Limits | None = None,
) -> None:
    """Serve the studio; returns after Ctrl-C.

    Args:
        host: address to listen on; only this machine can reach the default.
        port: 0 takes a free one.
        open_browser: show the page.
        names: further hosts by which it may be called.
        weights: of the network.
        limits: of what is accepted.

    Raises:
        InputError: the address can't be listened on.
    """
    import uvicorn

    from illures.web.server import create_app

    listening = _listen(host, port)
    config = uvicorn.Config(
        create_app(limits, weights, names),
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=3,
    )
    address = _address(host, listening.getsockname()[1])
    print(f"illures studio: {address}  (Ctrl-C ends it)", flush=True)
    if not _loopback(host):
        print("warning: other machines can reach this page, and there is no password", flush=True)
    if open_browser:
        threading.Timer(0.7, webbrowser.open, [address]).start()
    with listening:
        uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, OverflowError, UnicodeError) as error:
        raise InputError(f"host {host}: no such address ({_words(error)})") from None
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
    except OSError as error:
        listening.close()
        hint = "; another program listens there, try --port 0" if error.errno == errno.EADDRINUSE else ""
        raise InputError(f"{host} port {port}: can't listen ({_words(error)}){hint}") from None
    return listening


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}/"


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _words(error: Any) -> str:
    return getattr(error, "strerror", None) or str(error)
