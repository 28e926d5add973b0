"""Receive requests: a queue, limits on the size and speed of bodies, and errors as JSON."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from illures.errors import InputError
from illures.web.server.limits import MEGABYTE, Limits
from illures.web.server.store import ForgottenError, new_id
from illures.web.server.uploads import Upload, plain_name
from illures.web.server.worker import WorkError


class Refusal(HTTPException):
    """A response with an error status and a message that is not a bug."""


class Gate:
    """Limits concurrent requests; a limited number waits in a queue, first come, first served.

    The bodies of waiting requests are not read yet, so the queue needs no memory.
    """

    def __init__(self, limits: Limits) -> None:
        """Create the gate without requests."""
        self._most, self._places, self._wait_s = limits.at_work, limits.waiting, limits.wait_s
        self._inside = 0
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def inside(self) -> int:
        """Number of requests being processed."""
        return self._inside

    @property
    def waiting(self) -> int:
        """Number of requests in the queue."""
        return len(self._line)

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """Count a request as in progress while the block runs; waits until there is room.

        Raises:
            Refusal: 429 if the queue is full; 503 if it waited too long.
        """
        if self._inside < self._most:
            self._inside += 1
        else:
            await self._queue()
        try:
            yield
        finally:
            self._leave()

    async def _queue(self) -> None:
        if len(self._line) >= self._places:
            words = f"{self._inside} requests are in progress and {len(self._line)} wait; try again in a moment"
            raise Refusal(429, words, {"Retry-After": "5"})
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            async with asyncio.timeout(self._wait_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # the place was assigned to this request already
                self._leave()
            elif turn in self._line:
                self._line.remove(turn)
            if isinstance(error, TimeoutError):
                words = f"waited {self._wait_s:.0f} seconds, and others are still in progress; try again later"
                raise Refusal(503, words, {"Retry-After": "30"}) from None
            raise

    def _leave(self) -> None:
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)  # assigns the place to the next request
                return
        self._inside -= 1


async def read_upload(request: Request, name: str, most: int, limits: Limits) -> Upload:
    """Read the body of a request as an uploaded file; see `read_body`."""
    return Upload(new_id(), plain_name(name), await read_body(request, most, limits))


async def read_body(request: Request, most: int, limits: Limits) -> bytes:
    """Read the body of a request.

    Args:
        request: a request whose body was not read yet.
        most: largest size [bytes].
        limits: limits of the speed.

    Raises:
        Refusal: 413 if the body is larger than `most`; 408 if it comes more slowly than the limits allow.
    """
    words = f"the file is larger than {most / MEGABYTE:.3g} MB"
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > most:
        raise Refusal(413, words)
    data = bytearray()
    parts, start = aiter(request.stream()), asyncio.get_running_loop().time()
    while True:
        due = start + limits.grace_s + len(data) / limits.slowest_bytes_s
        try:
            async with asyncio.timeout_at(due):
                part = await anext(parts, None)
        except TimeoutError:
            words = f"the upload is too slow: {len(data)} bytes so far; at least "
            words += f"{limits.slowest_bytes_s / 1000:.3g} kB/s are required"
            raise Refusal(408, words, {"Connection": "close"}) from None
        if part is None:
            return bytes(data)
        data += part
        if len(data) > most:
            raise Refusal(413, words)


def say_errors_as_json(app: FastAPI) -> None:
    """Register handlers that return every error as `{"error": message}` with its status."""

    def said(status: int, words: str, headers: dict[str, str] | None = None) -> JSONResponse:
        return JSONResponse({"error": words}, status, headers)

    @app.exception_handler(InputError)
    async def bad_input(request: Request, error: InputError) -> JSONResponse:
        return said(422, str(error))

    @app.exception_handler(WorkError)
    async def not_finished(request: Request, error: WorkError) -> JSONResponse:
        return said(error.status, str(error))

    @app.exception_handler(ForgottenError)
    async def forgotten(request: Request, error: ForgottenError) -> JSONResponse:
        return said(404, "this file is no longer stored; open it again")

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return said(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> JSONResponse:
        return said(499, "the client disconnected")  # not read by anyone; the status that nginx logs

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(ValidationError)
    async def malformed(request: Request, error: RequestValidationError | ValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part not in ("query", "path", "body"))
        return said(422, f"{place or 'request'}: {first['msg']}")

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> JSONResponse:
        return said(500, f"a fault in illures ({type(error).__name__}); the terminal says more")
