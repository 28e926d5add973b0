"""The REST interface of `illures serve`: a photo in, maps or a relit photo out. Also health checks and metrics.

The body of a request is the file of a photo, or a ZIP file of photos. Nothing is stored between requests.
"""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from illures import __version__
from illures.errors import InputError
from illures.io.formats import MapName, Normals, NormalSpace
from illures.relighting.composite import Background
from illures.relighting.presets import PRESETS
from illures.relighting.surface import Residual
from illures.web.server.apipage import STYLE, api_page
from illures.web.server.export import TYPES, Kind
from illures.web.server.intake import Gate, Refusal, read_upload
from illures.web.server.limits import MEGABYTE, Limits
from illures.web.server.metrics import MEDIA_TYPE, Metrics
from illures.web.server.restwork import Ask, Faces, File, MapFormat, Maps, Relit
from illures.web.server.uploads import Upload
from illures.web.server.worker import Worker, WorkError

_ZIP = "application/zip"
_MOST_LIGHTS = 24  # enough for `all`
_MEDIA = {**{f".{kind}": media for kind, media in TYPES.items()}, ".exr": "image/x-exr"}
Name = Annotated[str, Query(max_length=1000, description="name of the photo, for error messages and in ZIP files")]

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"requestBody": {"required": True, "content": {"image/*": _BINARY, _ZIP: _BINARY}}}
_ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"description": "the token is missing or wrong"},
    408: {"description": "the upload was too slow"},
    413: {"description": "the body, or the response to a batch, exceeds the limits"},
    422: {"description": "not a photo, no face found, or an invalid value; `error` says which"},
    429: {"description": "too many requests are waiting; see Retry-After"},
    500: {"description": "a bug in illures"},
    503: {"description": "waiting or processing took too long, or too many concurrent requests"},
}


