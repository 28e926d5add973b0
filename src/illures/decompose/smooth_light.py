"""Correct the division into albedo and light at two scales: luminance alone, its colour stays.

- Skin has no broad pattern of luminance. What is left of one in albedo is light, such as half of a soft shadow.
- The light on an eye is smooth. The network has seen the eyes of head models, with white whites and black irises, and
  draws real ones so, by light that is dark on the whites and bright on irises.
- No lamp reaches between the lips and into nostrils. What is dark under any light looks like albedo, and photometric
  stereo finds it there.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

from illures.faces.regions import nostrils
from illures.math.color import luminance
from illures.math.quotient import BLACK, LEAST_ALBEDO
from illures.types import Region

# Lengths are standard deviations of Gaussians, or radii [of the crop's side].
_BROAD = 0.16  # of patterns on skin
_TAKEN = 0.6  # of what was found: part of it is the person's own
_FINE = 0.047  # light on an eye is smooth beyond it
_GIVEN = 0.5  # of finer light there, and of the dark in cavities: lids and lips do cast shadows
_LIDS, _LINE, _RIM = 0.023, 0.008, 0.016  # what counts beside eyes, lips and nostrils
_SOFT = 0.008  # edges
_HIGHLIGHT = 0.3  # log luminance above the surroundings from which bright light on an eye is a highlight, and stays

Luminance = Float[np.ndarray, "size size"]


def without_broad_shade(
    albedo: Float[np.ndarray, "size size 3"], regions: Float[np.ndarray, "size size classes"]
) -> Float[np.ndarray, "size size 3"]:
    """Albedo of skin with less of the broad pattern of its luminance.

    Args:
        albedo: linear, in [0, 1].
        regions: probabilities of the classes of `types.Region`.
    """
    skin = np.clip(2 * regions[..., Region.SKIN].astype(np.float32) - 1, 0, 1)
    tone = _log(luminance(albedo))
    if not (skin > 0.8).any():
        return albedo
    away = (tone - np.median(tone[skin > 0.8])) * skin
    pattern = _blurred(away, _BROAD) / np.maximum(_blurred(skin, _BROAD), 1e-2)
    return _scaled(albedo, -_TAKEN * pattern * _blurred(skin, _SOFT))


def with_fine_light(
    image: Float[np.ndarray, "size size 3"],
    albedo: Float[np.ndarray, "size size 3"],
    regions: Float[np.ndarray, "size size classes"],
    landmarks: Float[np.ndarray, "478 3"],
) -> Float[np.ndarray, "size size 3"]:
    """Albedo with half of the fine structure of the light on eyes, and half of the dark between lips and in nostrils.

    Highlights stay in the light.

    Args:
        image: linear.
        albedo: linear, in [0, 1].
        regions: probabilities of the classes of `types.Region`.
        landmarks: of this crop [px].
    """
    eyes = _widened(regions[..., Region.EYES], _LIDS)
    lips = _widened(regions[..., [Region.LIPS, Region.MOUTH]].sum(axis=-1), _LINE)
    holes = _widened(nostrils(landmarks, len(image)) * (regions[..., Region.SKIN] > 0.5), _RIM)
    seen = np.log(luminance(image) + BLACK)
    light = seen - _log(luminance(albedo))
    fine = light - _blurred(light, _FINE)
    shines = np.clip((seen - _blurred(seen, _FINE)) / _HIGHLIGHT, 0, 1)
    given = np.where(fine > 0, eyes * fine * (1 - shines), np.maximum(np.maximum(eyes, lips), holes) * fine)
    return _scaled(albedo, _GIVEN * given)


def _widened(mask: Luminance, reach: float) -> Luminance:
    """A mask and what lies within `reach` of it, with soft edges."""
    radius = round(reach * len(mask))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return _blurred(cv2.dilate(np.ascontiguousarray(mask, np.float32), disc), _SOFT)


def _log(values: Luminance) -> Luminance:
    return np.asarray(np.log(np.maximum(values, LEAST_ALBEDO)), np.float32)


def _blurred(field: Luminance, width: float) -> Luminance:
    field = np.ascontiguousarray(field, np.float32)
    return np.asarray(cv2.GaussianBlur(field, (0, 0), width * len(field), borderType=cv2.BORDER_REPLICATE))


def _scaled(albedo: Float[np.ndarray, "size size 3"], log_gain: Luminance) -> Float[np.ndarray, "size size 3"]:
    return np.asarray(np.clip(albedo * np.exp(log_gain)[..., None], 0, 1), np.float32)
