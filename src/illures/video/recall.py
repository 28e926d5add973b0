"""The decomposition of a frame from the memory of its face: albedo A = I / E, with E = I / A of the remembered albedo.

E is the median of I / A over each neighbourhood, with the remembered A. It follows the edges of shadows and ignores
small features that are not light: lids, teeth, creases, noise of the landmarks. The detail of I / E is that of the
frame, so no old expression shows and nothing swims. Detail fainter than noise comes from the atlas.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Float

from illures.decompose.decomposition import Decomposition
from illures.faces import atlas, upright
from illures.math import sh
from illures.math.color import mean_channel
from illures.math.normals import normalize
from illures.math.quotient import BLACK, LEAST_ALBEDO, albedo_of
from illures.video.memory import SOFT, FaceMemory

# E is the median over a square of this side [of the crop's], in steps and within a range of log E around the face's.
_NEAR, _STEP = 0.085, 1 / 64
# A detail of log albedo that the atlas lacks shows by half from this size on: noise is less.
_NOISE = 0.07
# Detail is a mean over so many seconds, unless it changes: the log change, in a neighbourhood of this part of the side,
# at which the frame counts by half.
DETAIL_S, _CHANGE, _CHANGE_SOFT = 0.15, 0.1, 0.008
_ATLAS_EDGE = 0.02  # of the crop's side: the mesh gives way to what the network last saw around it


def recall(memory: FaceMemory, seen: Decomposition, points: Float[np.ndarray, "478 3"], step_s: float) -> Decomposition:
    """The decomposition of a crop, from memory; the residual is the image minus albedo times shading.

    Args:
        memory: of the face; its `detail` is updated.
        seen: the frame's crop.
        points: landmarks [crop px].
        step_s: since the frame before [s]; 0 for the first.
    """
    side = seen.crop.size
    wrap = atlas.wrap(points, side)
    known = wrap(np.dstack([memory.albedo, memory.normal, memory.mask]))
    covered = (wrap.on_mesh & (known[..., 6] > 0.5)).astype(np.float32)
    edge = cv2.GaussianBlur(cv2.erode(covered, np.ones((3, 3))), (0, 0), _ATLAS_EDGE * side)
    inside = (edge * covered)[..., None]
    around, straight, mask = memory.beyond[..., :3], memory.beyond[..., 3:6], memory.beyond[..., 6]
    illumination, gain = _lit(known[..., :3], seen.image, around, inside)
    detail = _detail(known[..., :3], albedo_of(seen.image, np.exp(illumination)), inside)
    if memory.detail.shape == detail.shape and step_s > 0:
        detail = _denoised(memory.detail, detail, step_s)
    memory.detail = detail
    albedo = np.clip(np.maximum(known[..., :3], LEAST_ALBEDO) * np.exp(detail), LEAST_ALBEDO, 1)
    turned = known[..., 3:6] @ atlas.head_rotation(points).T.astype(np.float32)
    light = sh.rotate(memory.light * gain, upright(seen.crop).T).astype(np.float32)
    made = replace(
        seen,
        albedo=albedo.astype(np.float32),
        normal=np.ascontiguousarray(normalize(straight + inside * (turned - straight)), np.float32),
        light=light,
        mask=np.maximum(covered, np.clip(mask, 0, 1)),
        regions=memory.beyond[..., 7:] if memory.beyond.shape[-1] > 7 else None,
    )
    return replace(made, residual=(made.image - albedo * made.shading).astype(np.float32))


def _lit(
    albedo: Float[np.ndarray, "side side 3"],
    image: Float[np.ndarray, "side side 3"],
    around: Float[np.ndarray, "side side 3"],
    inside: Float[np.ndarray, "side side 1"],
) -> tuple[Float[np.ndarray, "side side 3"], Float[np.ndarray, "3"]]:
    """Log E of a frame, by the known albedo `inside`, and how much stronger it is than the E `around`."""
    found = np.log(image + np.float32(BLACK)) - np.log(np.maximum(albedo, LEAST_ALBEDO))
    known = inside[..., 0] > 0.5
    if not known.any():
        return around, np.ones(3, np.float32)
    grown = np.median((found - around)[known], axis=0)
    around = around + grown
    middle = np.median(found[known], axis=0)
    mixed = (around + inside * (found - around) - middle) / _STEP + 128
    codes = np.clip(np.round(mixed), 0, 255).astype(np.uint8)
    near = cv2.medianBlur(codes, 2 * round(_NEAR * len(image) / 2) + 1).astype(np.float32)
    smooth = (cv2.GaussianBlur(near, (0, 0), SOFT * len(image)) - 128) * np.float32(_STEP) + middle
    return around + inside * (smooth - around), np.exp(grown)


def _detail(
    known: Float[np.ndarray, "side side 3"],
    seen: Float[np.ndarray, "side side 3"],
    inside: Float[np.ndarray, "side side 1"],
) -> Float[np.ndarray, "side side 3"]:
    """Log of the frame's albedo over the known one; where they differ by what may be noise, `inside` by less."""
    off = np.log(np.maximum(seen, LEAST_ALBEDO) / np.maximum(known, LEAST_ALBEDO))
    grey = mean_channel(off)[..., None]
    return off * (1 - inside / (1 + (grey / _NOISE) ** 2))


def _denoised(
    before: Float[np.ndarray, "side side 3"], now: Float[np.ndarray, "side side 3"], step_s: float
) -> Float[np.ndarray, "side side 3"]:
    """Detail without noise: small changes are averaged over frames, large ones are taken from the frame at once.

    A recursive filter whose share of the new frame grows with the change in its neighbourhood.
    """
    change = now - before
    size = np.abs(cv2.GaussianBlur(mean_channel(change), (0, 0), _CHANGE_SOFT * len(now)))
    share = np.maximum(step_s / (step_s + DETAIL_S), size**2 / (size**2 + _CHANGE**2))
    return np.asarray(before + share[..., None] * change, np.float32)
