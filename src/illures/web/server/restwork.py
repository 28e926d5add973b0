"""The computations of the REST interface, in the worker process: output files for one photo and its faces."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from illures.decompose.decomposition import Decomposition
from illures.decompose.folder import CONVENTION
from illures.decompose.map_files import write_maps
from illures.decompose.photo_maps import photo_maps
from illures.errors import InputError
from illures.faces import upright
from illures.faces.atlas import head_axes
from illures.io.formats import Format, MapName, Normals, NormalSpace, png_of
from illures.io.photos import Photo
from illures.math import sh
from illures.relighting.composite import Background, PhotoRelighter
from illures.relighting.recognise import How, recognised_words
from illures.relighting.sources import Source, distinct
from illures.relighting.surface import Residual
from illures.web.server.export import Kind, deep, picture
from illures.web.server.limits import Limits
from illures.web.server.store import new_id
from illures.web.server.uploads import Upload, plain_name

MapFormat = Literal["png", "png16", "exr"]
# Prefixes of files that file managers add to archives.
_HIDDEN = ("__MACOSX", ".")


@dataclass(frozen=True)
class File:
    """A file of a response."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Faces:
    """Request the facts of `described`, and no image."""


@dataclass(frozen=True)
class Maps:
    """Request maps at the photo's size.

    Attributes:
        names: names of the maps.
        format: "png" and "png16" give one file per map, "exr" one file with layers.
        normals: how files hold y; see `io.formats.Format`.
        normal_space: frame of the normals.
    """

    names: tuple[MapName, ...]
    format: MapFormat = "png"
    normals: Normals = "opengl"
    normal_space: NormalSpace = "camera"


@dataclass(frozen=True)
class Relit:
    """Request the photo under other lights; see `relighting.batch.Job` for the options.

    Attributes:
        lights: names, AZIMUTH,ELEVATION, or SH coefficients. No file names, which would be files of the server.
    """

    lights: tuple[str, ...]
    residual: Residual = "recompute"
    background: Background = "keep"
    strength: float = 1.0
    shadows: bool = True
    exposure: float = 0.0
    ambient: float = 0.2
    radius: float = 6.0
    kind: Kind = "jpg"

    def sources(self) -> dict[str, Source]:
        """The lights by output file name; raises an InputError for an unknown light."""
        return distinct(recognised_words(self.lights, How(self.ambient, self.radius)))


Ask = Faces | Maps | Relit


def described(photo: Photo, faces: Sequence[Decomposition]) -> dict[str, Any]:
    """Size of the photo [px], and for each face box [px], score in [0, 1], upright light, and axes of the head."""
    return {
        "width": photo.shape[1],
        "height": photo.shape[0],
        "faces": [
            {
                "box": np.round(_box(face), 1).tolist(),
                "score": round(float(face.crop.face.score), 4),
                "light": np.round(sh.rotate(face.light, upright(face.crop)).astype(np.float64), 6).tolist(),
                "head_rotation": np.round(head_axes(face.crop), 6).tolist(),
            }
            for face in faces
        ],
        "convention": CONVENTION,
    }


def made(photo: Photo, faces: Sequence[Decomposition], ask: Ask) -> list[File]:
    """Compute the requested files; none for `Faces`.

    Raises:
        InputError: a light is unknown.
    """
    if isinstance(ask, Maps):
        return _maps(photo, list(faces), ask)
    if isinstance(ask, Relit):
        return _relit(photo, list(faces), ask)
    return []


def members(upload: Upload, limits: Limits) -> list[Upload]:
    """Unpack the photos of a ZIP file.

    Raises:
        InputError: it is not a ZIP file, it holds no photos or too many, or they are too large when unpacked.
    """
    name = upload.name
    try:
        with zipfile.ZipFile(io.BytesIO(upload.data)) as archive:
            found = [
                info
                for info in archive.infolist()
                if not info.is_dir() and not any(part.startswith(_HIDDEN) for part in info.filename.split("/"))
            ]
            if not 0 < len(found) <= limits.batch:
                raise InputError(f"{name}: {len(found)} photos; a batch has 1 to {limits.batch}")
            photos, room = [], limits.batch_bytes
            for info in found:
                photos.append(_member(archive, info, name, limits, room))
                room -= len(photos[-1].data)
            return photos
    except (zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, NotImplementedError, OSError, EOFError) as error:
        raise InputError(f"{name}: can't be read as a ZIP file ({error})") from None
    except (ValueError, ArithmeticError, LookupError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name}: can't be read as a ZIP file ({error})") from None


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, limits: Limits, room: int) -> Upload:
    most = min(limits.photo_bytes, room)
    with archive.open(info) as file:
        data = file.read(most + 1)  # the size in the header may be wrong
    if len(data) > most:
        if most < limits.photo_bytes:
            raise InputError(f"{name}: its photos unpack to more than {limits.batch_bytes / 1e6:.3g} MB")
        raise InputError(f"{name}: {plain_name(info.filename)} is larger than {most / 1e6:.3g} MB")
    return Upload(new_id(), plain_name(info.filename), data)


def _maps(photo: Photo, faces: list[Decomposition], ask: Maps) -> list[File]:
    format = Format(ask.format, normals=ask.normals, normal_space=ask.normal_space)
    if not format.is_exr:
        maps = photo_maps(photo, faces, format)
        return [File(f"{name}.png", png_of(name, maps.take(name))) for name in ask.names]
    with tempfile.TemporaryDirectory(prefix="illures-") as folder:
        write_maps(Path(folder), photo, faces, format, ask.names, "maps.exr")
        return [File("maps.exr", (Path(folder) / "maps.exr").read_bytes())]


def _relit(photo: Photo, faces: list[Decomposition], ask: Relit) -> list[File]:
    relighter = PhotoRelighter(
        deep(photo, ask.kind),
        faces,
        residual=ask.residual,
        background=ask.background,
        strength=ask.strength,
        shadows=ask.shadows,
    )
    suffix = ask.kind.removesuffix("16")
    return [
        File(f"{name}.{suffix}", picture(relighter(source.on(faces[0], ask.exposure)), ask.kind))
        for name, source in ask.sources().items()
    ]


def _box(face: Decomposition) -> np.ndarray:
    """Least and largest (x, y) of a face's landmarks [photo px]."""
    points = face.crop.face.landmarks[:, :2]
    return np.stack([points.min(0), points.max(0)])
