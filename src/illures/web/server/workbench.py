"""The work of the worker process: each public method of `Workbench` is a call. Arguments and results are pickled."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from illures.decompose.decomposer import Decomposer
from illures.decompose.decomposition import Decomposition
from illures.errors import InputError
from illures.io.headers import header_size
from illures.io.photos import Photo
from illures.model.weights import FAST
from illures.relighting import sources
from illures.relighting.light import Light
from illures.relighting.presets import PRESETS
from illures.web.server import export, restwork
from illures.web.server.facemaps import reduced
from illures.web.server.limits import Limits
from illures.web.server.pack import pack_face
from illures.web.server.uploads import Upload, check_pixels, decode_photo, frame_at, reading

LightKind = Literal["hdri", "json", "photo"]
# Decoded photos in the cache.
_KEPT_PHOTOS = 2
_HDRI_SUFFIXES = (".hdr", ".exr", ".npy")


@dataclass(frozen=True)
class Opened:
    """A decomposed photo.

    Attributes:
        upload: the file, which is decoded again when needed.
        width, height: size of the photo, upright [px].
        faces: largest first.
    """

    upload: Upload
    width: int
    height: int
    faces: list[Decomposition]


@dataclass(frozen=True)
class Order:
    """A file requested by the browser.

    Attributes:
        what: the relit photo, one of the maps, or all as ZIP.
        kind: format of the images.
        light: the light as a dict of `Light.to_dict`.
        kept, shadows, match: see `export.Look`.
        paint: PNG file with alpha, or empty.
        side: longest side of the relit photo [px]; 0 for that of the photo. Ignored for maps.
    """

    what: export.What
    kind: export.Kind
    light: dict[str, Any]
    kept: float = 1.0
    shadows: bool = False
    match: bool = False
    paint: bytes = b""
    side: int = 0


class Workbench:
    """Holds the network, and a cache of the last decoded photos."""

    def __init__(self, limits: Limits, weights: Path | None = None) -> None:
        """Load the network.

        Raises:
            InputError: the weights can't be read.
        """
        self._limits = limits
        self._decomposer = Decomposer.from_pretrained(weights or FAST)
        self._photos: OrderedDict[str, Photo] = OrderedDict()

    def ready(self) -> bool:
        """Return True; used to start the process before the first photo."""
        return True

    def open_photo(self, upload: Upload) -> Opened:
        """Decode a photo and decompose its faces.

        Raises:
            InputError: it can't be read, or shows no face.
        """
        photo = self._photo(upload)
        faces = self._decomposer(photo, name=upload.name)
        if not faces:
            raise InputError(f"{upload.name}: no face found; it should be turned to the camera and not too small")
        return Opened(upload, photo.shape[1], photo.shape[0], faces)

    def members(self, upload: Upload) -> list[Upload]:
        """Unpack a ZIP file of photos; see `restwork.members`."""
        return restwork.members(upload, self._limits)

    def made(self, upload: Upload, ask: restwork.Ask) -> tuple[dict[str, Any], list[restwork.File]]:
        """Process a photo for the REST interface: its facts, and the requested files.

        Raises:
            InputError: it can't be read, shows no face, or a light is unknown.
        """
        opened = self.open_photo(upload)
        photo = self._photos.pop(upload.id)  # not needed again
        return restwork.described(photo, opened.faces), restwork.made(photo, opened.faces, ask)

    def pack(self, opened: Opened, index: int, side: int) -> bytes:
        """Pack the textures of a face for the browser (see `pack`)."""
        side = max(64, min(side, self._limits.texture_side))
        return pack_face(self._photo(opened.upload), opened.faces, index, side)

    def presets(self, opened: Opened, index: int) -> list[dict[str, Any]]:
        """All presets, at the strength that suits a face."""
        face = opened.faces[index]
        return [
            {"name": source.name, "about": PRESETS[source.name].about, "light": source.on(face).to_dict()}
            for source in sources.presets(["all"])
        ]

    def light(
        self, opened: Opened, index: int, upload: Upload, kind: LightKind, keep_colour: bool = False
    ) -> dict[str, Any]:
        """Read a light from a file, at the strength that suits a face. A light from JSON keeps its strength.

        Raises:
            InputError: the file can't be read as this kind of light.
        """
        if not upload.data:
            raise InputError(f"{upload.name}: the file is empty")
        face = opened.faces[index]
        if kind == "json":
            return reading(upload, ".json", Light.from_json).to_dict()
        if kind == "hdri":
            return self._environment(upload).on(face).to_dict()
        return self._other_light(upload, keep_colour).on(face).to_dict()

    def make(self, opened: Opened, index: int, order: Order) -> bytes:
        """Make a file requested by the browser.

        Raises:
            InputError: the light or the paint is invalid.
        """
        photo, faces = self._photo(opened.upload), opened.faces
        if order.what == "relit" or order.what == "zip":
            name = Upload("", "light", json.dumps(order.light).encode())
            light = reading(name, ".json", Light.from_json)
            look = export.Look(light, order.kept, order.shadows, order.match, self._paint(order))
            if order.what == "zip":
                return export.all_files(photo, faces, index, look, order.kind, opened.upload.name)
            if order.side:
                photo, faces = reduced(photo, faces, order.side)
            return export.picture(export.relit(export.deep(photo, order.kind), faces, index, look), order.kind)
        return export.map_file(photo, faces, index, order.what, order.kind, self._paint(order))

    def frame(self, upload: Upload, time_s: float) -> tuple[dict[str, Any], bytes]:
        """Decode one frame of a clip to PNG (see `uploads.frame_at`)."""
        about, image = frame_at(upload, time_s, self._limits.pixels)
        return about, export.picture(image, "png")

    def _paint(self, order: Order) -> export.Paint | None:
        if not order.paint:
            return None
        reading(Upload("", "paint", order.paint), "", self._check)
        return export.read_paint(order.paint)

    def _check(self, path: Path) -> None:
        check_pixels(*header_size(path), self._limits.pixels)

    def _photo(self, upload: Upload) -> Photo:
        if upload.id not in self._photos:
            photo = decode_photo(upload, self._limits.pixels)
            self._photos[upload.id] = photo
            while len(self._photos) > _KEPT_PHOTOS:
                self._photos.popitem(last=False)
        self._photos.move_to_end(upload.id)
        return self._photos[upload.id]

    def _environment(self, upload: Upload) -> sources.Source:
        suffix = "." + upload.name.rpartition(".")[2].lower()
        if suffix not in _HDRI_SUFFIXES:
            raise InputError(f"{upload.name}: must be an environment map: {', '.join(_HDRI_SUFFIXES)}")

        def read(path: Path) -> sources.Source:
            if suffix != ".npy":
                self._check(path)
            (source,) = sources.maps([path], 0.0)
            return source

        return reading(upload, suffix, read)

    def _other_light(self, upload: Upload, keep_colour: bool) -> sources.Source:
        photo = decode_photo(upload, self._limits.pixels)
        small = photo if photo.dtype == np.uint8 else export.eight(photo)
        faces = self._decomposer(small, name=upload.name)
        (source,) = sources.references([Path(upload.name)], lambda _: faces, keep_colour)
        return source
