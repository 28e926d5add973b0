"""What a frame of a video shows: a map of its faces laid into the frame, with no seam, fast enough for every frame.

The maps of the crop come up by interpolation, already blended at the crop's size into what stands outside the faces
(as in `decompose.photo_maps`: albedo is the frame, shading 1, residual 0, the normal looks at the viewer). Albedo and
relit faces are the frame times a smooth ratio, so that all detail finer than the crop is the frame's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, get_args

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from illures.decompose.decomposition import Decomposition
from illures.decompose.extent import on_wide, seen_by
from illures.decompose.full_resolution import beyond, feathered, surely, upright
from illures.faces import at_size, to_photo
from illures.faces.matte import MARGIN, SEEN, coarse_matte, surroundings, widened
from illures.io.formats import Format
from illures.io.photos import as_float, as_linear
from illures.math.color import linear_to_srgb
from illures.math.normals import normalize
from illures.relighting.composite import mirroring
from illures.relighting.light import Light
from illures.relighting.person import reach
from illures.relighting.photo_grid import encoded
from illures.relighting.relight import shrunk, surface_of
from illures.render import shade
from illures.types import Face, FaceCrop

Show = Literal["albedo", "normal", "shading", "residual", "relit", "grid"]
SHOWS: tuple[Show, ...] = get_args(Show)
# Added to linear light before ratios are taken: where the frame is nearly black they would blow up noise.
_DARK = 0.02
_MOST_RATIO, _MOST_AROUND = 12.0, 2.5  # on the face, and on hair and skin around it
_FINE = 0.015  # of the crop's side: detail that a change of light leaves to the frame
_COARSER = 4  # grid on which the rest of the head is sought, against the crop's
_GRID_COLUMNS, _GRID_WIDEST = 3, 1920  # the latter in pixels, unless the clip itself is wider
_LABEL = 0.055  # height of a label, of the tile's shorter side
_CODES = Format("png")
_VIEWER = np.array([0, 0, 1], np.float32)

Image8 = UInt8[np.ndarray, "height width 3"]
Picture = UInt8[np.ndarray, "rows columns 3"]
Map3 = Float[np.ndarray, "rows columns 3"]
Ratio = Float[np.ndarray, "_ _ 3"]  # of any face in any crop


@dataclass(frozen=True)
class Overlay:
    """One face in one frame: the pixels that it touches, and how its crop's maps get there.

    Attributes:
        rows, columns: of the frame.
        back: takes the window's pixels to the crop's.
        mask: feathered, of the crop's size.
        coarse: whether the crop's maps are smooth from pixel to pixel.
    """

    rows: slice
    columns: slice
    back: Float[np.ndarray, "2 3"]
    mask: Float[np.ndarray, "size size 1"]
    coarse: bool = False

    @property
    def where(self) -> tuple[slice, slice]:
        """The window as an index."""
        return self.rows, self.columns

    def lift(self, field: Float[np.ndarray, "size size *c"]) -> Float[np.ndarray, "rows columns *c"]:
        """A map of the crop over the window."""
        size = (self.columns.stop - self.columns.start, self.rows.stop - self.rows.start)
        # Cubics keep what is as fine as the crop's pixels; coarser grids hold nothing that fine.
        method = cv2.INTER_LINEAR if self.coarse else cv2.INTER_CUBIC
        flags = method | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(field, self.back, size, flags=flags, borderMode=cv2.BORDER_REPLICATE))


def show_frame(
    image: Image8, faces: Sequence[Decomposition], show: Show, light: Light | None = None, *, shadows: bool = False
) -> Picture:
    """The picture that the video shows for a frame.

    Args:
        image: the frame, sRGB.
        faces: of this frame, of the crop's size.
        show: which map; codes as in the PNG files of `illures decompose`. "grid": all of them in labelled tiles.
        light: upright, for "relit" and "grid", which need it.
        shadows: let relit faces cast shadows on themselves, which takes many times as long.
    """
    if show == "grid":
        return _grid(image, faces, light, shadows)
    if show in ("albedo", "relit"):
        return _multiplied(image, _over_heads(image, faces, light if show == "relit" else None, shadows))
    masked = ((face, _place(face.crop, image.shape[:2], feathered(face.head)[..., None])) for face in faces)
    placed = [(face, overlay) for face, overlay in masked if overlay is not None]
    if show == "normal":
        return _normals(image, placed)
    return _shading(image, placed) if show == "shading" else _residual(image, placed)


def matte_of(image: Image8, faces: Sequence[Decomposition]) -> UInt8[np.ndarray, "height width"]:
    """How far each pixel of a frame belongs to a face, 0 to 255: the feathered masks of all faces."""
    out = np.zeros(image.shape[:2], np.uint8)
    for face in faces:
        overlay = _place(face.crop, image.shape[:2], feathered(face.mask)[..., None])
        if overlay is not None:
            codes = np.round(255 * np.clip(overlay.lift(overlay.mask[..., 0]), 0, 1)).astype(np.uint8)
            np.maximum(out[overlay.where], codes, out=out[overlay.where])
    return out


def grid_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the grid of a clip of this size [px]."""
    rows, columns = _tile(height, width)
    return rows * 2, columns * _GRID_COLUMNS


