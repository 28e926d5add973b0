"""Blend all faces of a photo into one set of maps of the photo's size, as codes ready to write.

Outside the people albedo is the photo, shading 1, residual 0, and normals face the viewer; the maps blend into these at
the edge of the person. The residual is computed from the photo and the codes of albedo and shading, so A ∘ S + R is the
photo everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, Num, UInt8

from illures.decompose.decomposition import Decomposition
from illures.decompose.extent import limits, own_share, prepare_wide, seen_by
from illures.decompose.fields import Fields, Window, sample
from illures.decompose.full_resolution import prepare
from illures.faces import Rect, bounds, check_photo, extract, in_sight, inside, padded, warped
from illures.faces.atlas import head_axes
from illures.faces.matte import PhotoMatte, widened
from illures.io.formats import Codes, Format, MapName
from illures.io.photos import Photo, as_float, as_linear
from illures.math.normals import normalize
from illures.types import FaceCrop, Region

# Rows processed at a time: floats of a whole 12-megapixel photo would take gigabytes.
BAND = 128
# A matte with less of the skin of a face misses parts of the person, and is not followed.
_WHOLE = 0.9


@dataclass(frozen=True)
class PhotoMaps:
    """Codes of the maps of a whole photo, in one format; see `Format`.

    Attributes:
        photo: its pixels; the residual is computed from them when it is asked for, to save memory.
        regions: numbers of `types.Region`; background where no face is near; None for networks without classes, or
            where they were not asked for.
    """

    format: Format
    photo: Photo
    albedo: Num[np.ndarray, "height width 3"]
    normal: Num[np.ndarray, "height width 3"]
    shading: Num[np.ndarray, "height width 3"]
    mask: Num[np.ndarray, "height width"]
    matte: Num[np.ndarray, "height width"]
    regions: UInt8[np.ndarray, "height width"] | None

    def take(self, name: MapName, residual: Codes | None = None) -> Codes:
        """Codes of a map; residual and reconstruction are computed from the codes of the others, band by band.

        Args:
            name: of the map.
            residual: its codes, if they are known: the reconstruction needs them.
        """
        if name not in ("residual", "reconstruction"):
            return np.asarray(getattr(self, name))
        codes = np.empty_like(self.albedo)
        for rows in _bands(0, len(codes)):
            codes[rows] = self.residual(rows) if residual is None else residual[rows]
            if name == "reconstruction":
                total = self._product(rows) + self.format.decode("residual", codes[rows])
                codes[rows] = self.format.quantise("reconstruction", total)
        return codes

    def residual(self, rows: slice) -> Codes:
        """Codes of the residual of some rows: the photo minus albedo ∘ shading as stored in the files."""
        return self.format.quantise("residual", as_linear(self.photo[rows]) - self._product(rows))

    def _product(self, rows: slice) -> Float[np.ndarray, "rows width 3"]:
        return self.format.decode("albedo", self.albedo[rows]) * self.format.decode("shading", self.shading[rows])


def photo_maps(photo: Photo, faces: list[Decomposition], format: Format, *, labels: bool = False) -> PhotoMaps:
    """Upsample every face to the photo's resolution, and blend them into one set of maps.

    Args:
        photo: its pixels.
        faces: what was found in it.
        format: of the maps.
        labels: find `PhotoMaps.regions`, too.

    Raises:
        InputError: a face was found in a photo of another size.
    """
    for face in faces:
        check_photo(face.crop, photo)
    maps = _blank(photo, faces, format, labels)
    for face in faces:
        _add(maps, photo, face, [other.crop for other in faces if other is not face])
    return maps


def _add(maps: PhotoMaps, photo: Photo, face: Decomposition, others: list[FaceCrop]) -> None:
    """Lay a face into the maps.

    Where the matte tells the person, the maps go on beyond the crop, continued from its edge: hair, neck and shoulders
    are in the same light. Otherwise they end with the crop.
    """
    own, format = own_share(face.crop, face.crop, others), maps.format
    person = format.decode("matte", maps.matte)
    seen = seen_by(extract(person, face.crop), face.mask, _WHOLE)
    fields = prepare_wide(face, photo) if seen else prepare(face)
    if others:
        share = own_share(face.crop, fields.crop, others)
        fields = replace(fields, head=fields.head * share, mask=fields.mask * share)
    if seen:
        wide = widened(face.crop)
        reach = limits(face, others, extract(person, wide))[in_sight(wide)[1]]
        fields = replace(fields, head=_at_size(reach, fields))
    rect = inside(bounds(widened(face.crop) if seen else face.crop), photo)
    axes = head_axes(face.crop).astype(np.float32) if format.normal_space == "head" else None
    _lay_over(maps, photo, fields, rect, seen, axes)
    if maps.regions is not None and face.regions is not None:
        x0, y0, x1, y1 = inside(bounds(face.crop), photo)
        for rows in _bands(y0, y1):
            _label(maps.regions[rows, x0:x1], face.regions, own, face.crop, (x0, rows.start))


def _lay_over(
    maps: PhotoMaps, photo: Photo, fields: Fields, rect: Rect, matted: bool, axes: Float[np.ndarray, "3 3"] | None
) -> None:
    """Lay a face into the maps over a rectangle of the photo.

    Args:
        maps: of the photo.
        photo: its pixels.
        fields: of the face.
        rect: of the photo.
        matted: as far as the matte goes.
        axes: of the frame of the normals as columns; None: the photo's.
    """
    x0, y0, x1, y1 = rect
    for rows in _bands(y0, y1):
        shape = rows.stop - rows.start, x1 - x0
        head, mask = (warped(field, fields.crop, (x0, rows.start), shape) for field in (fields.head, fields.mask))
        if matted:
            head = np.maximum(head * maps.format.decode("matte", maps.matte[rows, x0:x1]), mask)
        touched = np.flatnonzero((head > 0).any(axis=0))
        if not len(touched):
            continue
        here = slice(touched[0], touched[-1] + 1)
        columns = slice(int(x0 + here.start), int(x0 + here.stop))
        window = sample(fields, (columns.start, rows.start), as_linear(photo[rows, columns]))
        normal = window.normal if axes is None else window.normal @ axes
        _lay(maps, (rows, columns), replace(window, normal=normal, head=head[:, here], mask=mask[:, here]))


def _at_size(share: Float[np.ndarray, "size size"], fields: Fields) -> Float[np.ndarray, "fine fine"]:
    side = fields.crop.size
    return np.asarray(cv2.resize(share, (side, side), interpolation=cv2.INTER_LINEAR))


def _label(
    out: UInt8[np.ndarray, "rows columns"],
    regions: Float[np.ndarray, "size size classes"],
    own: Float[np.ndarray, "size size"],
    crop: FaceCrop,
    origin: tuple[int, int],
) -> None:
    """Write the likeliest class where this face is the nearest and the pixel lies in its crop."""
    inside = cv2.copyMakeBorder(own, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    here = warped(inside, padded(crop, 1), origin, out.shape) >= 0.5
    best, label = np.zeros(out.shape, np.float32), np.zeros(out.shape, np.uint8)
    for region in np.flatnonzero(regions.max(axis=(0, 1)) >= 1 / len(Region)):  # others are nowhere the likeliest
        likely = warped(np.ascontiguousarray(regions[..., region]), crop, origin, out.shape)
        label[likely > best] = region
        np.maximum(best, likely, out=best)
    np.copyto(out, label, where=here)


def _blank(photo: Photo, faces: list[Decomposition], format: Format, labels: bool) -> PhotoMaps:
    """The maps of a photo without faces, with the matte of its people."""
    shape = photo.shape[:2]

    def constant(name: MapName, value: tuple[float, ...]) -> Codes:
        row = np.tile(format.quantise(name, np.array([value], np.float32)), (shape[1], 1))
        return np.broadcast_to(row.ravel(), (shape[0], row.size)).copy().reshape(*shape, 3)  # by rows: fast

    if photo.dtype == np.uint8 and not format.is_exr:
        albedo = np.multiply(photo, np.iinfo(format.dtype).max // 255, dtype=format.dtype)
    else:
        albedo = np.empty((*shape, 3), format.dtype)
        for rows in _bands(0, shape[0]):
            if format.is_exr:
                albedo[rows] = format.quantise("albedo", as_linear(photo[rows]))
            else:
                albedo[rows] = np.round(as_float(photo[rows]) * np.iinfo(format.dtype).max)
    shading = constant("shading", (1.0, 1.0, 1.0))
    normal = constant("normal", (0.0, 0.0, 1.0))
    matte = np.empty(shape, format.dtype)
    person = PhotoMatte(photo, [face.crop for face in faces])
    for rows in _bands(0, shape[0]):
        matte[rows] = format.quantise("matte", person.over(as_float(photo[rows]), (0, rows.start)))
    labels = labels and any(face.regions is not None for face in faces)
    regions = np.zeros(shape, np.uint8) if labels else None
    return PhotoMaps(format, photo, albedo, normal, shading, np.zeros(shape, format.dtype), matte, regions)


def _lay(maps: PhotoMaps, where: tuple[slice, slice], window: Window) -> None:
    """Blend a window into the maps where it shows a head; pixels where that weight is 0 stay as they are."""
    format, weight = maps.format, window.head[..., None]
    inside = weight > 0

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
    maps.mask[where] = np.maximum(maps.mask[where], format.quantise("mask", window.mask))


def _bands(start: int, stop: int) -> Iterator[slice]:
    for first in range(start, stop, BAND):
        yield slice(first, min(first + BAND, stop))
