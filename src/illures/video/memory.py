"""What is known of one face of a clip: running means over its last moments, and how a new frame changes them.

Albedo, and normals in the head's own frame, belong to the person: each face has an atlas of both (`faces.atlas`), the
mean of what the network predicted in the last moments. A texel counts by how frontal and how well lit it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float

from illures.decompose.decomposition import Decomposition
from illures.decompose.fields import beyond
from illures.faces import atlas, feathered, upright
from illures.math import sh
from illures.math.color import brightest_channel, mean_channel
from illures.math.normals import normalize
from illures.math.quotient import LEAST_ALBEDO, illumination_of
from illures.types import Face

# How far back the means reach [s].
ALBEDO_S = 2.0
NORMAL_S = 0.8
LIGHT_S = 0.3
SOFT = 0.012  # blur of E, of the crop's side
_ODD_LEARNT = 0.4  # difference of log albedo at which the speed of learning is a quarter
_LEAST_LEARNT = 0.1  # least speed of learning, so that lasting differences are learnt in the end
# Texels darker than this share of the mean E count less, down to the second; above the third, of the image, not at all.
_WELL_LIT, _LEAST_LIT, _BURNT = 0.7, 0.2, 0.95
# Cosine to the viewer from which a texel counts, and from which it counts fully.
_FACING = (0.1, 0.5)
# Seconds for which the first frame counts in a running mean: texels that it shows, and others.
_FIRST_S, _UNSEEN_S = 0.04, 1e-6

Atlas3 = Float[np.ndarray, "size size 3"]


@dataclass
class FaceMemory:
    """What is remembered of one face of a shot. Light is upright, as the photo is.

    Attributes:
        track: number of the face.
        time_s: when it was last seen.
        points: smoothed landmarks [px].
        speed: of the landmarks, smoothed [px/s].
        seen: the albedo that the network last gave.
        weight: how much of it is learnt, in [0, 1].
        mask: the face mask at that time.
        albedo, normal: running means; normals in the head's frame.
        albedo_s, normal_s: of how many seconds each texel is the mean.
        light: of the network, smoothed.
        light_s: of how many seconds it is the mean.
        around: what the network last gave of the whole crop, for what the mesh does not cover: log E (continued from
            the head), normals, mask, and the classes where there are any.
        beyond: the same, smoothed as the light is.
        detail: log of the last albedo over that of the atlas, in the crop's frame.
        grey: whether the crop had no colours when the network last saw it.
        balance: log of the colour of the light on it over that on the first face of the shot (`white`); NaN: unknown.
    """

    track: int
    time_s: float
    points: Float[np.ndarray, "478 3"]
    speed: Float[np.ndarray, "478 3"]
    seen: Atlas3
    weight: Float[np.ndarray, "size size"]
    mask: Float[np.ndarray, "size size"]
    albedo: Atlas3
    normal: Atlas3
    albedo_s: Float[np.ndarray, "size size"]
    normal_s: Float[np.ndarray, "size size"]
    light: Float[np.ndarray, "9 3"]
    light_s: float
    around: Float[np.ndarray, "side side channels"]
    beyond: Float[np.ndarray, "side side channels"]
    detail: Float[np.ndarray, "side side 3"]
    grey: bool = True
    balance: Float[np.ndarray, "3"] = field(default_factory=lambda: np.full(3, np.nan))


def empty_memory(face: Face, track: int) -> FaceMemory:
    """The memory of a face that no frame has been learnt from."""
    blank = np.zeros((atlas.SIZE, atlas.SIZE, 3), np.float32)
    none = np.zeros((atlas.SIZE, atlas.SIZE), np.float32)
    return FaceMemory(
        track=track,
        time_s=-math.inf,
        points=face.landmarks,
        speed=np.zeros((478, 3), np.float32),
        seen=blank,
        weight=none,
        mask=none,
        albedo=blank,
        normal=blank,
        albedo_s=none,
        normal_s=none,
        light=np.zeros((9, 3), np.float32),
        light_s=0.0,
        around=np.zeros((0, 0, 7), np.float32),
        beyond=np.zeros((0, 0, 7), np.float32),
        detail=np.zeros((0, 0, 3), np.float32),
    )


def learn(memory: FaceMemory, seen: Decomposition, points: Float[np.ndarray, "478 3"], step_s: float) -> None:
    """Update the memory with a prediction of the network.

    Normals and the light enter their means at once. Albedo, E and the rest of the crop are only stored; `approach`
    moves the means towards them, frame by frame.
    """
    places = atlas.positions(points)
    trust = _trust(points, places, seen.crop.size)
    illumination = np.log(illumination_of(seen.image, seen.albedo)).astype(np.float32)
    texels = atlas.unwrap(
        np.dstack([seen.albedo, illumination, seen.normal, brightest_channel(seen.image), seen.mask]), places
    )
    memory.seen, memory.mask = texels[..., :3], texels[..., 10]
    memory.weight = trust * _well_lit(texels[..., 3:6], texels[..., 9], trust)
    if memory.albedo_s.any():
        memory.weight = memory.weight * np.maximum(_usual(memory), _LEAST_LEARNT)
    normal = texels[..., 6:9] @ atlas.head_rotation(points).astype(np.float32)
    share, memory.normal_s = _share(memory.normal_s, trust, step_s, NORMAL_S)
    memory.normal = normalize(memory.normal + share[..., None] * (normal - memory.normal))
    light = sh.rotate(seen.light, upright(seen.crop)).astype(np.float32)
    share_of_light = 1.0 if memory.light_s == 0 else min(1.0, step_s / LIGHT_S)
    memory.light = memory.light + np.float32(share_of_light) * (light - memory.light)
    # The background's own light would leave a rim where the head moves.
    illumination = beyond(illumination, feathered(seen.head, seen.crop), 0)
    illumination = cv2.GaussianBlur(illumination, (0, 0), SOFT * seen.crop.size)
    parts = [illumination, seen.normal, seen.mask[..., None]]
    parts = parts if seen.regions is None else [*parts, seen.regions]
    memory.around = np.concatenate(parts, axis=-1).astype(np.float32)


def approach(memory: FaceMemory, step_s: float) -> None:
    """Move the running means by `step_s` seconds towards the last prediction of the network."""
    share, memory.albedo_s = _share(memory.albedo_s, memory.weight, step_s, ALBEDO_S)
    memory.albedo = memory.albedo + share[..., None] * (memory.seen - memory.albedo)
    part = np.float32(1.0 if memory.light_s == 0 else min(1.0, step_s / LIGHT_S))
    memory.light_s = _FIRST_S if memory.light_s == 0 else min(memory.light_s + step_s, LIGHT_S)
    known = memory.beyond.shape == memory.around.shape
    memory.beyond = memory.beyond + part * (memory.around - memory.beyond) if known else memory.around


def _trust(
    points: Float[np.ndarray, "478 3"], places: Float[np.ndarray, "size size 3"], side: int
) -> Float[np.ndarray, "size size"]:
    """Weight of each texel in this frame, in [0, 1]: how frontal it is; 0 outside the crop."""
    low, high = _FACING
    facing = np.clip((atlas.facing(points) - low) / (high - low), 0, 1)
    x, y = places[..., 0], places[..., 1]
    return facing * ((x >= 0) & (y >= 0) & (x <= side - 1) & (y <= side - 1))


def _well_lit(
    lit: Atlas3, brightest: Float[np.ndarray, "size size"], trust: Float[np.ndarray, "size size"]
) -> Float[np.ndarray, "size size"]:
    """Weight of a texel's albedo by its light, in [0, 1]: low in shadow, 0 where the image is clipped."""
    level = np.exp(mean_channel(lit))
    mean = float((level * trust).sum()) / max(float(trust.sum()), 1e-6)
    return np.clip(level / (_WELL_LIT * max(mean, 1e-6)), _LEAST_LIT, 1) * (brightest < _BURNT)


