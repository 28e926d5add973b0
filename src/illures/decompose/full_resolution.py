"""From the network's maps to the photo's own resolution, upright, with A ∘ f(N, L) + R = photo.

Albedo is the quotient A = I / E at any resolution. The illumination E = I / A of the crop is upsampled smoothly, so
that the finer detail of the photo goes to albedo. Where E itself has edges (shadows, highlights), it takes its share
of that detail. The share is found by a guided filter (He and Sun, "Fast Guided Filter", 2015) on log luminance: slope 1
where E of the crop follows the photo, 0 where albedo does. Normals are interpolated; the light is only rotated. R is
the rest, I - A ∘ f(N, L), so the sum is exact for any prediction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from jaxtyping import Bool, Float

from illures.decompose.maps import Maps
from illures.errors import InputError
from illures.faces import in_photo, padded, scale_of, to_photo
from illures.io.photos import Photo
from illures.math.color import luminance
from illures.math.curves import smoothstep
from illures.math.fill import continued
from illures.math.normals import normalize
from illures.math.quotient import BLACK, albedo_of
from illures.math.sampling import warp_affine
from illures.render import shade
from illures.types import FaceCrop

# Largest detail of the photo that albedo takes [log]: darker, brighter. Brighter detail is a glint.
DETAIL = (2.0, 0.7)
# The maps fade out toward the crop's edge over this part of its side.
FADE = 0.04
# Maps of a small crop are upsampled by this factor with cubics first, as the warp to the photo is linear.
FINER = 4
# Over these weights of the head above one half a pixel is more and more known.
_SOFT = 0.2

Rect = tuple[int, int, int, int]  # x0, y0, x1, y1

M = TypeVar("M", bound=Maps)
Map1 = Float[np.ndarray, "rows columns"]
Map3 = Float[np.ndarray, "rows columns 3"]


@dataclass(frozen=True)
class Illumination:
    """What E of the photo is interpolated from, on the (finer) grid of the crop.

    Attributes:
        illumination: log E.
        low: log luminance of the crop as seen by the network; detail is the difference to it.
        share: of the photo's detail that goes to E, in [0, 1].
        seen: 1 where `low` is known.
        floor: least shading used as a divisor.
        crop: of this grid: that of the face, with the requested margin as far as the photo goes.
    """

    illumination: Map3
    low: Map1
    share: Map1
    seen: Map1
    floor: float
    crop: FaceCrop


@dataclass(frozen=True)
class Fields(Illumination):
    """All fields to interpolate, in the upright frame of the photo.

    Attributes:
        normal: in the photo's frame; not of unit length between pixels.
        light: in the photo's frame.
        head: weight of the maps; 0 along the crop's edge.
        mask: skin; 0 along the crop's edge.
    """

    normal: Map3
    light: Float[np.ndarray, "9 3"]
    head: Map1
    mask: Map1


@dataclass(frozen=True)
class Window:
    """One face's maps over a rectangle of the photo; `albedo * shading + residual = image`. `head` is their weight."""

    image: Map3
    illumination: Map3
    albedo: Map3
    normal: Map3
    shading: Map3
    mask: Map1
    head: Map1

    @property
    def residual(self) -> Map3:
        """What is left of the photo."""
        return self.image - self.albedo * self.shading


