"""The studio's server: the page, and its API under /api/.

An upload is the body of a request: no form is parsed, and nothing is written to disk. The worker process decodes files
and computes; this process only passes bytes on.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import mimetypes
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field

from illures import __version__ as VERSION
from illures.decompose.decomposition import Decomposition
from illures.errors import InputError
from illures.web.server.guard import Guard
from illures.web.server.intake import Gate, Refusal, read_body, read_upload, say_errors_as_json
from illures.web.server.limits import MEGABYTE, Limits
from illures.web.server.metrics import Counted, Metrics
from illures.web.server.rest import add_monitoring, add_rest
from illures.web.server.store import Store
from illures.web.server.uploads import Upload
from illures.web.server.workbench import Opened, Order
from illures.web.server.worker import Worker

STATIC = Path(__file__).parent.parent / "static"
EXAMPLE = Path(__file__).parent.parent.parent / "assets" / "astronaut.jpg"
# Largest body of a request for a file: light, settings and paint.
_ORDER_BYTES = 48 * MEGABYTE
_LIGHT_BYTES = MEGABYTE
_MEDIA = {"jpg": "image/jpeg", "png": "image/png", "png16": "image/png"}

Name = Annotated[str, Query(max_length=1000)]


class OrderBody(BaseModel):
    """Request of the page for a file; see `workbench.Order`."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    what: Literal["relit", "albedo", "normal", "shading", "residual", "reconstruction", "mask", "matte", "zip"] = (
        "relit"
    )
    kind: Literal["jpg", "png", "png16"] = "png"
    light: dict[str, Any] = {}
    kept: float = Field(1.0, ge=0, le=1)
    shadows: bool = False
    match: bool = False
    paint: str = ""
    side: int = Field(0, ge=0, le=20_000)


def create_app(
    limits: Limits | None = None,
    weights: Path | None = None,
    names: Iterable[str] = (),
    worker: Worker | None = None,
    token: str | None = None,
    rest: bool = False,
) -> FastAPI:
    """Create the application, to be served by uvicorn.

    Args:
        limits: limits of requests; None for the defaults of `Limits`.
        weights: weights of the network; None for those in the package.
        names: host names besides localhost that the server accepts (see `guard`).
        worker: a worker to use instead, for tests.
        token: token that requests must present; None for none.
        rest: serve the REST interface (`rest`) instead of the studio's page and API.
    """
    limits = limits or Limits()
    crew = worker or Worker(limits, weights)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        started = asyncio.create_task(crew.do("ready"))  # loads the network before the first photo arrives
        started.add_done_callback(lambda task: task.cancelled() or task.exception())
        yield
        crew.close()

    # FastAPI's documentation pages load scripts from a CDN; `rest` has its own page.
    schema = "/openapi.json" if rest else None
    app = FastAPI(lifespan=life, docs_url=None, redoc_url=None, openapi_url=schema, title="illures", version=VERSION)
    metrics = Metrics()
    app.add_middleware(Guard, names=tuple(names), token=token)
    app.add_middleware(Counted, metrics=metrics)  # the last one added is the outermost
    say_errors_as_json(app)
    gate = Gate(limits)
    add_monitoring(app, crew, gate, metrics)
    if rest:
        add_rest(app, limits, crew, gate)
        return app
    _add_page(app)
    desk = Desk(limits, crew, Store(limits), gate)
    _add_photos(app, desk)
    _add_lights_and_files(app, desk)
    _add_clips(app, desk)
    return app


def _add_page(app: FastAPI) -> None:
    for suffix, kind in ((".js", "text/javascript"), (".css", "text/css"), (".svg", "image/svg+xml")):
        mimetypes.add_type(kind, suffix)  # Windows reads them from the registry, which may be wrong
    mimetypes.add_type("text/plain", ".glsl")

    @app.get("/")
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.get("/api/example")
    def example() -> FileResponse:
        return FileResponse(EXAMPLE)

    app.mount("/static", StaticFiles(directory=STATIC), name="static")


@dataclass(frozen=True)
class Desk:
    """State shared by the routes."""

    limits: Limits
    worker: Worker
    store: Store
    gate: Gate

    def found(self, id: str, index: int) -> Opened:
        """The photo with this id; a Refusal (404) if it has no face `index`."""
        opened = self.store.get(id, Opened)
        if not 0 <= index < len(opened.faces):
            raise Refusal(404, f"face {index}: the photo has {len(opened.faces)}")
        return opened


