"""The context of renders: frame a photo around a rendered crop, under the same light.

Renders store their surroundings without the person, over a square `WIDE` times as wide as the crop and centred on it;
`rendered_context` adds the person and samples a framing. For real photos see `faces.context`.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

from illures.faces.context import CONTEXT

CONTEXT_RANGE = 4.0  # largest linear value that shards keep of surroundings
WIDE = 7  # sides of the crop that the surroundings of a render span
WIDE_PX = 8 * WIDE  # their side [px]


def rendered_context(
    image: Float[np.ndarray, "size size 3"],
    person: Float[np.ndarray, "size size"],
    surroundings: Float[np.ndarray, "wide wide 3"],
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "32 32 3"], Float[np.ndarray, "32 32"]]:
    """Frame a photo round a rendered crop at random: its linear colours, and 1 where the crop is.

    Args:
        image: the render, linear.
        person: share of each pixel that is not background, in [0, 1].
        surroundings: over `WIDE` sides of the crop, linear, without the person.
        rng: draws the framing.
    """
    scene = surroundings.copy()
    side = WIDE_PX // WIDE
    low = (WIDE_PX - side) // 2
    inner = slice(low, low + side)
    alpha = cv2.resize(person.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)[..., None]
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    scene[inner, inner] = small * alpha + scene[inner, inner] * (1 - alpha)
    _add_body(scene, small, alpha, low, side)
    # The photo is at least a little wider than the face, at most all that there is.
    reach = np.exp(rng.uniform(np.log(0.9), np.log(WIDE / 2)))
    spans = np.minimum(side * reach * np.exp(rng.normal(0, 0.15, 2)), WIDE_PX / 2 - 0.5)
    slack = np.maximum(spans - 0.45 * side, 0)
    middle = (WIDE_PX - 1) / 2 + rng.uniform(-1, 1, 2) * slack
    middle = np.clip(middle, spans - 0.5, WIDE_PX - 0.5 - spans)
    step = 2 * spans / CONTEXT
    at = [middle[k] - spans[k] + (np.arange(CONTEXT) + 0.5) * step[k] for k in range(2)]
    x, y = np.meshgrid(*(a.astype(np.float32) for a in at))
    # A cell may span two pixels of the scene: soften first, or it would be skipped.
    soft = cv2.GaussianBlur(scene, (0, 0), max(0.3, 0.35 * float(step.max())))
    shown = cv2.remap(soft, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = [np.clip((side / 2 - np.abs(a - (WIDE_PX - 1) / 2)) / step[k] + 0.5, 0, 1) for k, a in enumerate((x, y))]
    return shown.astype(np.float32), np.minimum(*inside).astype(np.float32)


def _add_body(scene: np.ndarray, small: np.ndarray, alpha: np.ndarray, low: int, side: int) -> None:
    """Shoulders and chest below the crop: its lowest row, extended, wider and fading to its mean colour."""
    row, weight = small[-1], alpha[-1]
    if weight.sum() < 0.5:
        return
    colour = (row * weight).sum(0) / weight.sum()
    middle = low + float((np.arange(side)[:, None] * weight).sum() / weight.sum())
    for k in range(low + side, len(scene)):
        half = side * min(0.35 + 0.25 * (k - low - side + 1), 1.3)
        inside = np.clip(half - np.abs(np.arange(len(scene)) - middle) + 0.5, 0, 1)[:, None]
        scene[k] = scene[k] * (1 - inside) + colour * inside