def _usual(memory: FaceMemory) -> Float[np.ndarray, "size size"]:
    """1 where the last albedo is the remembered one times a common factor, falling to 0 with the difference."""
    off = _grey_log(memory.seen) - _grey_log(memory.albedo)
    known = memory.weight > 0
    return _likely(off - (np.median(off[known]) if known.any() else 0), _ODD_LEARNT)


def _grey_log(albedo: Float[np.ndarray, "rows columns 3"]) -> Float[np.ndarray, "rows columns"]:
    return mean_channel(np.log(np.maximum(albedo, LEAST_ALBEDO)))


def _likely(off: Float[np.ndarray, "rows columns"], half: float) -> Float[np.ndarray, "rows columns"]:
    """Weight of a difference: 1 for none, falling with its size (Geman and McClure 1985)."""
    return 1 / (1 + (off / half) ** 2) ** 2


def _share(
    seconds: Float[np.ndarray, "size size"], trust: Float[np.ndarray, "size size"], step_s: float, longest_s: float
) -> tuple[Float[np.ndarray, "size size"], Float[np.ndarray, "size size"]]:
    """Share of a frame in a running mean over at most `longest_s`, and the seconds that the mean then covers."""
    if not seconds.any():  # the first frame counts everywhere, as there is no other
        return np.ones_like(seconds), np.maximum(trust * np.float32(_FIRST_S), np.float32(_UNSEEN_S))
    added = trust * np.float32(step_s)
    seconds = np.minimum(seconds + added, np.float32(longest_s))
    return added / seconds, seconds
