"""Metrics of the server in the text format of Prometheus (version 0.0.4), for `/metrics`."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping

from illures.web.server.guard import App, Receive, Scope, Send

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Upper bounds of the histogram of durations [s].
BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 90.0)


class Metrics:
    """Counts requests by method, route and status, and their durations by route."""

    def __init__(self) -> None:
        """Create empty counters."""
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets: Counter[tuple[str, float]] = Counter()
        self._seconds: dict[str, float] = defaultdict(float)
        self._counts: Counter[str] = Counter()

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is its pattern, so that ids do not create time series. `seconds` is its duration."""
        self._requests[method, route, status] += 1
        self._counts[route] += 1
        self._seconds[route] += seconds
        for edge in BUCKETS:
            self._buckets[route, edge] += seconds <= edge

    def text(self, gauges: Mapping[str, tuple[str, str, float]]) -> str:
        """Format all metrics.

        Args:
            gauges: further metrics: name -> (type, help, value).
        """
        lines = _head("illures_requests_total", "counter", "Requests answered.")
        for (method, route, status), number in sorted(self._requests.items()):
            lines.append(f'illures_requests_total{{method="{method}",route="{route}",status="{status}"}} {number}')
        lines += _head("illures_request_seconds", "histogram", "Duration of requests, to the end of the response.")
        for route, number in sorted(self._counts.items()):
            for edge in BUCKETS:
                lines.append(
                    f'illures_request_seconds_bucket{{route="{route}",le="{edge}"}} {self._buckets[route, edge]}'
                )
            lines.append(f'illures_request_seconds_bucket{{route="{route}",le="+Inf"}} {number}')
            lines.append(f'illures_request_seconds_sum{{route="{route}"}} {self._seconds[route]:.6f}')
            lines.append(f'illures_request_seconds_count{{route="{route}"}} {number}')
        for name, (kind, about, value) in gauges.items():
            lines += [*_head(name, kind, about), f"{name} {value:g}"]
        return "\n".join(lines) + "\n"


class Counted:
    """ASGI middleware that counts each request in `Metrics`."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        """Wrap an app."""
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count it when the response is sent."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def seen(message: Scope) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "DELETE", "PUT") else "other"
            self._metrics.count(method, route, status, time.perf_counter() - started)


def _head(name: str, kind: str, about: str) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
