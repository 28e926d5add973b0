"""What stands before every request: who may ask (host, origin), and what each answer says to the browser.

A page on the web can make the browser of a visitor send requests to 127.0.0.1. It can't read answers across origins,
unless its own name is made to point here (DNS rebinding), which the check of the Host header stops; and requests that
do something are turned away unless they come from the studio's own page.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), browsing-topics=()",
}
_SECURE = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Guard:
    """ASGI middleware; see the module."""

    def __init__(self, app: App, names: Iterable[str] = ()) -> None:
        """Wrap an app.

        Args:
            app: what to guard.
            names: hosts by which the server may be called besides localhost and plain addresses.
        """
        self._app = app
        self._names = frozenset(name.casefold() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or turn it away with 400 or 403."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")

        async def secured(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                cache = b"no-store" if scope["path"].startswith("/api/") else b"no-cache"
                message["headers"] = [*message.get("headers", []), *_SECURE, (b"cache-control", cache)]
            await send(message)

        if not host_allowed(host, self._names):
            words = f"the host {host[:80]!r} is not served; start the studio with --allow-host to add a name"
            await _refuse(secured, 400, words)
        elif scope["path"].startswith("/api/") and not same_origin(headers, host):
            await _refuse(secured, 403, "requests of other sites are not answered")
        else:
            await self._app(scope, receive, secured)


def host_allowed(host: str, names: Iterable[str] = ()) -> bool:
    """Whether a Host header names localhost, an address, or one of `names` (lower case).

    Addresses are safe: a name is needed to make a browser believe that another server is this one.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").casefold()
        urlsplit(f"//{host}").port  # noqa: B018 (raises where it is none)
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost") or name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def same_origin(headers: MutableMapping[str, str], host: str) -> bool:
    """Whether a request comes from a page of this server, or from no page at all (curl)."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.casefold() == host.casefold()


async def _refuse(send: Send, status: int, words: str) -> None:
    body = json.dumps({"error": words}).encode()
    kind = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": kind})
    await send({"type": "http.response.body", "body": body})