def _place(crop: FaceCrop, size: tuple[int, int], mask: Float[np.ndarray, "size size 1"]) -> Overlay | None:
    """Where a crop lies that counts where its mask does; None where no pixel of the frame shows it."""
    rows, columns = (np.flatnonzero(mask.any(axis=(1 - axis, 2))) for axis in (0, 1))
    if not len(rows):
        return None
    # Cubics reach two pixels far.
    (top, bottom), (left, right) = ((seen[0] - 2.5, seen[-1] + 2.5) for seen in (rows, columns))
    corners = to_photo(np.array([[left, top], [right, top], [left, bottom], [right, bottom]]), crop)
    x0, y0 = np.clip(np.ceil(corners.min(0)), 0, size[::-1]).astype(int).tolist()
    x1, y1 = np.clip(np.floor(corners.max(0)) + 1, 0, size[::-1]).astype(int).tolist()
    if x0 >= x1 or y0 >= y1:
        return None
    back = crop.matrix.astype(np.float64).copy()
    back[:, 2] += back[:, :2] @ (x0, y0)
    return Overlay(slice(y0, y1), slice(x0, x1), back, mask)


Placed = Sequence[tuple[Decomposition, Overlay]]


def _over(new: Float[np.ndarray, "size size 3"], old: Float[np.ndarray, "size size 3"]) -> Map3:
    """What takes the frame from the one to the other."""
    return np.clip((new + _DARK) / (old + _DARK), 0, _MOST_RATIO)


def _faded(ratio: Map3, weight: Float[np.ndarray, "size size 1"]) -> Map3:
    """A ratio that goes to 1 where the weight goes to 0."""
    return np.asarray(1 + weight * (np.clip(ratio, 0, _MOST_RATIO) - 1), np.float32)


def _over_heads(
    image: Image8, faces: Sequence[Decomposition], light: Light | None, shadows: bool
) -> list[tuple[Overlay, Ratio]]:
    """Ratios that take a frame to its albedo or to another light, over each person's head."""
    layers = []
    for face in faces:
        others = [other.crop for other in faces if other is not face]
        if light is None:
            layers += _over_head(image, face, _over(face.albedo, face.image), _MOST_RATIO, others, unseen=False)
        else:
            layers += _over_head(image, face, _relit(face, light, shadows), _MOST_AROUND, others, unseen=True)
    return layers


