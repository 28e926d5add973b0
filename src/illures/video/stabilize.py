"""Faces of a clip without flicker: what stays the same from frame to frame is kept, along the landmark mesh.

Albedo, and normals in the head's own frame, belong to the person: each face has an atlas of both (`faces.atlas`), the
mean of what the network saw in the last moments, where it was well lit and seen frontally. The light belongs to the
frame: E is the median of image over that albedo in each neighbourhood, which follows the edges of shadows and passes
over what is small and no light: lids, teeth, creases, noise of the landmarks. Albedo is the frame over E, I / E, so
that its detail is the frame's own: no old expression shows, and nothing swims. What is fainter than noise is the
atlas'. Landmarks, and with them the crop, are smoothed by the One Euro filter. At cuts everything is forgotten.

The network runs on every few frames only. In between all means go on towards what it saw last.
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
from illures.decompose.full_resolution import beyond, feathered, surely, upright
from illures.faces import atlas
from illures.faces.boxes import box_of, overlap
from illures.faces.track import TrackedFace, face_size
from illures.io.photos import as_linear
from illures.math import sh
from illures.math.normals import normalize
from illures.math.quotient import BLACK, LEAST_ALBEDO, albedo_of, illumination_of
from illures.types import Face

# How far back the means reach [s].
ALBEDO_S = 2.0
NORMAL_S = 0.8
LIGHT_S = 0.3
# E is the median over a square of this side [of the crop's], in steps and within a range of log E around the face's.
_NEAR, _STEP, _SOFT = 0.085, 1 / 64, 0.012
# A detail of log albedo that the atlas lacks shows by half from this size on: noise is less.
_NOISE = 0.07
# Detail is a mean over so many seconds, unless it changes: the log change, in a neighbourhood of this part of the side,
# at which the frame counts by half.
DETAIL_S, _CHANGE, _CHANGE_SOFT = 0.15, 0.1, 0.008
_ODD_LEARNT = 0.4  # a difference of log albedo that is learnt at a quarter of the speed
_LEAST_LEARNT = 0.1  # what is odd, but stays, is learnt at this part of the speed
# Of the mean illumination: what is darker teaches less, down to a part; above this value of the image, nothing.
_WELL_LIT, _LEAST_LIT, _BURNT = 0.7, 0.2, 0.95
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
_ATLAS_EDGE = 0.02  # of the crop's side: the mesh gives way to what the network last saw around it

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
        if new or run:
            _learn(memory, seen, points, step_s * self._every)
        _approach(memory, step_s)
        memory.time_s, memory.points = time_s, face.landmarks
        return _recall(memory, seen, points, step_s)

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


def _learn(memory: FaceMemory, seen: Decomposition, points: Float[np.ndarray, "478 3"], step_s: float) -> None:
    """Take in what the network sees in a frame; albedo and illumination only as what the means go to."""
    places = atlas.positions(points)
    trust = _trust(points, places, seen.crop.size)
    illumination = np.log(illumination_of(seen.image, seen.albedo)).astype(np.float32)
    flat = atlas.unwrap(np.dstack([seen.albedo, illumination, seen.normal, seen.image.max(-1), seen.mask]), places)
    memory.seen, memory.mask = flat[..., :3], flat[..., 10]
    memory.weight = trust * _well_lit(flat[..., 3:6], flat[..., 9], trust)
    if memory.albedo_s.any():
        memory.weight = memory.weight * np.maximum(_usual(memory), _LEAST_LEARNT)
    normal = flat[..., 6:9] @ atlas.head_rotation(points).astype(np.float32)
    share, memory.normal_s = _share(memory.normal_s, trust, step_s, NORMAL_S)
    memory.normal = normalize(memory.normal + share[..., None] * (normal - memory.normal))
    light = sh.rotate(seen.light, upright(seen.crop)).astype(np.float32)
    share_of_light = 1.0 if memory.light_s == 0 else min(1.0, step_s / LIGHT_S)
    memory.light = memory.light + np.float32(share_of_light) * (light - memory.light)
    # The background's own light would leave a rim where the head moves.
    illumination = beyond(illumination, surely(feathered(seen.head)), 0)
    illumination = cv2.GaussianBlur(illumination, (0, 0), _SOFT * seen.crop.size)
    parts = [illumination, seen.normal, seen.mask[..., None]]
    parts = parts if seen.regions is None else [*parts, seen.regions]
    memory.around = np.concatenate(parts, axis=-1).astype(np.float32)


def _well_lit(
    lit: Atlas3, brightest: Float[np.ndarray, "size size"], trust: Float[np.ndarray, "size size"]
) -> Float[np.ndarray, "size size"]:
    """How much a texel's albedo is to be believed, by the light that falls on it."""
    level = np.exp(lit.mean(axis=-1))
    mean = float((level * trust).sum()) / max(float(trust.sum()), 1e-6)
    return np.clip(level / (_WELL_LIT * max(mean, 1e-6)), _LEAST_LIT, 1) * (brightest < _BURNT)


