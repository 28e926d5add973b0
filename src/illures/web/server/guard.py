"""Access control in front of every request (host, origin, token), and security headers on every response.

Any web page can make its visitor's browser send requests to 127.0.0.1. It can't read the responses across origins,
except by DNS rebinding, which the check of the Host header prevents. API requests of other origins are refused. A
server on a network also requires a token, either in the URL of the page, which stores it in a cookie, or as
`Authorization: Bearer TOKEN`.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

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
COOKIE = "illures_token"
# Paths for supervisors, which need no token: they tell only whether the server is up.
OPEN = frozenset({"/health", "/ready"})
_SECURE = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Guard:
    """ASGI middleware that checks host, origin and token; see the module."""

    def __init__(self, app: App, names: Iterable[str] = (), token: str | None = None, most: int = 512) -> None:
        """Wrap an app.

        Args:
            app: the application.
            names: accepted host names besides localhost and IP addresses.
            token: token that requests must present; None for none.
            most: largest number of concurrent requests; others are refused before any other check.
        """
        self._app, self._token, self._most, self._inside = app, token, most, 0
        self._names = frozenset(name.casefold() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with 400, 401, 403 or 503."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        if self._inside >= self._most:
            await _refuse(send, 503, "too many concurrent requests", [*_SECURE, (b"retry-after", b"5")])
            return
        self._inside += 1
        try:
            await self._check(scope, receive, send)
        finally:
            self._inside -= 1

    async def _check(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")

        async def secured(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                cache = b"no-store" if scope["path"].startswith("/api/") else b"no-cache"
                message["headers"] = [*message.get("headers", []), *_SECURE, (b"cache-control", cache)]
            await send(message)

        if not host_allowed(host, self._names):
            words = f"the host {host[:80]!r} is not served; start illures with --allow-host to add a name"
            await _refuse(secured, 400, words)
        elif scope["path"].startswith("/api/") and not same_origin(headers, host):
            await _refuse(secured, 403, "requests from other sites are refused")
        elif self._token is None or scope["path"] in OPEN or knows(headers, self._token, host):
            await self._app(scope, receive, secured)
        elif scope["path"] == "/" and _same(_token_of(scope), self._token):
            await _admit(secured, self._token, host)
        else:
            words = "a token is required: open the address that illures printed, or send Authorization: Bearer TOKEN"
            await _refuse(secured, 401, words, [(b"www-authenticate", b"Bearer")])


def knows(headers: MutableMapping[str, str], token: str, host: str) -> bool:
    """Whether the headers of a request (names in lower case) hold the token: as bearer token or in the cookie."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.casefold() == "bearer" and _same(given.strip(), token):
        return True
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(cookie_name(host))
    except CookieError:
        return False
    return cookie is not None and _same(cookie.value, token)


def _same(given: str, token: str) -> bool:
    """Compare in constant time, so that timing reveals nothing about the token."""
    return secrets.compare_digest(given.encode(), token.encode())


def _token_of(scope: Scope) -> str:
    return parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]


def cookie_name(host: str) -> str:
    """Name of the cookie for a Host header. It contains the port, as browsers share cookies between ports of a host."""
    port = urlsplit(f"//{host}").port
    return COOKIE if port is None else f"{COOKIE}_{port}"


async def _admit(send: Send, token: str, host: str) -> None:
    """Redirect to the page, with the token in a cookie that scripts can't read instead of in the URL."""
    cookie = f"{cookie_name(host)}={token}; HttpOnly; SameSite=Lax; Path=/".encode()
    headers = [(b"location", b"/"), (b"set-cookie", cookie), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def host_allowed(host: str, names: Iterable[str] = ()) -> bool:
    """Whether a Host header names localhost, an IP address, or one of `names` (lower case).

    IP addresses are safe, as DNS rebinding needs a name.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").casefold()
        urlsplit(f"//{host}").port  # noqa: B018 (raises if it is not a number)
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
    """Whether a request comes from a page of this server, or from no page (curl)."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.casefold() == host.casefold()


async def _refuse(send: Send, status: int, words: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    body = json.dumps({"error": words}).encode()
    kind = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": kind})
    await send({"type": "http.response.body", "body": body})