def _add_photos(app: FastAPI, desk: Desk) -> None:
    limits, worker, store, gate = desk.limits, desk.worker, desk.store, desk.gate

    @app.get("/api/info")
    async def info() -> dict[str, Any]:
        return {
            "version": VERSION,
            "photoBytes": limits.photo_bytes,
            "clipBytes": limits.clip_bytes,
            "pixels": limits.pixels,
            "textureSide": limits.texture_side,
        }

    @app.post("/api/photos", status_code=201)
    async def open_photo(request: Request, name: Name = "photo") -> dict[str, Any]:
        async with gate.entered():
            upload = await read_upload(request, name, limits.photo_bytes, limits)
            opened = await worker.do("open_photo", upload)
            store.put(opened, len(upload.data) + sum(_size(face) for face in opened.faces), upload.id)
        return _describe(opened)

    @app.delete("/api/photos/{id}", status_code=204)
    async def forget(id: str) -> None:
        store.drop(id)

    @app.get("/api/photos/{id}/faces/{index}/maps")
    async def maps(id: str, index: int, side: Annotated[int, Query(ge=64, le=16384)] = 2048) -> Response:
        opened = desk.found(id, index)
        async with gate.entered():
            return Response(await worker.do("pack", opened, index, side), media_type="application/octet-stream")


def _add_lights_and_files(app: FastAPI, desk: Desk) -> None:
    worker, gate = desk.worker, desk.gate

    @app.get("/api/photos/{id}/faces/{index}/presets")
    async def presets(id: str, index: int) -> list[dict[str, Any]]:
        opened = desk.found(id, index)
        async with gate.entered():
            return await worker.do("presets", opened, index)

    @app.post("/api/photos/{id}/faces/{index}/light")
    async def light(
        request: Request,
        id: str,
        index: int,
        kind: Literal["hdri", "json", "photo"],
        name: Name = "light",
        keep_colour: bool = False,
    ) -> dict[str, Any]:
        opened = desk.found(id, index)
        async with gate.entered():
            most = _LIGHT_BYTES if kind == "json" else desk.limits.photo_bytes
            upload = await read_upload(request, name, most, desk.limits)
            return await worker.do("light", opened, index, upload, kind, keep_colour)

    @app.post("/api/photos/{id}/faces/{index}/file")
    async def file(request: Request, id: str, index: int) -> Response:
        opened = desk.found(id, index)
        async with gate.entered():
            body = OrderBody.model_validate_json(await read_body(request, _ORDER_BYTES, desk.limits))
            order = Order(**{**body.model_dump(), "paint": _decoded(body.paint)})
            data = await worker.do("make", opened, index, order)
        return Response(data, media_type="application/zip" if body.what == "zip" else _MEDIA[body.kind])


def _add_clips(app: FastAPI, desk: Desk) -> None:
    limits, worker, store, gate = desk.limits, desk.worker, desk.store, desk.gate

    @app.post("/api/clips", status_code=201)
    async def open_clip(request: Request, name: Name = "clip") -> dict[str, Any]:
        async with gate.entered():
            upload = await read_upload(request, name, limits.clip_bytes, limits)
            about, _ = await worker.do("frame", upload, 0.0)
            store.put(upload, len(upload.data), upload.id)
        return {"id": upload.id, "name": upload.name, **about}

    @app.get("/api/clips/{id}/frame")
    async def frame(id: str, time: Annotated[float, Query(ge=0, le=1e6)] = 0.0) -> Response:
        upload = store.get(id, Upload)
        async with gate.entered():
            about, data = await worker.do("frame", upload, time)
        return Response(data, media_type="image/png", headers={"x-time": f"{about['time']:.4f}"})


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("paint: must be a PNG file in base64") from None


def _describe(opened: Opened) -> dict[str, Any]:
    upload = opened.upload
    faces = [{"corners": _corners(face), "score": round(face.crop.face.score, 3)} for face in opened.faces]
    return {"id": upload.id, "name": upload.name, "width": opened.width, "height": opened.height, "faces": faces}


def _corners(face: Decomposition) -> list[list[float]]:
    """Corners of the face's box, as shares of the photo's width and height: low and high (x, y)."""
    points = face.crop.face.landmarks[:, :2]
    height, width = face.crop.photo_size
    size = np.array([width, height], np.float64)
    return [np.round(np.clip(p / size, 0, 1), 5).tolist() for p in (points.min(0), points.max(0))]


def _size(face: Decomposition) -> int:
    """Memory of a face's maps [bytes]."""
    return sum(getattr(face, name).nbytes for name in ("image", "albedo", "normal", "residual", "mask"))
