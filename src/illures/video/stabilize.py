"""Faces of a clip without flicker: what stays the same from frame to frame is kept, along the landmark mesh.

Albedo, and normals in the head's own frame, belong to the person: each face has an atlas of both (`faces.atlas`), the
mean of what the network saw in the last moments. Where a frame differs from it by more than noise does (a blink, a
hand), the frame is believed. The light belongs to the shot and moves slowly. Landmarks, and with them the crop, are
smoothed by the One Euro filter. At cuts everything is forgotten.

The network runs on every few frames only. In between the mean goes on towards what the network saw last, and where the
image changes, albedo is read off the frame itself, by the ratio of albedo to image that the network left in the atlas.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from illures import faces as _faces
from illures.decompose.decomposer import Decomposer
from illures.decompose.decomposition import Decomposition
from illures.decompose.full_resolution import upright
from illures.faces import atlas
from illures.faces.boxes import box_of, overlap
from illures.faces.track import TrackedFace, face_size
from illures.io.photos import as_linear
from illures.math import sh
from illures.math.normals import normalize
from illures.math.quotient import LEAST_ALBEDO, albedo_of, illumination_of
from illures.types import Face

# How far back the means reach [s].
ALBEDO_S = 1.0
NORMAL_S = 0.8
LIGHT_S = 0.3
# Relative change of albedo that is still taken for flicker, and that from which the frame is believed entirely: of
# detail (a blink) and of broad colour (a hand). Wandering shadows leave broad changes in the network's albedo, too.
DETAIL_CHANGE = (0.5, 1.0)
BROAD_CHANGE = (0.7, 1.4)
_DETAIL_TEXELS, _BROAD_TEXELS = 2.0, 8.0  # blur above which a change is no noise, and below which it is detail
_BLACK = 0.1  # added to what a change is relative to: in the dark the eye sees no such changes
# Cosine to the viewer at which a place begins to count, and counts wholly.
_FACING = (0.1, 0.5)
# One Euro filter (Casiez, Roussel and Vogel, CHI 2012) of landmarks in units of the face's size: cutoff at rest [Hz],
# its growth with speed [Hz per face size/s], cutoff of the speed [Hz].
_REST_HZ, _GROWTH, _SPEED_HZ = 3.0, 200.0, 1.0
# A gap longer than this makes the landmarks begin anew [s]; a face unseen for longer is forgotten [s].
_GAP_S, _FORGET_S = 0.25, 2.0
_SAME = 0.3  # intersection over union above which a new track goes on with the face of an old one
_FIRST_S, _UNSEEN_S = (
    0.04,
    1e-6,
)  # what the first frame counts in a running mean, and what a place counts that it hides [s]
# The albedo over the image is smoothed so far before it is carried to later frames [px of a crop of 128].
_BROAD_PX = 2.0
_ATLAS_EDGE = 0.02  # of the crop's side: the mesh gives way to what the network last saw around it
_DARK = 0.02  # added to linear light before ratios are taken, so that they stay finite in the dark

Atlas3 = Float[np.ndarray, "size size 3"]


@dataclass
class FaceMemory:
    """What is remembered of one face of a shot. Light is upright, as the photo is.

    Attributes:
        track: number of the face.
        time_s: when it was last seen.
        points: smoothed landmarks [px].
        speed: of the landmarks, smoothed [px/s].
        ratio: albedo over image, broadly, as the network last gave it.
        image: what it was given, as bright as it was then; renewed where the face has changed since.
        seen: the albedo it gave; likewise.
        mean: mean colour of the image over the atlas at that time.
        mask: the face mask at that time.
        albedo, normal: running means; normals in the head's frame.
        albedo_s, normal_s: of how many seconds each texel is the mean.
        light: smoothed.
        light_s: likewise for the light.
        beyond: of the whole crop, smoothed as the light is, for what the mesh does not cover: log E, normals, mask,
            and the classes where there are any.
    """

    track: int
    time_s: float
    points: Float[np.ndarray, "478 3"]
    speed: Float[np.ndarray, "478 3"]
    ratio: Atlas3
    image: Atlas3
    seen: Atlas3
    mean: Float[np.ndarray, "3"]
    mask: Float[np.ndarray, "size size"]
    albedo: Atlas3
    normal: Atlas3
    albedo_s: Float[np.ndarray, "size size"]
    normal_s: Float[np.ndarray, "size size"]
    light: Float[np.ndarray, "9 3"]
    light_s: float
    beyond: Float[np.ndarray, "side side channels"]


class Stabilizer:
    """Turns tracked faces of consecutive frames into decompositions that do not flicker.

    Args:
        decomposer: the network, for the size of the crops too; its finder of faces is not used.
        every: frames from one run of the network to the next; 1 runs it on each.
    """

    def __init__(self, decomposer: Decomposer, every: int = 4) -> None:
        self._found: list[Face] = []
        self._decomposer = Decomposer(decomposer.predictor, decomposer.size, find_faces=lambda _: self._found)
        self._every = every
        self._frame = 0
        self._memories: list[FaceMemory] = []

    def reset(self) -> None:
        """Forget all faces, at a cut."""
        self._memories = []
        self._frame = 0

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], tracked: Sequence[TrackedFace], time_s: float
    ) -> list[Decomposition]:
        """The faces of the next frame taken apart, in the order of `tracked`.

        Args:
            image: sRGB.
            tracked: its faces.
            time_s: of the frame; grows from call to call.

        Returns:
            Decompositions of the crop's size; A ∘ f(N, L) + R is the crop's image.
        """
        self._memories = [m for m in self._memories if time_s - m.time_s <= _FORGET_S]
        run = self._frame % self._every == 0
        self._frame += 1
        made = []
        for each in tracked:
            memory = self._memory_of(each, tracked)
            points = each.face.landmarks if memory is None else smooth_points(memory, each.face.landmarks, time_s)
            face = Face(points, each.face.score)
            if memory is None:
                memory = self._begin(image, face, each.track, time_s)
                self._memories.append(memory)
            made.append(self._next(memory, image, face, time_s, run))
        return made

    def state(self) -> dict[str, np.ndarray]:
        """All that is remembered, as plain arrays; `restore` takes it back."""
        state = {"frame": np.array(self._frame)}
        for number, memory in enumerate(self._memories):
            state |= {f"{number}.{f.name}": np.asarray(getattr(memory, f.name)) for f in fields(memory)}
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on where the stabilizer stood that gave this state."""
        self._frame = int(state["frame"])
        count = sum(name.endswith(".track") for name in state)
        self._memories = []
        for number in range(count):
            values = {f.name: state[f"{number}.{f.name}"] for f in fields(FaceMemory)}
            scalars = {name: value.item() for name, value in values.items() if value.ndim == 0}
            self._memories.append(FaceMemory(**(values | scalars)))

    def _memory_of(self, each: TrackedFace, tracked: Sequence[TrackedFace]) -> FaceMemory | None:
        """What is known of this face, by its number or, where the tracker began anew, by where it was."""
        for memory in self._memories:
            if memory.track == each.track:
                return memory
        others = {other.track for other in tracked}
        for memory in self._memories:
            before = box_of(Face(memory.points, 1.0))
            if memory.track not in others and overlap(box_of(each.face), before) > _SAME:
                memory.track = each.track
                return memory
        return None

    def _begin(self, image: np.ndarray, face: Face, track: int, time_s: float) -> FaceMemory:
        blank = np.zeros((atlas.SIZE, atlas.SIZE, 3), np.float32)
        none = np.zeros((atlas.SIZE, atlas.SIZE), np.float32)
        return FaceMemory(
            track=track,
            time_s=-math.inf,
            points=face.landmarks,
            speed=np.zeros((478, 3), np.float32),
            ratio=blank,
            image=blank,
            seen=blank,
            mean=np.ones(3, np.float32),
            mask=none,
            albedo=blank,
            normal=blank,
            albedo_s=none,
            normal_s=none,
            light=np.zeros((9, 3), np.float32),
            light_s=0.0,
            beyond=np.zeros((0, 0, 7), np.float32),
        )

    def _next(self, memory: FaceMemory, image: np.ndarray, face: Face, time_s: float, run: bool) -> Decomposition:
        """Take a frame's face into its memory, and give the decomposition that the memory then holds."""
        new = memory.time_s == -math.inf
        step_s = 0.0 if new else min(time_s - memory.time_s, _GAP_S)
        if new or run:
            self._found = [face]
            seen = self._decomposer(image)[0]
        else:
            seen = self._undecomposed(image, face)
        points = _faces.to_crop(face.landmarks, seen.crop)
        places = atlas.positions(points)
        trust = _trust(points, places, seen.crop.size)
        flat = atlas.unwrap(seen.image, places)
        mean = (flat * trust[..., None]).sum((0, 1)) / max(float(trust.sum()), 1e-6) + _DARK
        if new or run:
            _learn_skin(memory, seen, points, places, trust, mean, step_s * self._every)
        # Brighter than the network saw it means more light, not other skin.
        gain = mean / memory.mean
        even = (flat + _DARK) / gain
        if new or run:
            memory.seen, memory.image = atlas.unwrap(seen.albedo, places), even
            fresh = trust * _news(memory.seen, memory.albedo)
        else:
            fresh = trust * _news(even, memory.image)
            share = fresh[..., None]
            memory.seen = memory.seen + share * (even * memory.ratio - _DARK - memory.seen)
            memory.image = memory.image + share * (even - memory.image)
        _remember_albedo(memory, fresh, trust, step_s)
        if new or run:
            _learn_beyond(memory, seen, step_s * self._every)
        if new or run:
            _learn_light(memory, seen, memory.seen, trust, step_s * self._every)
        memory.time_s, memory.points = time_s, face.landmarks
        return _recall(memory, seen, points, gain)

    def _undecomposed(self, image: np.ndarray, face: Face) -> Decomposition:
        """The crop alone, where the network does not run."""
        crop = _faces.crop_face(face, image.shape[:2], self._decomposer.size)
        linear = as_linear(_faces.extract(image, crop))
        blank = np.zeros_like(linear)
        return Decomposition(linear, blank, blank, np.zeros((9, 3), np.float32), blank, blank[..., 0], crop)


