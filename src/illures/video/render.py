"""Draw a frame of a video: a map of its faces laid into the frame, without a seam, fast enough for every frame.

The maps of the crop are blended at the crop's size into what is shown outside the faces, then interpolated to the frame
(as in `decompose.photo_maps`: albedo is the frame, shading 1, residual 0, the normal looks at the viewer). Albedo and
relit faces are the frame times a smooth ratio, so that all detail finer than the crop is the frame's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from illures.decompose.decomposition import Decomposition
from illures.decompose.extent import on_wide, seen_by
from illures.decompose.fields import beyond
from illures.faces import at_size, feathered, upright
from illures.faces.matte import MARGIN, SEEN, PhotoMatte, coarse_matte, surroundings, widened
from illures.io.formats import Format
from illures.io.photos import as_float, as_linear
from illures.math.color import linear_to_srgb
from illures.math.normals import normalize
from illures.relighting.composite import mirroring, shouldered
from illures.relighting.light import Light
from illures.relighting.surface import shrunk, surface_of, with_hair_as_in_photo
from illures.relighting.weight import grid_weight
from illures.render import shade
from illures.types import FaceCrop
from illures.video.grid import resized, tile_size, tiled
from illures.video.overlay import DARK, Image8, Map3, Overlay, Ratio, lay, multiplied, place

Show = Literal["albedo", "normal", "shading", "residual", "relit", "grid"]
SHOWS: tuple[Show, ...] = get_args(Show)
_MOST_RATIO, _MOST_AROUND = 12.0, 2.5  # on the face, and on hair and skin around it
_FINE = 0.015  # of the crop's side: detail that a change of light leaves as in the frame
_COARSER = 4  # the grid for the rest of the head is this many times coarser than the crop's
_CODES = Format("png")
_VIEWER = np.array([0, 0, 1], np.float32)

Picture = UInt8[np.ndarray, "rows columns 3"]


def show_frame(
    image: Image8,
    faces: Sequence[Decomposition],
    show: Show,
    light: Light | None = None,
    *,
    shadows: bool = False,
    codes: Format = _CODES,
    balances: Sequence[Float[np.ndarray, "3"]] = (),
) -> Picture:
    """The picture that the video shows for a frame.

    Args:
        image: the frame, sRGB.
        faces: of this frame, of the crop's size.
        show: which map; codes as in the PNG files of `illures decompose`. "grid": all of them in labelled tiles.
        light: upright, for "relit" and "grid", which need it.
        shadows: let relit faces cast shadows on themselves, which takes many times as long.
        codes: for "normal": PNG of 8 bits, with the space of the normals.
        balances: factors on the new light of each face, so that white is one white for all; none: 1.
    """
    if show == "grid":
        return _grid(image, faces, light, shadows, balances)
    if show in ("albedo", "relit"):
        new = light if show == "relit" else None
        lights = [new and new.scaled(balance) for balance in balances] if balances else [new] * len(faces)
        return multiplied(image, _over_heads(image, faces, lights, shadows))
    masked = ((face, place(face.crop, image.shape[:2], feathered(face.head, face.crop)[..., None])) for face in faces)
    placed = [(face, overlay) for face, overlay in masked if overlay is not None]
    if show == "normal":
        return _normals(image, placed, codes)
    return _shading(image, placed) if show == "shading" else _residual(image, placed)


def matte_of(image: Image8, faces: Sequence[Decomposition]) -> UInt8[np.ndarray, "height width"]:
    """Matte of the people in a frame, 0 to 255, as matte.png of a photo; 0 without a face."""
    if not faces:
        return np.zeros(image.shape[:2], np.uint8)
    matte = PhotoMatte(image, [face.crop for face in faces]).over(as_float(image), (0, 0))
    return np.round(255 * np.clip(matte, 0, 1)).astype(np.uint8)


Placed = Sequence[tuple[Decomposition, Overlay]]


def _over(new: Float[np.ndarray, "size size 3"], old: Float[np.ndarray, "size size 3"]) -> Map3:
    """Ratio by which the frame is multiplied to go from `old` to `new`."""
    return np.clip((new + DARK) / (old + DARK), 0, _MOST_RATIO)


def _faded(ratio: Map3, weight: Float[np.ndarray, "size size 1"]) -> Map3:
    """A ratio that goes to 1 where the weight goes to 0."""
    return np.asarray(1 + weight * (np.clip(ratio, 0, _MOST_RATIO) - 1), np.float32)


def _over_heads(
    image: Image8, faces: Sequence[Decomposition], lights: Sequence[Light | None], shadows: bool
) -> list[tuple[Overlay, Ratio]]:
    """Ratios that take a frame to another light, or without one to its albedo, over each person's head."""
    layers = []
    for face, light in zip(faces, lights, strict=True):
        others = [other.crop for other in faces if other is not face]
        if light is None:
            layers += _over_head(image, face, _over(face.albedo, face.image), _MOST_RATIO, others, unseen=False)
        else:
            layers += _over_head(image, face, _relit(face, light, shadows), _MOST_AROUND, others, unseen=True)
    return layers


