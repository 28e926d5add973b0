"""A face under another light.

With S the old shading and S' the new one, the face is `base ∘ S' + highlights`, where `base` takes the place of
albedo and holds what the new light keeps of the residual. The residual counts as a factor, rho = I / (A S): a small
one is mostly the skin's own (the network's albedo is not perfect) and goes along; a large one is a shadow or a
highlight of the old light and goes. Both are told apart by rho smoothed: what is finer, as lashes and pores, is the
photo's own and stays.

Lights are upright as the photo is, whatever the turn of the face's crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float

from illures.decomposition import Decomposition
from illures.faces import at_size, to_crop
from illures.images import Photo
from illures.math.color import luminance
from illures.math.fill import continued
from illures.relighting.appearance import Appearance, appearance, floored, hidden
from illures.relighting.height import Occlusion, nothing_hidden, occlusion
from illures.relighting.light import Light
from illures.render import shade
from illures.upsample import feathered, upright

Residual = Literal["drop", "keep", "recompute"]
Background = Literal["keep", "match"]

# Light is computed on a grid of at most this side; it is smooth.
GRID = 160
# Log residuals well below this stay, those well above are cut to it; of both this share.
SMALL = 0.3
KEPT = 0.75
# Shadows are lit up so many times at most [log]: what is darker yet is hair, and holds little but noise.
MOST_LIFT = 1.6
# So far inside the mask's edge [of the grid's side]; at the edge not at all.
LIFT_FROM = 0.08
# Below this linear value a photo is noise.
_DARK = 1e-3
# Of the grid's side: residuals are smoothed so far before they are cut [sigma].
SMOOTH = 0.01

Field = Float[np.ndarray, "size size 3"]


@dataclass(frozen=True)
class Surface:
    """A face on the grid of its light: what does not change with the new light.

    Attributes:
        image: the photo, linear.
        base: takes the place of albedo.
        shading: of the old light, floored.
        correction: takes `image / shading` to `base`, smooth; None where `base` is albedo.
        normal: in the frame of the grid.
        mask: 1 on the face.
        occlusion: None unless shadows are to be computed.
        turn: rotation that takes directions of the grid's frame to upright ones.
    """

    image: Field
    base: Field
    shading: Field
    correction: Field | None
    normal: Field
    mask: Float[np.ndarray, "size size"]
    occlusion: Occlusion | None
    turn: Float[np.ndarray, "3 3"]

    def under(self, light: Light) -> Appearance:
        """How an upright light shows on this face."""
        return appearance(self.normal, self.mask, light.rotated(self.turn.T), self.occlusion)

    def ratio(self, seen: Appearance) -> Field:
        """New image over old; outside the mask that of the nearest skin."""
        new = self.base * seen.diffuse + seen.specular
        weight = self.mask[..., None]
        size = len(new) / 40
        # Means of both, not the mean of the ratio: where the photo is dark, the ratio is noise.
        above, below = (cv2.GaussianBlur(v * weight, (0, 0), size) for v in (new, self.image))
        return continued(np.clip(above / np.maximum(below, _DARK), 0, 20), self.mask > 0.5)


def relight(face: Decomposition, light: Light, *, residual: Residual = "recompute") -> Field:
    """The face under another light: linear RGB in the frame of `face`, not clipped.

    Outside the mask the photo is lit as the nearest skin is.

    Args:
        face: at the network's or at the photo's resolution.
        light: upright, whatever the turn of the face's crop.
        residual: "keep" lets the whole residual go along, as strong as it was against the shading, so that the face's
            own light gives the photo back; "drop" leaves albedo times shading; "recompute" takes the old shadows and
            highlights away and adds those of the new light.
    """
    small = reduced(face)
    surface = surface_of(small, residual)
    seen = surface.under(light)
    size = len(face.image)

    def full(field: np.ndarray) -> np.ndarray:
        return field if len(field) == size else cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC)

    correction = surface.correction
    base = face.albedo if correction is None else base_of(face.image, full(surface.shading), full(correction))
    inside = base * full(seen.diffuse) + full(seen.specular)
    weight = (feathered(face.mask) if small is face else face.mask)[..., None]
    outside = face.image * full(surface.ratio(seen))
    return np.asarray(outside + weight * (inside - outside), dtype=np.float32)


def relight_photo(
    photo: Photo,
    faces: Sequence[Decomposition],
    light: Light,
    *,
    residual: Residual = "recompute",
    background: Background = "keep",
) -> Photo:
    """A photo with its faces under another light, of the photo's size and type.

    Skin around the mask (forehead, ears, neck) is lit as the face next to it; that fades out. For many lights on one
    photo, `paste.PhotoRelighter` does what they share once.

    Args:
        photo: sRGB-encoded: uint8, uint16, or float in [0, 1].
        faces: those to be relit, of the network's resolution, as `Decomposer` gives them.
        light: upright.
        residual: see `relight`.
        background: "keep" leaves the rest alone; "match" gives it the gain and the white balance of the new light
            against the old.

    Raises:
        InputError: a face was found in a photo of another size.
    """
    from illures.relighting.paste import PhotoRelighter

    return PhotoRelighter(photo, faces, residual=residual, background=background)(light)


def exposed(light: Light, face: Decomposition, stops: float = 0.0) -> Light:
    """The light at the strength that keeps the mean luminance of the face's shading, and `stops` above it.

    Light from a map, a photo or a list of numbers has no scale that would mean something to another photo.
    """
    old, new = _mean_shadings(face, light)
    return light.scaled(2.0**stops * float(luminance(old)) / max(float(luminance(new)), 1e-6))


def matched(light: Light, face: Decomposition) -> Light:
    """The light with the strength and the colour of the face's own: its directions are what is new."""
    old, new = _mean_shadings(face, light)
    return light.scaled(old / np.maximum(new, 1e-6))