def smooth_points(memory: FaceMemory, points: Float[np.ndarray, "478 3"], time_s: float) -> Float[np.ndarray, "478 3"]:
    """The landmarks without their jitter; keeps the speed in `memory`, the caller keeps the points."""
    step_s = time_s - memory.time_s
    if not 0 < step_s <= _GAP_S:
        memory.speed = np.zeros_like(memory.speed)
        return points
    size = face_size(Face(memory.points, 1.0))
    memory.speed = memory.speed + _gain(_SPEED_HZ, step_s) * ((points - memory.points) / step_s - memory.speed)
    speed = np.linalg.norm(memory.speed[:, :2], axis=1, keepdims=True) / size
    share = _gain(_REST_HZ + _GROWTH * speed, step_s)
    return (memory.points + share * (points - memory.points)).astype(np.float32)


def _gain(cutoff_hz: np.ndarray | float, step_s: float) -> np.ndarray | float:
    """Share of the new value in a low-pass of first order."""
    turns = 2 * math.pi * step_s * cutoff_hz
    return turns / (turns + 1)


def _trust(
    points: Float[np.ndarray, "478 3"], places: Float[np.ndarray, "size size 3"], side: int
) -> Float[np.ndarray, "size size"]:
    """How well this frame shows each texel, in [0, 1]."""
    low, high = _FACING
    facing = np.clip((atlas.facing(points) - low) / (high - low), 0, 1)
    x, y = places[..., 0], places[..., 1]
    return facing * ((x >= 0) & (y >= 0) & (x <= side - 1) & (y <= side - 1))


