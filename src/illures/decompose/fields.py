"""The fields that the maps of a photo are interpolated from, and their interpolation; `full_resolution` fills them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from illures.faces import warped
from illures.math.color import luminance
from illures.math.fill import continued
from illures.math.normals import normalize
from illures.math.quotient import BLACK, albedo_of
from illures.render import shade
from illures.types import FaceCrop

# Largest detail of the photo that albedo takes [log]: darker, brighter. Brighter detail is a glint.
DETAIL = (2.0, 0.7)
# Maps of a small crop are upsampled by this factor with cubics first, as the warp to the photo is linear.
FINER = 4
# Over these weights of the head above one half a pixel is more and more known.
_SOFT = 0.2

Map1 = Float[np.ndarray, "rows columns"]
Map3 = Float[np.ndarray, "rows columns 3"]


@dataclass(frozen=True)
class Illumination:
    """The fields that E of the photo is interpolated from, on the (finer) grid of the crop.

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
        """The photo minus albedo times shading."""
        return self.image - self.albedo * self.shading


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


def surely(head: Float[np.ndarray, "size size"]) -> Bool[np.ndarray, "size size"]:
    """Mask of weights of the head of at least one half; never empty."""
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


def log_luminance(image: Map3) -> Map1:
    """Log luminance of linear light, finite in black."""
    return np.log(luminance(np.maximum(image, 0)) + np.float32(BLACK)).astype(np.float32)