def bounds(crop: FaceCrop) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the photo pixels around the turned crop (not clipped to the photo; ends exclusive)."""
    edge = crop.size - 0.5
    corners = to_photo(np.array([[-0.5, -0.5], [edge, -0.5], [-0.5, edge], [edge, edge]]), crop)
    x0, y0 = np.ceil(corners.min(0)).astype(int)
    side = int(np.ceil(np.ptp(corners, axis=0).max()))
    return int(x0), int(y0), int(x0) + side, int(y0) + side


def inside(rect: Rect, photo: Photo) -> Rect:
    """The part of a rectangle (x0, y0, x1, y1) that lies in the photo."""
    height, width = photo.shape[:2]
    x0, y0, x1, y1 = rect
    return max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)


def upright(crop: FaceCrop) -> Float[np.ndarray, "3 3"]:
    """Rotation about the line of sight from the crop's frame to the photo's."""
    cos, sin = crop.matrix[0, :2].astype(np.float64) / scale_of(crop)
    # crop = [[cos, sin], [-sin, cos]] photo with y down; its inverse with y up has the signs of the sines so.
    return np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def sample(fields: Fields, origin: tuple[int, int], image: Map3) -> Window:
    """The maps over a rectangle of the photo that begins at pixel `origin` (x, y) and has the linear pixels `image`."""
    normal = normalize(warped(fields.normal, fields.crop, origin, image.shape[:2]))
    shading = shade(normal, fields.light)
    illumination = illumination_at(fields, origin, image)
    albedo = albedo_of(image, illumination)
    return Window(
        image=image,
        illumination=illumination,
        albedo=albedo,
        normal=normal,
        shading=shading,
        mask=warped(fields.mask, fields.crop, origin, image.shape[:2]),
        head=warped(fields.head, fields.crop, origin, image.shape[:2]),
    )


def illumination_at(fields: Illumination, origin: tuple[int, int], image: Map3) -> Map3:
    """E over a rectangle of the photo, with its share of the photo's detail."""

    def there(field: np.ndarray) -> np.ndarray:
        return warped(field, fields.crop, origin, image.shape[:2])

    detail = log_luminance(image) - there(fields.low)
    kept = np.clip((1 - there(fields.share)) * detail, -DETAIL[0], DETAIL[1])
    return np.exp(there(fields.illumination) + (there(fields.seen) * (detail - kept))[..., None])


def warped(
    field: Float[np.ndarray, "a a *channels"], crop: FaceCrop, origin: tuple[int, int], shape: tuple[int, int]
) -> Float[np.ndarray, "rows columns *channels"]:
    """Warp a field of a crop's grid to a rectangle of the photo that begins at `origin` (x, y)."""
    back = crop.matrix.astype(np.float64).copy()
    back[:, 2] += back[:, :2] @ np.array(origin, np.float64)
    return warp_affine(field, back, shape[::-1], cv2.BORDER_REPLICATE)


def surely(head: Float[np.ndarray, "size size"]) -> Bool[np.ndarray, "size size"]:
    """Where the weight of the head is at least one half; never empty."""
    return head >= min(0.5, float(head.max()))


def softly(head: Float[np.ndarray, "size size"]) -> Float[np.ndarray, "size size"]:
    """As `surely`, but a weight that rises from 0 at one half, so that no pixel jumps; 1 somewhere."""
    top = min(0.5 + _SOFT, float(head.max()))
    return np.clip((head - (top - _SOFT)) / _SOFT, 0, 1).astype(np.float32)


def beyond(
    field: Float[np.ndarray, "size size n"], head: Float[np.ndarray, "size size"], margin: int
) -> Float[np.ndarray, "wide wide n"]:
    """A field of the crop extrapolated to a margin, and to where the weight of the head is below one half."""
    around = ((margin, margin), (margin, margin))
    return continued(np.pad(field, (*around, (0, 0))), np.pad(softly(head), around))


def feathered(mask: Float[np.ndarray, "size size"], crop: FaceCrop) -> Float[np.ndarray, "size size"]:
    """A soft mask of a crop that fades to 0 toward its edge, where the photo goes on beyond it."""
    return np.minimum(mask, feather(crop)).astype(np.float32)


def feather(crop: FaceCrop, share: float = FADE, below: bool = True) -> Float[np.ndarray, "size size"]:
    """1 in the crop, falling smoothly to 0 toward the photo's pixels around it, over a share of its side.

    Not toward those below it unless `below`.
    """
    rim = max(share * crop.size, 1)
    reach = int(np.ceil(rim)) + 1
    around = in_photo(padded(crop, reach))
    around[reach : None if not below else -reach, reach:-reach] = False
    if not around.any():
        return np.ones((crop.size, crop.size), np.float32)
    away = cv2.distanceTransform((~around).astype(np.uint8), cv2.DIST_C, 3)[reach:-reach, reach:-reach]
    return smoothstep((away - 1) / rim).astype(np.float32)


def log_luminance(image: Map3) -> Map1:
    """Log luminance of linear light, finite in black."""
    return np.log(luminance(np.maximum(image, 0)) + np.float32(BLACK)).astype(np.float32)


def check_photo(crop: FaceCrop, photo: Photo) -> None:
    """Raise an InputError unless the crop is of a photo of this size."""
    if photo.shape[:2] != tuple(crop.photo_size):
        height, width = crop.photo_size
        found = f"{photo.shape[1]} x {photo.shape[0]}"
        raise InputError(f"photo: {found} pixels, but the face was found in one of {width} x {height}")