def _learn_skin(
    memory: FaceMemory,
    seen: Decomposition,
    points: Float[np.ndarray, "478 3"],
    places: Float[np.ndarray, "size size 3"],
    trust: Float[np.ndarray, "size size"],
    mean: Float[np.ndarray, "3"],
    step_s: float,
) -> None:
    """Take in the albedo and normals that the network sees in a frame."""
    weight = seen.mask[..., None] + 0.01  # outside the mask the network's values mean nothing
    sigma = _BROAD_PX * seen.crop.size / 128
    broad = cv2.GaussianBlur(np.concatenate([seen.albedo * weight, seen.image * weight, weight], -1), (0, 0), sigma)
    albedo, image = broad[..., :3] / broad[..., 6:], broad[..., 3:6] / broad[..., 6:]
    memory.ratio = atlas.unwrap(((albedo + _DARK) / (image + _DARK)).astype(np.float32), places)
    memory.mean, memory.mask = mean, atlas.unwrap(seen.mask, places)
    normal = atlas.unwrap(np.ascontiguousarray(seen.normal), places) @ atlas.head_rotation(points).astype(np.float32)
    share, memory.normal_s = _share(memory.normal_s, trust, step_s, NORMAL_S)
    memory.normal = normalize(memory.normal + share[..., None] * (normal - memory.normal))


def _learn_light(
    memory: FaceMemory, seen: Decomposition, albedo: Atlas3, trust: Float[np.ndarray, "size size"], step_s: float
) -> None:
    """Take in the network's light, as strong as it must be on the remembered albedo instead of the frame's own."""
    weight = trust[..., None]
    strength = (albedo * weight).sum((0, 1)) / np.maximum((memory.albedo * weight).sum((0, 1)), 1e-3)
    light = (sh.rotate(seen.light, upright(seen.crop)) * strength).astype(np.float32)
    first = memory.light_s == 0
    memory.light_s = _FIRST_S if first else min(memory.light_s + step_s, LIGHT_S)
    memory.light = light if first else memory.light + step_s / memory.light_s * (light - memory.light)


