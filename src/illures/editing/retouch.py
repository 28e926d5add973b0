"""Small edits of a face's maps: lipstick, blush, less shine, another skin tone.

Each step takes a face at the photo's resolution and returns it with another albedo or residual. Light and normals stay,
so that the edit is lit as the face is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Float

from illures.decompose.decomposition import Decomposition
from illures.errors import InputError, nearest
from illures.faces import regions, to_crop
from illures.math.color import individual_typology_angle_deg, luminance, mean_colour, srgb_to_linear

Retouch = Callable[[Decomposition], Decomposition]

COLOURS = {
    "red": "#b3122a",
    "coral": "#e2604f",
    "pink": "#d9527e",
    "rose": "#c4606a",
    "plum": "#6d1f4a",
    "berry": "#8e1f46",
    "nude": "#b9776a",
    "brown": "#7a4036",
    "orange": "#e0591f",
    "black": "#1c1416",
}
# Relative absorption of melanin in R, G and B (Jacques 1998: proportional to the wavelength to the power -3.33).
_MELANIN = np.array([0.45, 0.8, 1.35])


def colour_of(text: str) -> Float[np.ndarray, "3"]:
    """Linear RGB of a name of `COLOURS` or of "#rrggbb".

    Raises:
        InputError: neither.
    """
    code = COLOURS.get(text.lower(), text)
    try:
        if len(code) != 7 or code[0] != "#":
            raise ValueError
        values = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    except ValueError:
        rule = f"must be #rrggbb or one of {', '.join(COLOURS)}{nearest(text, COLOURS)}"
        raise InputError(f"colour {text!r}: {rule}") from None
    return np.asarray(srgb_to_linear(np.array(values)))


def lipstick(colour: Float[np.ndarray, "3"], strength: float = 0.7) -> Retouch:
    """Lips in another colour, keeping their texture. `strength` in [0, 1]."""

    def apply(face: Decomposition) -> Decomposition:
        mask = strength * regions.lips(_points(face), len(face.image)) * _shown(face)
        return _stained(face, mask, np.asarray(colour))

    return apply


def blush(colour: Float[np.ndarray, "3"], strength: float = 0.5) -> Retouch:
    """Colour on the cheeks, at most half of it. `strength` in [0, 1]."""

    def apply(face: Decomposition) -> Decomposition:
        mask = 0.5 * strength * regions.cheeks(_points(face), len(face.image)) * _shown(face)
        skin = mean_colour(face.albedo, _skin(face))
        # The hue of the colour at the lightness of the skin, as blush is thin.
        tint = np.asarray(colour) * (0.8 * luminance(skin) / max(float(luminance(np.asarray(colour))), 1e-4))
        return _stained(face, mask, np.clip(tint, 0.002, 1), skin)

    return apply


def less_shine(strength: float = 0.8) -> Retouch:
    """Remove highlights: those of the residual, and white patches in the albedo."""

    def apply(face: Decomposition) -> Decomposition:
        size = len(face.image)
        weight = _skin(face)[..., None]
        sigma = 0.22 * regions.span(_points(face))
        total = np.maximum(_blurred(weight[..., 0], sigma)[..., None], 1e-3)
        broad = _blurred(face.albedo * weight, sigma) / total
        # A highlight adds the same to all channels: the excess of the darkest channel. Pores are no highlights.
        excess = np.clip(_blurred(face.albedo, 0.004 * size + 0.5) - 1.06 * broad, 0, None).min(axis=-1, keepdims=True)
        albedo = face.albedo - strength * weight * excess
        residual = face.residual - strength * weight * np.clip(face.residual, 0, None)
        return replace(face, albedo=np.clip(albedo, 0, 1).astype(np.float32), residual=residual.astype(np.float32))

    return apply


def tone_gain(face: Decomposition, shift_deg: float) -> Float[np.ndarray, "3"]:
    """Gain on the albedo that shifts the ITA of the mean skin (+ is lighter) by adding or removing melanin.

    Args:
        face: whose mean skin counts.
        shift_deg: of the individual typology angle (see `math.color`), from -90 to 90.
    """
    skin = np.clip(mean_colour(face.albedo, _skin(face)), 0.01, 0.95).astype(np.float64)
    target = _ita(skin) + shift_deg
    low, high = -2.0, 4.0  # optical density of the added melanin
    for _ in range(40):
        middle = (low + high) / 2
        toned = np.clip(skin * np.exp(-middle * _MELANIN), 1e-4, 1)
        low, high = (middle, high) if _ita(toned) > target else (low, middle)
    return np.minimum(np.exp(-low * _MELANIN), 0.97 / skin)


def _ita(colour: Float[np.ndarray, "3"]) -> float:
    return float(individual_typology_angle_deg(colour[None])[0])


def _stained(
    face: Decomposition, mask: np.ndarray, colour: np.ndarray, instead_of: np.ndarray | None = None
) -> Decomposition:
    """Blend albedo with a colour in the log domain, as pigment does: texture stays."""
    old = mean_colour(face.albedo, mask) if instead_of is None else instead_of
    ratio = np.log(np.maximum(colour, 2e-3) / np.maximum(old, 2e-3)).astype(np.float32)
    return replace(face, albedo=np.clip(face.albedo * np.exp(mask[..., None] * ratio), 0, 1).astype(np.float32))


def _skin(face: Decomposition) -> Float[np.ndarray, "size size"]:
    return _shown(face) * (1 - regions.features(_points(face), len(face.image)))


def _shown(face: Decomposition) -> Float[np.ndarray, "size size"]:
    return np.clip(face.mask, 0, 1)


def _points(face: Decomposition) -> Float[np.ndarray, "478 3"]:
    return to_crop(face.crop.face.landmarks, face.crop)


def _blurred(field: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; wide ones are computed at a lower resolution, which is faster."""
    factor = max(1, int(sigma / 6))
    if factor == 1:
        return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma))
    rows, columns = field.shape[:2]
    shrunk = cv2.resize(field, (max(1, columns // factor), max(1, rows // factor)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cv2.GaussianBlur(shrunk, (0, 0), sigma / factor), (columns, rows)))
