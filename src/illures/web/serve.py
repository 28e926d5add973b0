"""Runs the server of `illures studio` and `illures serve` until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import secrets
import signal
import socket
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from illures.errors import InputError
from illures.io.workfolder import WorkFolder
from illures.web.server.limits import Limits

# This token turns the check off, for servers behind a proxy that checks who connects.
NO_TOKEN = "off"
_SHORTEST = 16
_BACKLOG = 512  # connections that wait to be accepted
_WHAT = {
    False: "open photos and clips of their own here and save what becomes of them",
    True: "have photos taken apart and relit by this machine",
}


def import_packages() -> None:
    """Import the packages that only servers need; an ImportError if the extra `web` is not installed."""
    import fastapi  # noqa: F401
    import uvicorn  # noqa: F401


def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    open_browser: bool = False,
    names: Sequence[str] = (),
    weights: Path | None = None,
    limits: Limits | None = None,
    token: str | None = None,
    rest: bool = False,
) -> None:
    """Serve the studio or the REST interface; returns after Ctrl-C or SIGTERM.

    Args:
        host: address to listen on; only this machine can reach the default.
        port: 0 takes a free one.
        open_browser: show the page.
        names: further hosts by which it may be called.
        weights: of the network.
        limits: of what is accepted.
        token: that requests must present. None: one is made if other machines can reach the address, else none is
            needed; "off": none is needed.
        rest: the REST interface instead of the studio.

    Raises:
        InputError: the address can't be listened on, the token is too short, or no temporary file can be made.
    """
    name = "illures serve" if rest else "illures studio"
    asked = _token(token, host)
    try:
        _end_as_after_ctrl_c()
        import uvicorn

        from illures.web.server.app import create_app
        from illures.web.server.worker import FOLDER

        WorkFolder(FOLDER).close()  # raises at once if there is no place; removes what killed servers left
        listening = _listen(host, port)
        config = uvicorn.Config(
            create_app(limits, weights, names, token=asked, rest=rest),
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=3,
        )
        address = _address(host, listening.getsockname()[1]) + (f"?token={asked}" if asked else "")
        for line in _opening(name, address, host, asked, rest):
            print(line, flush=True)
        if open_browser:
            threading.Timer(0.7, webbrowser.open, [address]).start()
        with listening:
            uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        _say_good_bye(name, rest)
    else:
        _say_good_bye(name, rest)


def _say_good_bye(name: str, rest: bool) -> None:
    kept = "" if rest else "; what was open and not saved is gone"
    with contextlib.suppress(BrokenPipeError):  # the reader of stdout may be gone
        print(f"\n{name}: good-bye{kept}", flush=True)


def _end_as_after_ctrl_c() -> None:
    """Have SIGTERM and a closed terminal end the server as Ctrl-C does, without tracebacks of interrupted requests."""
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda number, frame: signal.raise_signal(signal.SIGTERM))
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
    )


def _token(token: str | None, host: str) -> str | None:
    """The token that requests must present, or None."""
    if token == NO_TOKEN:
        return None
    if token is None:
        return None if _loopback(host) else secrets.token_urlsafe(16)
    if len(token) < _SHORTEST or not all(c.isascii() and (c.isalnum() or c in "-._~") for c in token):
        rule = f"must have at least {_SHORTEST} letters, digits and -._~"
        raise InputError(f"token of {len(token)} characters: {rule}; or {NO_TOKEN!r} for none")
    return token


def _opening(name: str, address: str, host: str, token: str | None, rest: bool) -> list[str]:
    """The lines that are printed when the server starts."""
    lines = [f"{name}: {address}  (Ctrl-C ends it)"]
    if _loopback(host):
        return lines
    who = "whoever has the token can" if token else "WHOEVER REACHES IT, as there is no token, can"
    lines.append(f"Other machines can reach this address: {who} {_WHAT[rest]}.")
    lines.append("No file of this machine can be read or written that way. The connection is not encrypted.")
    return lines


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, OverflowError, UnicodeError) as error:
        raise InputError(f"host {host}: no such address ({_words(error)})") from None
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(_BACKLOG)  # from the moment that the address is said
    except OSError as error:
        listening.close()
        hint = "; another program listens there, try --port 0" if error.errno == errno.EADDRINUSE else ""
        raise InputError(f"{host} port {port}: can't listen ({_words(error)}){hint}") from None
    return listening


def _address(host: str, port: int) -> str:
    shown = own_address() if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"


def own_address() -> str:
    """The address by which other machines are likely to reach this one; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # of TEST-NET-1 (RFC 5737); UDP connects without a packet
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _words(error: Any) -> str:
    return getattr(error, "strerror", None) or str(error)
