"""All faces of a photo in one set of maps of the photo's size, with no seam, as codes ready to be written.

Outside the faces albedo is the photo, shading 1, residual 0 and the normal looks at the viewer; at the edge of a mask
the two blend. The residual is computed after the blend and from the codes of albedo and shading, so that A ∘ S + R is
the photo everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Num

from illures.decomposition import Decomposition
from illures.formats import Codes, Format, MapName
from illures.images import Photo, as_float, as_linear
from illures.math.normals import normalize
from illures.upsample import Window, bounds, check_photo, prepare, sample

# Rows worked on at a time: floats of a whole 12-megapixel photo would take gigabytes.
BAND = 128


@dataclass(frozen=True)
class PhotoMaps:
    """Codes of the maps of a whole photo, in one format; see `Format`."""

    format: Format
    albedo: Num[np.ndarray, "height width 3"]
    normal: Num[np.ndarray, "height width 3"]
    shading: Num[np.ndarray, "height width 3"]
    residual: Num[np.ndarray, "height width 3"]
    mask: Num[np.ndarray, "height width"]

    def take(self, name: MapName) -> Codes:
        """Codes of a map; the reconstruction is made from the others' codes, band by band."""
        if name != "reconstruction":
            return getattr(self, name)
        codes = np.empty_like(self.albedo)
        for rows in _bands(0, len(codes)):
            decoded = {n: self.format.decode(n, getattr(self, n)[rows]) for n in ("albedo", "shading", "residual")}
            total = decoded["albedo"] * decoded["shading"] + decoded["residual"]
            codes[rows] = self.format.quantise("reconstruction", total)
        return codes


def photo_maps(photo: Photo, faces: list[Decomposition], format: Format) -> PhotoMaps:
    """Bring every face to the photo's resolution and lay them into the photo.

    Raises:
        InputError: a face was found in a photo of another size.
    """
    maps = _blank(photo, format)
    for face in faces:
        check_photo(face.crop, photo)
        fields = prepare(face)
        height, width = photo.shape[:2]
        x0, y0, x1, y1 = bounds(face.crop)
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
        for rows in _bands(y0, y1):
            image = as_linear(photo[rows, x0:x1])
            _lay(maps, (rows, slice(x0, x1)), sample(fields, (x0, rows.start), image))
    return maps


def _blank(photo: Photo, format: Format) -> PhotoMaps:
    """The maps of a photo with no face."""
    shape = photo.shape[:2]

    def constant(name: MapName, value: tuple[float, ...]) -> Codes:
        code = format.quantise(name, np.array([[value]], np.float32))
        return np.broadcast_to(code, (*shape, 3)).copy()

    albedo = np.empty((*shape, 3), format.dtype)
    for rows in _bands(0, shape[0]):
        if format.is_exr:
            albedo[rows] = format.quantise("albedo", as_linear(photo[rows]))
        else:
            albedo[rows] = np.round(as_float(photo[rows]) * np.iinfo(format.dtype).max)
    shading = constant("shading", (1.0, 1.0, 1.0))
    residual = np.empty_like(albedo)
    for rows in _bands(0, shape[0]):
        residual[rows] = _residual(format, as_linear(photo[rows]), albedo[rows], shading[rows])
    normal = constant("normal", (0.0, 0.0, 1.0))
    return PhotoMaps(format, albedo, normal, shading, residual, np.zeros(shape, format.dtype))


def _lay(maps: PhotoMaps, where: tuple[slice, slice], window: Window) -> None:
    """Blend a window into the maps by its mask; pixels where the mask is 0 stay as they are."""
    format, weight = maps.format, window.mask[..., None]
    inside = weight > 0
    if not inside.any():
        return

    def blend(name: MapName, over: np.ndarray) -> np.ndarray:
        under = format.decode(name, getattr(maps, name)[where])
        return under + weight * (over - under)

    blended: dict[MapName, np.ndarray] = {
        "albedo": blend("albedo", window.albedo),
        "shading": blend("shading", window.shading),
        "normal": normalize(blend("normal", window.normal)),
    }
    for name, values in blended.items():
        np.copyto(getattr(maps, name)[where], format.quantise(name, values), where=inside)
    residual = _residual(format, window.image, maps.albedo[where], maps.shading[where])
    np.copyto(maps.residual[where], residual, where=inside)
    maps.mask[where] = np.maximum(maps.mask[where], format.quantise("mask", window.mask))


def _residual(format: Format, image: np.ndarray, albedo: Codes, shading: Codes) -> Codes:
    """Codes of what albedo ∘ shading, as the files will hold them, leave of the image."""
    return format.quantise("residual", image - format.decode("albedo", albedo) * format.decode("shading", shading))


def _bands(start: int, stop: int) -> Iterator[slice]:
    for first in range(start, stop, BAND):
        yield slice(first, min(first + BAND, stop))