def _over_head(
    image: Image8, face: Decomposition, near: Map3, most: float, others: list[FaceCrop], unseen: bool
) -> list[tuple[Overlay, Ratio]]:
    """A ratio of the crop, continued around it over the rest of the head, where it is at most `most`.

    Where the matte misses the person, it ends with the crop unless `unseen`.
    """
    size, margin, coarse = face.crop.size, round(MARGIN * face.crop.size), face.crop.size // _COARSER
    head = feathered(face.head, face.crop)
    far = beyond(np.minimum(_shrunk(near, coarse), most), _shrunk(head, coarse), round(MARGIN * coarse))
    wide = size + 2 * margin
    ratio = cv2.resize(far, (wide, wide), interpolation=cv2.INTER_CUBIC)
    inner = ratio[margin:-margin, margin:-margin]
    inner[:] = inner + head[..., None] * (near - inner)
    weight = _weight(image, face, coarse, others, unseen)[..., None]
    placed = place(widened(face.crop), image.shape[:2], weight)
    return [] if placed is None else [(replace(placed, coarse=True), _faded(ratio, weight))]


def _relit(face: Decomposition, light: Light, shadows: bool) -> Map3:
    """Ratio of new to old light, as in photos: E is divided out, and the new shading multiplied in."""
    face = with_hair_as_in_photo(face)
    surface = surface_of(face, "recompute", shadows)
    seen = surface.lit(light)
    base = face.image / surface.old
    # Both are blurred: details such as lashes and nostrils are a pixel off in a running mean, and are left as in the
    # frame.
    lit = base * seen.diffuse + mirroring(base) * seen.specular
    new, old = (cv2.GaussianBlur(v, (0, 0), _FINE * face.crop.size) for v in (lit, face.image))
    return _over(shouldered(new, old), old)


def _weight(
    image: Image8, face: Decomposition, side: int, others: list[FaceCrop], unseen: bool
) -> Float[np.ndarray, "wide wide"]:
    """Weight of the change on the wide grid: spread on a coarser grid, times the matte at full resolution."""
    small = shrunk(face, side)
    wide = widened(face.crop)
    srgb = as_float(surroundings(image, at_size(wide, SEEN)))
    alpha, coarse = coarse_matte(srgb), widened(small.crop).size
    few, thin = (cv2.resize(v, (coarse, coarse), interpolation=cv2.INTER_AREA) for v in (srgb, alpha))
    if not seen_by(thin, on_wide(small.mask, small.crop)):
        if not unseen:
            return on_wide(feathered(face.head, face.crop), face.crop)
        alpha, thin = np.ones_like(alpha), np.ones_like(thin)
    far = cv2.GaussianBlur(grid_weight(few, small, thin, others), (0, 0), 1.0)
    far, alpha = (cv2.resize(v, (wide.size, wide.size), interpolation=cv2.INTER_LINEAR) for v in (far, alpha))
    return far * alpha


def _shrunk(field: Float[np.ndarray, "size size *c"], side: int) -> Float[np.ndarray, "side side *c"]:
    return np.asarray(cv2.resize(field, (side, side), interpolation=cv2.INTER_AREA))


def _normals(image: Image8, placed: Placed, codes: Format) -> Image8:
    out = np.broadcast_to(codes.quantise("normal", _VIEWER[None, None]), image.shape).copy()
    for face, overlay in placed:
        axes = face.head_rotation if codes.normal_space == "head" else upright(face.crop).T
        turned = (face.normal @ axes).astype(np.float32)
        blended = normalize(_VIEWER + overlay.mask * (turned - _VIEWER))
        lay(out, overlay, overlay.lift(127.5 * (blended * codes.axis_signs + 1)))
    return out


def _shading(image: Image8, placed: Placed) -> Image8:
    out = np.broadcast_to(_CODES.quantise("shading", np.ones((1, 1, 3), np.float32)), image.shape).copy()
    for face, overlay in placed:
        blended = _faded_shading(face, overlay) / np.float32(_CODES.shading_scale)
        lay(out, overlay, overlay.lift(255 * linear_to_srgb(np.clip(blended, 0, 1))))
    return out


def _residual(image: Image8, placed: Placed) -> Image8:
    out = np.broadcast_to(_CODES.quantise("residual", np.zeros((1, 1, 3), np.float32)), image.shape).copy()
    for face, overlay in placed:
        local = face.image + overlay.mask * (face.albedo - face.image)
        ratio = _over(local * _faded_shading(face, overlay), face.image)
        linear = as_linear(image[overlay.where])
        explained = (linear + np.float32(DARK)) * overlay.lift(ratio) - np.float32(DARK)
        lay(out, overlay, np.clip(linear - explained, -1, 1) * np.float32(127) + np.float32(128))
    return out


def _faded_shading(face: Decomposition, overlay: Overlay) -> Map3:
    shading = np.clip(shade(face.normal, face.light), 0, None)
    return np.asarray(1 + overlay.mask * (shading - 1), np.float32)


def _grid(
    image: Image8,
    faces: Sequence[Decomposition],
    light: Light | None,
    shadows: bool,
    balances: Sequence[Float[np.ndarray, "3"]],
) -> Picture:
    """Input, albedo, normal, shading, residual, relit: two rows of three tiles."""
    rows, columns = tile_size(*image.shape[:2])
    small = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    shrunk = [resized(face, image.shape[:2], (rows, columns)) for face in faces]
    shows = [show for show in SHOWS if show != "grid"]
    tiles = [small, *(show_frame(small, shrunk, show, light, shadows=shadows, balances=balances) for show in shows)]
    return tiled(tiles, ["input", *shows])