def _usual(memory: FaceMemory) -> Float[np.ndarray, "size size"]:
    """1 where the albedo seen last is that of the memory but for one factor, falling to 0."""
    off = _grey_log(memory.seen) - _grey_log(memory.albedo)
    known = memory.weight > 0
    return _likely(off - (np.median(off[known]) if known.any() else 0), _ODD_LEARNT)


def _grey_log(albedo: Float[np.ndarray, "rows columns 3"]) -> Float[np.ndarray, "rows columns"]:
    return np.log(np.maximum(albedo, LEAST_ALBEDO)).mean(axis=-1)


def _likely(off: Float[np.ndarray, "rows columns"], half: float) -> Float[np.ndarray, "rows columns"]:
    """Weight of a difference: 1 for none, the less the larger (Geman and McClure 1985)."""
    return 1 / (1 + (off / half) ** 2) ** 2


def _approach(memory: FaceMemory, step_s: float) -> None:
    """Let the means go on to what the network saw last."""
    share, memory.albedo_s = _share(memory.albedo_s, memory.weight, step_s, ALBEDO_S)
    memory.albedo = memory.albedo + share[..., None] * (memory.seen - memory.albedo)
    part = np.float32(1.0 if memory.light_s == 0 else min(1.0, step_s / LIGHT_S))
    memory.light_s = _FIRST_S if memory.light_s == 0 else min(memory.light_s + step_s, LIGHT_S)
    known = memory.beyond.shape == memory.around.shape
    memory.beyond = memory.beyond + part * (memory.around - memory.beyond) if known else memory.around


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
    memory: FaceMemory, seen: Decomposition, points: Float[np.ndarray, "478 3"], step_s: float
) -> Decomposition:
    """The decomposition of a crop, from memory; the residual is what is left of the image."""
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
        detail = _steadied(memory.detail, detail, step_s)
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
    """Log E of a frame, by the albedo that is known `inside`, and how much stronger it is than the E `around`."""
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
    smooth = (cv2.GaussianBlur(near, (0, 0), _SOFT * len(image)) - 128) * np.float32(_STEP) + middle
    return around + inside * (smooth - around), np.exp(grown)


def _detail(
    known: Float[np.ndarray, "side side 3"],
    seen: Float[np.ndarray, "side side 3"],
    inside: Float[np.ndarray, "side side 1"],
) -> Float[np.ndarray, "side side 3"]:
    """Log of the frame's albedo over the known one; where they differ by what may be noise, `inside` by less."""
    off = np.log(np.maximum(seen, LEAST_ALBEDO) / np.maximum(known, LEAST_ALBEDO))
    grey = off.mean(axis=-1, keepdims=True)
    return off * (1 - inside / (1 + (grey / _NOISE) ** 2))


def _steadied(
    before: Float[np.ndarray, "side side 3"], now: Float[np.ndarray, "side side 3"], step_s: float
) -> Float[np.ndarray, "side side 3"]:
    """Detail without what changes little from frame to frame, which is noise; what changes much is the frame's at once.

    A recursive filter whose share of the new frame grows with the change in its neighbourhood.
    """
    change = now - before
    size = np.abs(cv2.GaussianBlur(change.mean(axis=-1), (0, 0), _CHANGE_SOFT * len(now)))
    share = np.maximum(_gain(1 / (2 * math.pi * DETAIL_S), step_s), size**2 / (size**2 + _CHANGE**2))
    return np.asarray(before + share[..., None] * change, np.float32)