def _over_head(
    image: Image8, face: Decomposition, near: Map3, most: float, others: list[FaceCrop], unseen: bool
) -> list[tuple[Overlay, Ratio]]:
    """A ratio of the crop, continued around it as far as the person's head reaches; there it is at most so large.

    Where the matte misses the person, it ends with the crop unless `unseen`.
    """
    size, margin, coarse = face.crop.size, round(MARGIN * face.crop.size), face.crop.size // _COARSER
    head = feathered(face.head)
    far = beyond(np.minimum(_shrunk(near, coarse), most), surely(_shrunk(head, coarse)), round(MARGIN * coarse))
    wide = size + 2 * margin
    ratio = cv2.resize(far, (wide, wide), interpolation=cv2.INTER_CUBIC)
    inner = ratio[margin:-margin, margin:-margin]
    inner[:] = inner + head[..., None] * (near - inner)
    weight = _weight(image, face, coarse, others, unseen)[..., None]
    placed = _place(widened(face.crop), image.shape[:2], weight)
    return [] if placed is None else [(replace(placed, coarse=True), _faded(ratio, weight))]


def _relit(face: Decomposition, light: Light, shadows: bool) -> Map3:
    """Ratio of new to old light, as in photos: E goes, the new light comes."""
    surface = surface_of(face, "recompute", shadows)
    seen = surface.lit(light)
    base = face.image / surface.old
    # Means of both: what is as fine as lashes and nostrils lies a pixel off in a running mean, and stays the frame's.
    lit = base * seen.diffuse + mirroring(base) * seen.specular
    return _over(*(cv2.GaussianBlur(v, (0, 0), _FINE * face.crop.size) for v in (lit, face.image)))


def _weight(
    image: Image8, face: Decomposition, side: int, others: list[FaceCrop], unseen: bool
) -> Float[np.ndarray, "wide wide"]:
    """How much of the change a pixel of the wide grid takes: its reach from a coarser grid, the matte at its own."""
    small = shrunk(face, side)
    wide = widened(face.crop)
    srgb = as_float(surroundings(image, at_size(wide, SEEN)))
    alpha, coarse = coarse_matte(srgb), widened(small.crop).size
    few, thin = (cv2.resize(v, (coarse, coarse), interpolation=cv2.INTER_AREA) for v in (srgb, alpha))
    if not seen_by(thin, on_wide(small.mask, small.crop)):
        if not unseen:
            return on_wide(feathered(face.head), face.crop)
        alpha, thin = np.ones_like(alpha), np.ones_like(thin)
    far = cv2.GaussianBlur(reach(few, small, thin, others), (0, 0), 1.0)
    far, alpha = (cv2.resize(v, (wide.size, wide.size), interpolation=cv2.INTER_LINEAR) for v in (far, alpha))
    return far * alpha


def _shrunk(field: Float[np.ndarray, "size size *c"], side: int) -> Float[np.ndarray, "side side *c"]:
    return np.asarray(cv2.resize(field, (side, side), interpolation=cv2.INTER_AREA))


def _multiplied(image: Image8, ratios: Sequence[tuple[Overlay, Ratio]]) -> Image8:
    """The frame times ratios, one after the other."""
    if not ratios:
        return image
    top, left = (min(o.where[axis].start for o, _ in ratios) for axis in (0, 1))
    bottom, right = (max(o.where[axis].stop for o, _ in ratios) for axis in (0, 1))
    out = image.copy()
    linear = as_linear(image[top:bottom, left:right]) + np.float32(_DARK)
    for overlay, ratio in ratios:
        rows, columns = overlay.where
        linear[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] *= overlay.lift(ratio)
    out[top:bottom, left:right] = encoded(linear - np.float32(_DARK), image.dtype)
    return out


def _normals(image: Image8, placed: Placed) -> Image8:
    out = np.broadcast_to(_CODES.quantise("normal", _VIEWER[None, None]), image.shape).copy()
    for face, overlay in placed:
        straight = (face.normal @ upright(face.crop).T).astype(np.float32)
        blended = normalize(_VIEWER + overlay.mask * (straight - _VIEWER))
        _lay(out, overlay, overlay.lift(127.5 * (blended + 1)))
    return out


def _shading(image: Image8, placed: Placed) -> Image8:
    out = np.broadcast_to(_CODES.quantise("shading", np.ones((1, 1, 3), np.float32)), image.shape).copy()
    for face, overlay in placed:
        blended = _faded_shading(face, overlay) / np.float32(_CODES.shading_scale)
        _lay(out, overlay, overlay.lift(255 * linear_to_srgb(np.clip(blended, 0, 1))))
    return out


