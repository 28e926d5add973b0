"""Correct the division into albedo and light at two scales: luminance alone, its colour stays.

- Skin has no broad pattern of luminance. What is left of one in albedo is light, such as half of a soft shadow.
- The light on an eye is smooth. The network has seen the eyes of head models, with white whites and black irises, and
  draws real ones so, by light that is dark on the whites and bright on irises.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

from illures.math.color import luminance
from illures.math.quotient import BLACK, LEAST_ALBEDO
from illures.types import Region

# Lengths are standard deviations of Gaussians [of the crop's side].
_BROAD = 0.16  # of patterns on skin
_TAKEN = 0.6  # of what was found: part of it is the person's own
_EYE = 0.047  # light on an eye is smooth beyond it
_GIVEN = 0.5  # of finer light there: lids do cast shadows
_LIDS = 0.023  # width of the lids that count as eye
_SOFT = 0.008  # edges between skin, lids and all else
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


def with_smooth_light_on_eyes(
    image: Float[np.ndarray, "size size 3"],
    albedo: Float[np.ndarray, "size size 3"],
    regions: Float[np.ndarray, "size size classes"],
) -> Float[np.ndarray, "size size 3"]:
    """Albedo of eyes and lids with half of the fine structure of the light on them; highlights stay in the light.

    Args:
        image: linear.
        albedo: linear, in [0, 1].
        regions: probabilities of the classes of `types.Region`.
    """
    eyes = regions[..., Region.EYES].astype(np.float32)
    if not (eyes > 0.5).any():
        return albedo
    reach = round(_LIDS * len(eyes))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    eyes = _blurred(cv2.dilate(eyes, disc), _SOFT)
    seen = np.log(luminance(image) + BLACK)
    light = seen - _log(luminance(albedo))
    fine = light - _blurred(light, _EYE)
    shines = np.clip((seen - _blurred(seen, _EYE)) / _HIGHLIGHT, 0, 1)
    return _scaled(albedo, _GIVEN * eyes * np.where(fine > 0, fine * (1 - shines), fine))


def _log(values: Luminance) -> Luminance:
    return np.asarray(np.log(np.maximum(values, LEAST_ALBEDO)), np.float32)


def _blurred(field: Luminance, width: float) -> Luminance:
    field = np.ascontiguousarray(field, np.float32)
    return np.asarray(cv2.GaussianBlur(field, (0, 0), width * len(field), borderType=cv2.BORDER_REPLICATE))


def _scaled(albedo: Float[np.ndarray, "size size 3"], log_gain: Luminance) -> Float[np.ndarray, "size size 3"]:
    return np.asarray(np.clip(albedo * np.exp(log_gain)[..., None], 0, 1), np.float32)