def tinted(light: Light, face: Decomposition) -> Light:
    """The light with its colours relative to those of the face's own: white is what the photo takes for white.

    Which part of a photo's colour is the skin's and which the light's is what a network tells least well. Where a light
    does not come from a photo, taking its colours so leaves the skin the colour that it has.
    """
    old, _ = _mean_shadings(face, light)
    return light.scaled(old / max(float(luminance(old)), 1e-6))


def _mean_shadings(face: Decomposition, light: Light) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Over the face: of its own light, and of an upright one."""
    small = reduced(face)
    turned = light.rotated(upright(face.crop).T).sh.astype(np.float32)

    def mean(light: np.ndarray) -> np.ndarray:
        weight = small.mask[..., None]
        return np.asarray((floored(shade(small.normal, light), small.mask) * weight).sum((0, 1)) / weight.sum())

    return mean(small.light), mean(turned)


def surface_of(face: Decomposition, residual: Residual, shadows: bool = True) -> Surface:
    """What of a face (on the grid of its light) the new light finds; without `shadows` it hides nothing from it."""
    around = occlusion(face.normal, face.mask, to_crop(face.crop.face.landmarks, face.crop))
    shading = floored(face.shading, face.mask)
    if residual == "recompute":
        # The old light was hidden, too: what that explains is no property of the skin.
        shading = floored(face.shading - hidden(around, face.light), face.mask)
    correction = correction_of(face, shading, residual)
    seen = around if shadows else nothing_hidden(len(face.mask))
    return Surface(
        image=face.image,
        base=face.albedo if correction is None else base_of(face.image, shading, correction),
        shading=shading,
        correction=correction,
        normal=face.normal,
        mask=face.mask,
        occlusion=seen if residual == "recompute" else None,
        turn=upright(face.crop),
    )


def correction_of(face: Decomposition, shading: Field, residual: Residual) -> Field | None:
    """What takes image over old shading to what stands in place of albedo; None where that is albedo itself."""
    if residual == "drop":
        return None
    return np.ones_like(face.image) if residual == "keep" else smooth_correction(face, shading)


def smooth_correction(face: Decomposition, shading: Field) -> Field:
    """`correction_of` that leaves old shadows and highlights out: large residuals, smoothed.

    Of all colours alike: what differs in colour from albedo times shading is the skin's own.
    """
    rho = np.log(np.maximum(luminance(face.image), _DARK) / np.maximum(luminance(face.albedo * shading), _DARK))
    weight = face.mask + np.float32(0.01)  # outside the mask the maps mean little
    sigma = SMOOTH * len(rho)
    smooth = cv2.GaussianBlur(rho * weight, (0, 0), sigma) / cv2.GaussianBlur(weight, (0, 0), sigma)
    change = KEPT * smooth / np.sqrt(1 + (smooth / SMALL) ** 2) - smooth
    # Toward the mask's edge what is dark is hair rather than shadow.
    framed = cv2.copyMakeBorder((face.mask > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inside = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1] / len(rho)
    factor = np.exp(np.minimum(change, MOST_LIFT * np.minimum(1, inside / LIFT_FROM))).astype(np.float32)
    return np.repeat(factor[..., None], 3, axis=-1)


def base_of(
    image: Float[np.ndarray, "h w 3"],
    shading: Float[np.ndarray, "h w 3"],
    correction: Float[np.ndarray, "h w 3"],
) -> Float[np.ndarray, "h w 3"]:
    """What stands in place of albedo: it, and with it what goes along of the residual."""
    return image / shading * correction


def reduced(face: Decomposition) -> Decomposition:
    """The face on a grid of at most `GRID` pixels a side: of even side, for the cosine transform."""
    size = len(face.image)
    if size <= GRID and size % 2 == 0:
        return face
    small = min(GRID, size - size % 2)

    def shrink(field: np.ndarray) -> np.ndarray:
        return cv2.resize(field, (small, small), interpolation=cv2.INTER_AREA)

    normal = shrink(face.normal)
    return Decomposition(
        image=shrink(face.image),
        albedo=shrink(face.albedo),
        normal=normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6),
        light=face.light,
        residual=shrink(face.residual),
        mask=shrink(face.mask),
        crop=at_size(face.crop, small),
    )