def _residual(image: Image8, placed: Placed) -> Image8:
    out = np.broadcast_to(_CODES.quantise("residual", np.zeros((1, 1, 3), np.float32)), image.shape).copy()
    for face, overlay in placed:
        local = face.image + overlay.mask * (face.albedo - face.image)
        ratio = _over(local * _faded_shading(face, overlay), face.image)
        linear = as_linear(image[overlay.where])
        explained = (linear + np.float32(_DARK)) * overlay.lift(ratio) - np.float32(_DARK)
        _lay(out, overlay, np.clip(linear - explained, -1, 1) * np.float32(127) + np.float32(128))
    return out


def _faded_shading(face: Decomposition, overlay: Overlay) -> Map3:
    shading = np.clip(shade(face.normal, face.light), 0, None)
    return np.asarray(1 + overlay.mask * (shading - 1), np.float32)


def _lay(out: Image8, overlay: Overlay, codes: Map3) -> None:
    """Put codes of at least 0 where the face is; those between are rounded, those above 255 cut."""
    covered = overlay.lift(overlay.mask[..., 0]) > 0
    np.copyto(out[overlay.where], cv2.convertScaleAbs(codes), where=covered[..., None])


def _grid(image: Image8, faces: Sequence[Decomposition], light: Light | None, shadows: bool) -> Picture:
    """Input, albedo, normal, shading, residual, relit: two rows of three tiles."""
    rows, columns = _tile(*image.shape[:2])
    small = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    shrunk = [_resized(face, image.shape[:2], (rows, columns)) for face in faces]
    tiles = [small, *(show_frame(small, shrunk, show, light, shadows=shadows) for show in SHOWS if show != "grid")]
    out = np.empty((2 * rows, _GRID_COLUMNS * columns, 3), np.uint8)
    for number, (label, tile) in enumerate(zip(("input", *SHOWS), tiles, strict=False)):
        y, x = divmod(number, _GRID_COLUMNS)
        place = out[y * rows : (y + 1) * rows, x * columns : (x + 1) * columns]
        place[:] = tile
        _write_label(place, label)
    return out


def _tile(height: int, width: int) -> tuple[int, int]:
    """Height and width of a tile: even, and three of them no wider than a large screen."""
    scale = min(1.0, max(_GRID_WIDEST, width) / (_GRID_COLUMNS * width))
    return max(2, 2 * round(height * scale / 2)), max(2, 2 * round(width * scale / 2))


def _resized(face: Decomposition, size: tuple[int, int], to: tuple[int, int]) -> Decomposition:
    """The same face in a frame of another size."""
    y, x = to[0] / size[0], to[1] / size[1]
    # New pixel p shows old pixel (p + 1/2) / scale - 1/2.
    old = np.array([[1 / x, 0, 0.5 / x - 0.5], [0, 1 / y, 0.5 / y - 0.5], [0, 0, 1]])
    matrix = (face.crop.matrix.astype(np.float64) @ old).astype(np.float32)
    landmarks = ((face.crop.face.landmarks + [0.5, 0.5, 0]) * [x, y, x] - [0.5, 0.5, 0]).astype(np.float32)
    crop = FaceCrop(matrix, face.crop.size, to, Face(landmarks, face.crop.face.score))
    return replace(face, crop=crop)


def _write_label(tile: UInt8[np.ndarray, "rows columns 3"], text: str) -> None:
    label = _label(text, max(10, round(_LABEL * min(tile.shape[:2]))))[: tile.shape[0], : tile.shape[1]]
    tile[: label.shape[0], : label.shape[1]] = label


@cache
def _label(text: str, height: int) -> UInt8[np.ndarray, "rows columns 3"]:
    font = ImageFont.load_default(height)
    left, top, right, bottom = font.getbbox(text)
    pad = height // 3
    image = Image.new("RGB", (int(right - left) + 2 * pad, height + 2 * pad), (24, 24, 24))
    ImageDraw.Draw(image).text((pad - left, pad / 2), text, (225, 225, 225), font)
    return np.asarray(image)