def _gives(*media: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": "the result", "content": {kind: _BINARY for kind in media}}, **_ERRORS}


class Desk:
    """Serves requests: reads the upload, calls the worker, packs the result."""

    def __init__(self, limits: Limits, worker: Worker, gate: Gate) -> None:
        """Use the worker and the gate of the server."""
        self._limits, self._worker, self._gate = limits, worker, gate

    async def serve(self, request: Request, name: str, ask: Ask) -> Response:
        """Process one photo, or a ZIP file of photos.

        Raises:
            Refusal: the body is a form, too large or too slow, or the queue is full.
            InputError: a single photo can't be processed.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind.startswith("multipart/"):
            raise Refusal(415, "the body must be the file itself, not a form (curl: --data-binary @photo.jpg)")
        batch = kind in (_ZIP, "application/x-zip-compressed")
        async with self._gate.entered():
            most = self._limits.batch_bytes if batch else self._limits.photo_bytes
            upload = await read_upload(request, name, most, self._limits)
            if batch:
                return await self._many(upload, ask)
            about, files = await self._worker.do("made", upload, ask)
        if not files:
            return JSONResponse({"name": upload.name, **about})
        if len(files) == 1:
            return _file(files[0])
        return _zip([*files, File("photo.json", _json(about))])

    async def _many(self, upload: Upload, ask: Ask) -> Response:
        """Return a ZIP file with a folder for each photo, and a report that lists the errors of photos that failed."""
        photos: list[Upload] = await self._worker.do("members", upload)
        report: list[dict[str, Any]] = []
        files: list[File] = []
        size = 0
        for number, photo in enumerate(photos, 1):
            folder = f"{number:03d}-{photo.name.rpartition('.')[0] or photo.name}"
            try:
                about, found = await self._worker.do("made", photo, ask)
            except (InputError, WorkError) as error:
                report.append({"photo": photo.name, "error": str(error)})
                continue
            report.append({"photo": photo.name, "folder": folder if found else None, **about})
            files += [File(f"{folder}/{file.name}", file.data) for file in found]
            size += sum(len(file.data) for file in found)
            if size > self._limits.answer_bytes:
                words = f"the response would be larger than {self._limits.answer_bytes / MEGABYTE:.3g} MB"
                raise Refusal(413, f"{words}: send fewer photos, or request fewer maps")
        if isinstance(ask, Faces):
            return JSONResponse({"photos": report})
        return await asyncio.to_thread(_zip, [*files, File("report.json", _json({"photos": report}))])


def add_rest(app: FastAPI, limits: Limits, worker: Worker, gate: Gate) -> None:
    """Add the routes of the interface to an app."""
    desk = Desk(limits, worker, gate)

    @app.post(
        "/api/v1/faces", openapi_extra=_BODY, responses=_ERRORS, summary="Positions of the faces, and their light"
    )
    async def faces(request: Request, name: Name = "photo") -> Response:
        return await desk.serve(request, name, Faces())

    @app.post(
        "/api/v1/decompose",
        openapi_extra=_BODY,
        responses=_gives("image/png", "image/x-exr", _ZIP),
        response_class=Response,
        summary="Maps at the photo's size: one as an image, several as a ZIP file or as layers of an EXR file",
    )
    async def decompose(
        request: Request,
        maps: Annotated[list[MapName], Query(description="repeat `maps=` for several")] = list(_DEFAULT),  # noqa: B006
        format: Annotated[MapFormat, Query(description="8 bits, 16 bits, or one file of linear half floats")] = "png",
        normals: Annotated[Normals, Query(description="opengl: y up; directx: y down")] = "opengl",
        normal_space: Annotated[
            NormalSpace, Query(description="camera, or each head's own frame (head_rotation)")
        ] = "camera",
        name: Name = "photo",
    ) -> Response:
        return await desk.serve(request, name, Maps(tuple(dict.fromkeys(maps)), format, normals, normal_space))

    _add_relight(app, desk)

    @app.get("/api/v1/lights", summary="The named lights")
    async def lights() -> list[dict[str, str]]:
        return [{"name": name, "about": preset.about} for name, preset in PRESETS.items()]

    @app.get("/", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(api_page(app.openapi(), limits))

    @app.get("/static/rest.css", include_in_schema=False)
    async def style() -> FileResponse:
        return FileResponse(STYLE, media_type="text/css")


_DEFAULT: tuple[MapName, ...] = ("albedo", "normal", "shading", "residual", "mask")


def _add_relight(app: FastAPI, desk: Desk) -> None:
    @app.post(
        "/api/v1/relight",
        openapi_extra=_BODY,
        responses=_gives("image/jpeg", "image/png", _ZIP),
        response_class=Response,
        summary="The photo under another light; several lights give a ZIP file",
    )
    async def relight(
        request: Request,
        light: Annotated[
            list[str],
            Query(
                min_length=1,
                max_length=_MOST_LIGHTS,
                description="a name of /api/v1/lights, AZIMUTH,ELEVATION in degrees (90,0: image right), or 9 or 27 "
                "SH coefficients, such as `light` of another photo's /api/v1/faces; repeat `light=` for several",
            ),
        ],
        format: Annotated[Kind, Query(description="image format; png16 has 16 bits")] = "jpg",
        shadows: Annotated[bool, Query(description="faces cast shadows on themselves")] = True,
        residual: Annotated[Residual, Query(description="treatment of old shadows and highlights")] = "recompute",
        background: Annotated[Background, Query(description="clothes and background")] = "keep",
        strength: Annotated[float, Query(ge=0, le=1, description="strength of the change")] = 1.0,
        exposure: Annotated[float, Query(ge=-10, le=10, description="exposure in stops")] = 0.0,
        ambient: Annotated[float, Query(ge=0, le=1, description="share of ambient light, for AZIMUTH,ELEVATION")] = 0.2,
        radius: Annotated[float, Query(gt=0, le=90, description="of the lamp, for AZIMUTH,ELEVATION, degrees")] = 6.0,
        name: Name = "photo",
    ) -> Response:
        ask = Relit(tuple(light), residual, background, strength, shadows, exposure, ambient, radius, format)
        if (asked := len(ask.sources())) > _MOST_LIGHTS:  # refused before the body is read
            raise Refusal(422, f"light: {asked} lights; at most {_MOST_LIGHTS}")
        return await desk.serve(request, name, ask)


def add_monitoring(app: FastAPI, worker: Worker, gate: Gate, metrics: Metrics) -> None:
    """Add /health and /ready, which need no token, and /metrics."""

    @app.get("/health", summary="Whether the server answers")
    async def health() -> dict[str, str]:
        return {"status": "ok", "version": __version__}

    @app.get("/ready", summary="Whether the network is loaded; 503 until it is")
    async def ready(response: Response) -> dict[str, Literal["ready", "loading"]]:
        response.status_code = 200 if worker.ready else 503
        return {"status": "ready" if worker.ready else "loading"}

    @app.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
    async def figures() -> Response:
        gauges = {
            "illures_requests_at_work": ("gauge", "Requests in progress.", gate.inside),
            "illures_requests_waiting": ("gauge", "Requests waiting.", gate.waiting),
            "illures_worker_ready": ("gauge", "1 if a worker process has loaded the network.", int(worker.ready)),
            "illures_worker_starts_total": ("counter", "Worker processes started.", worker.started),
        }
        return Response(metrics.text(gauges), media_type=MEDIA_TYPE)


def _file(file: File) -> Response:
    suffix = "." + file.name.rpartition(".")[2]
    headers = {"content-disposition": f'inline; filename="{file.name}"'}
    return Response(file.data, media_type=_MEDIA[suffix], headers=headers)


def _zip(files: list[File]) -> Response:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            archive.writestr(zipfile.ZipInfo(file.name, (2026, 1, 1, 0, 0, 0)), file.data)
    return Response(buffer.getvalue(), media_type=_ZIP)


def _json(content: Any) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()