def _learn_beyond(memory: FaceMemory, seen: Decomposition, step_s: float) -> None:
    """Take in what the network sees in the whole crop."""
    illumination = np.log(illumination_of(seen.image, seen.albedo))
    parts = [illumination, seen.normal, seen.mask[..., None]]
    found = np.concatenate(parts if seen.regions is None else [*parts, seen.regions], axis=-1).astype(np.float32)
    share = 1.0 if memory.beyond.shape != found.shape else min(1.0, step_s / LIGHT_S)
    memory.beyond = found if share == 1 else memory.beyond + np.float32(share) * (found - memory.beyond)


def _remember_albedo(
    memory: FaceMemory, fresh: Float[np.ndarray, "size size"], trust: Float[np.ndarray, "size size"], step_s: float
) -> None:
    """Add the albedo seen last to the mean; where it is `fresh`, take it as it is."""
    share, seconds = _share(memory.albedo_s, trust, step_s, ALBEDO_S)
    share = np.maximum(share, fresh)
    memory.albedo_s = np.maximum(seconds * (1 - fresh), _UNSEEN_S)
    memory.albedo = np.clip(memory.albedo + share[..., None] * (memory.seen - memory.albedo), 0, 1)


def _news(seen: Atlas3, known: Atlas3) -> Float[np.ndarray, "size size"]:
    """Where a frame differs from memory by more than flicker does, in [0, 1]."""
    grey, before = (cv2.cvtColor(np.ascontiguousarray(a, np.float32), cv2.COLOR_RGB2GRAY) for a in (seen, known))
    base = cv2.GaussianBlur(before, (0, 0), _DETAIL_TEXELS) + np.float32(_BLACK)
    change = cv2.GaussianBlur(grey - before, (0, 0), _DETAIL_TEXELS) / base
    broad = cv2.blur(change, (int(4 * _BROAD_TEXELS) // 2 * 2 + 1,) * 2)
    parts = ((np.abs(change - broad), DETAIL_CHANGE), (np.abs(broad), BROAD_CHANGE))
    return np.maximum(*(np.clip((size - low) / (high - low), 0, 1) for size, (low, high) in parts))


def _share(
    seconds: Float[np.ndarray, "size size"], trust: Float[np.ndarray, "size size"], step_s: float, longest_s: float
) -> tuple[Float[np.ndarray, "size size"], Float[np.ndarray, "size size"]]:
    """Share of a frame in a running mean over at most `longest_s`, and over how many seconds the mean then reaches."""
    if not seconds.any():  # the first frame is believed everywhere, for there is nothing else
        return np.ones_like(seconds), np.maximum(trust * np.float32(_FIRST_S), np.float32(_UNSEEN_S))
    added = trust * np.float32(step_s)
    seconds = np.minimum(seconds + added, np.float32(longest_s))
    return added / seconds, seconds


def _recall(
    memory: FaceMemory, seen: Decomposition, points: Float[np.ndarray, "478 3"], gain: Float[np.ndarray, "3"]
) -> Decomposition:
    """The decomposition of a crop, from memory; the residual is what is left of the image.

    On the mesh albedo and normals are those of the atlas, around it what the network last saw: there E is kept, and
    albedo is the frame over it.
    """
    side = seen.crop.size
    wrap = atlas.wrap(points, side)
    both = wrap(np.concatenate([memory.albedo, memory.normal], axis=-1))
    covered = (wrap.on_mesh & (wrap(memory.mask) > 0.5)).astype(np.float32)
    edge = cv2.GaussianBlur(cv2.erode(covered, np.ones((3, 3))), (0, 0), _ATLAS_EDGE * side)
    inside = (edge * covered)[..., None]
    illumination, straight, mask = memory.beyond[..., :3], memory.beyond[..., 3:6], memory.beyond[..., 6]
    around = albedo_of(seen.image, np.exp(illumination) * gain.astype(np.float32))
    albedo = np.maximum(around + inside * (both[..., :3] - around), LEAST_ALBEDO).astype(np.float32)
    turned = both[..., 3:] @ atlas.head_rotation(points).T.astype(np.float32)
    normal = normalize(straight + inside * (turned - straight))
    light = sh.rotate(memory.light * gain, upright(seen.crop).T).astype(np.float32)
    regions = memory.beyond[..., 7:] if memory.beyond.shape[-1] > 7 else None
    made = replace(
        seen,
        albedo=albedo,
        normal=np.ascontiguousarray(normal, np.float32),
        light=light,
        mask=np.maximum(covered, np.clip(mask, 0, 1)),
        regions=regions,
    )
    return replace(made, residual=(made.image - albedo * made.shading).astype(np.float32))
