"""From the network's maps to the photo's own resolution, upright, with A ∘ f(N, L) + R = photo.

Normals are smooth and come up by interpolation; the light is only turned. The residual comes up guided by the photo
(He and Sun, "Fast Guided Filter", 2015): where it follows the photo locally (edges of shadows, highlights) it takes
its share of the photo's detail. All other detail goes to albedo, A = (I - R) / S, whose broad colours stay those that
the network gave. R is what then remains, so that the sum holds whatever the network says.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from illures.decomposition import Decomposition
from illures.errors import InputError
from illures.faces import at_size, extract, scale_of, soften, to_photo
from illures.images import Photo, as_linear
from illures.math import sh
from illures.math.normals import normalize
from illures.render import shade
from illures.types import FaceCrop

# Radius and eps of the guided filter, and the width below which albedo takes its detail from the photo; in pixels of
# a crop of 128. eps is a variance of linear light: texture of less contrast than its root stays in albedo.
GUIDE_RADIUS = 4
GUIDE_EPS = 0.03**2
DETAIL_SIGMA = 1.5
# Albedo is divided by shading, but by no less than this part of the face's mean shading: SH can ring to zero and below
# on the far side of a hard light, and there the division would blow up noise.
SHADING_FLOOR = 0.1
# Detail may make albedo this many times darker or lighter than the network's broad colour; the rest is residual.
DETAIL_RANGE = 4.0
# The mask fades over this part of the crop's side, inside its edge.
FEATHER = 0.05
# Around an open mouth it must fade faster, or the lips would be gone.
FEATHER_HOLES = 0.015
# Maps of a small crop are interpolated to this many times its size by cubics before the warp, which is linear.
FINER = 4

Map3 = Float[np.ndarray, "rows columns 3"]


@dataclass(frozen=True)
class Fields:
    """What is to be interpolated, on the (finer) grid of the crop, upright as the photo.

    Attributes:
        normal: in the photo's frame; not of unit length between pixels.
        light: in the photo's frame.
        residual: the network's.
        low: the crop as the network saw it, linear: what `share` measures detail against.
        share: of the photo's detail, what the residual takes; in [0, 1].
        broad: the network's albedo, smoothed: its say about broad colours.
        gain: `broad` over (I - R) / S, smoothed alike.
        floor: least shading that albedo is divided by.
        mask: feathered, 0 along the crop's edge.
        crop: of this grid.
    """

    normal: Map3
    light: Float[np.ndarray, "9 3"]
    residual: Map3
    low: Map3
    share: Map3
    broad: Map3
    gain: Map3
    floor: float
    mask: Float[np.ndarray, "rows columns"]
    crop: FaceCrop


@dataclass(frozen=True)
class Window:
    """One face's maps over a rectangle of the photo; `albedo * shading + residual = image`."""

    image: Map3
    albedo: Map3
    normal: Map3
    shading: Map3
    residual: Map3
    mask: Float[np.ndarray, "rows columns"]


def at_photo_resolution(face: Decomposition, photo: Photo) -> Decomposition:
    """See `Decomposition.photo_resolution`."""
    check_photo(face.crop, photo)
    fields = prepare(face)
    x0, y0, x1, y1 = bounds(face.crop)
    matrix = np.array([[1, 0, -x0], [0, 1, -y0]], np.float32)
    crop = FaceCrop(matrix=matrix, size=max(x1 - x0, y1 - y0), photo_size=face.crop.photo_size, face=face.crop.face)
    image = as_linear(extract(photo, crop))
    window = sample(fields, (x0, y0), image)
    return Decomposition(
        image=image,
        albedo=window.albedo,
        normal=window.normal,
        light=fields.light,
        residual=window.residual,
        mask=window.mask,
        crop=crop,
    )


def bounds(crop: FaceCrop) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the photo pixels around the turned crop (not clipped to the photo; ends exclusive)."""
    edge = crop.size - 0.5
    corners = to_photo(np.array([[-0.5, -0.5], [edge, -0.5], [-0.5, edge], [edge, edge]]), crop)
    x0, y0 = np.ceil(corners.min(0)).astype(int)
    side = int(np.ceil(np.ptp(corners, axis=0).max()))
    return int(x0), int(y0), int(x0) + side, int(y0) + side


def upright(crop: FaceCrop) -> Float[np.ndarray, "3 3"]:
    """Rotation about the line of sight that takes directions of the crop's frame to the photo's."""
    cos, sin = crop.matrix[0, :2].astype(np.float64) / scale_of(crop)
    # crop = [[cos, sin], [-sin, cos]] photo with y down; its inverse with y up has the signs of the sines so.
    return np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def prepare(face: Decomposition) -> Fields:
    """Filter at the crop's size, turn to the photo's frame, and interpolate to the finer grid."""
    size, shading = face.crop.size, face.shading
    radius, sigma = max(1, round(GUIDE_RADIUS * size / 128)), DETAIL_SIGMA * size / 128
    share = _share(face.image, face.residual, radius)
    weight = face.mask[..., None] + 0.01  # outside the mask the network's values mean nothing
    floor = SHADING_FLOOR * max(float((shading * weight).mean() / weight.mean()), 0.01)
    detail = np.clip(face.image - face.residual, 0, None) / np.maximum(shading, floor)
    total = _blur(weight, sigma)[..., None]
    broad = _blur(face.albedo * weight, sigma) / total
    gain = broad / np.maximum(_blur(detail * weight, sigma) / total, 1e-4)

    turn = upright(face.crop)
    zoom = scale_of(face.crop)
    factor = FINER if zoom < 0.5 else 1

    def finer(field: np.ndarray) -> np.ndarray:
        if factor > 1:
            field = cv2.resize(field, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        # Half a crop pixel smooths the creases of the cubics; a photo coarser than the crop needs its own low-pass.
        return np.ascontiguousarray(_blur(field, max(factor / 2, zoom / 2) if factor > 1 or zoom > 1 else 0.0))

    return Fields(
        normal=finer((face.normal @ turn.T).astype(np.float32)),
        light=sh.rotate(face.light, turn).astype(np.float32),
        residual=finer(face.residual),
        low=finer(face.image),
        share=finer(share),
        broad=finer(broad),
        gain=finer(np.clip(gain, 0, 10).astype(np.float32)),
        floor=floor,
        mask=np.clip(finer(feathered(face.mask)), 0, 1),
        crop=at_size(face.crop, size * factor),
    )


def sample(fields: Fields, origin: tuple[int, int], image: Map3) -> Window:
    """The maps over a rectangle of the photo: it begins at pixel `origin` (x, y) and its linear pixels are `image`."""
    back = fields.crop.matrix.astype(np.float64).copy()
    back[:, 2] += back[:, :2] @ np.array(origin, np.float64)

    def warp(field: np.ndarray) -> np.ndarray:
        rows, columns = image.shape[:2]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(field, back, (columns, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)

    normal = normalize(warp(fields.normal))
    shading = shade(normal, fields.light)
    residual = warp(fields.residual) + warp(fields.share) * (image - warp(fields.low))
    broad = np.clip(warp(fields.broad), 0, 1)
    albedo = warp(fields.gain) * (image - residual) / np.maximum(shading, fields.floor)
    albedo = np.clip(albedo, broad / DETAIL_RANGE, np.minimum(broad * DETAIL_RANGE, 1))
    return Window(
        image=image,
        albedo=albedo,
        normal=normal,
        shading=shading,
        residual=image - albedo * shading,
        mask=warp(fields.mask),
    )


def feathered(mask: Float[np.ndarray, "size size"]) -> Float[np.ndarray, "size size"]:
    """Fade a mask smoothly to 0 inside its edge, and inside the image's edge."""
    # Smaller by what the blur will widen it again; the image's edge is an edge of the mask.
    core = cv2.erode(mask, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    outlines, _ = cv2.findContours((core > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(core), outlines, -1, 1.0, cv2.FILLED)
    edge, holes = soften(filled, max(FEATHER * len(mask), 1)), soften(core, max(FEATHER_HOLES * len(mask), 1))
    # The blur rounds off the steps of the mask's pixels, which would show as waves in a large photo.
    soft = _blur(np.minimum(edge, holes), len(mask) / 100)
    soft[[0, -1]] = soft[:, [0, -1]] = 0
    return soft


def _share(image: Map3, residual: Map3, radius: int) -> Map3:
    """Slope of the residual against the image in each neighbourhood: a of He and Sun 2015, eq. 4, smoothed (eq. 8)."""

    def mean(field: np.ndarray) -> np.ndarray:
        return cv2.blur(field, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT_101)

    mean_image = mean(image)
    covariance = mean(image * residual) - mean_image * mean(residual)
    variance = mean(image * image) - mean_image * mean_image
    return mean(np.clip(covariance / (np.maximum(variance, 0) + GUIDE_EPS), 0, 1).astype(np.float32))


def _blur(field: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(field, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101) if sigma > 0 else field


def check_photo(crop: FaceCrop, photo: Photo) -> None:
    """Raise an InputError unless the crop was made of a photo of this size."""
    if photo.shape[:2] != tuple(crop.photo_size):
        height, width = crop.photo_size
        found = f"{photo.shape[1]} x {photo.shape[0]}"
        raise InputError(f"photo: {found} pixels, but the face was found in one of {width} x {height}")
