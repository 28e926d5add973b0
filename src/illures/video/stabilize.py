"""Faces of a clip without flicker: albedo and normals are averaged over frames, aligned by the landmark mesh.

`memory` keeps albedo and normals of each face, `recall` makes a frame's decomposition from them, and the light belongs
to the frame. The landmarks, and with them the crop, are smoothed by the One Euro filter. At cuts all is forgotten.

The network runs on every few frames only. In between, all means go on towards its last prediction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np
from jaxtyping import Float, UInt8

from illures import faces as _faces
from illures.decompose.decomposer import Decomposer
from illures.decompose.decomposition import Decomposition
from illures.faces.boxes import box_of, overlap
from illures.faces.track import TrackedFace, face_size
from illures.io.photos import as_linear
from illures.math.color import is_grey
from illures.types import Face
from illures.video.memory import FaceMemory, approach, empty_memory, learn
from illures.video.recall import recall
from illures.video.white import compare

# One Euro filter (Casiez, Roussel and Vogel, CHI 2012) of landmarks in units of the face's size: cutoff at rest [Hz],
# its growth with speed [Hz per face size/s], cutoff of the speed [Hz].
_REST_HZ, _GROWTH, _SPEED_HZ = 3.0, 200.0, 1.0
# A gap longer than this makes the landmarks begin anew [s]; a face unseen for longer is forgotten [s].
_GAP_S, _FORGET_S = 0.25, 2.0
_SAME = 0.3  # intersection over union above which a new track goes on with the face of an old one


class Stabilizer:
    """Decompose tracked faces of consecutive frames without flicker.

    Args:
        decomposer: the network, for the size of the crops too; its finder of faces is not used.
        every: frames from one run of the network to the next; 1 runs it on each.

    Attributes:
        balances: colour of the light on each face of the last frame over that on the first face of the shot.
    """

    def __init__(self, decomposer: Decomposer, every: int = 4) -> None:
        self._found: list[Face] = []
        self._grey = True
        self._decomposer = Decomposer(
            decomposer.predictor, decomposer.size, find_faces=lambda _: self._found, is_grey=self._is_grey
        )
        self._every = every
        self._frame = 0
        self._memories: list[FaceMemory] = []
        self.balances: list[Float[np.ndarray, "3"]] = []

    def reset(self) -> None:
        """Forget all faces, at a cut."""
        self._memories = []
        self._frame = 0

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], tracked: Sequence[TrackedFace], time_s: float
    ) -> list[Decomposition]:
        """Decompose the faces of the next frame, in the order of `tracked`.

        Args:
            image: the frame, sRGB.
            tracked: its faces.
            time_s: presentation time of the frame [s]; must increase from call to call.

        Returns:
            Decompositions of the crop's size; A ∘ f(N, L) + R is the crop's image.
        """
        self._memories = [m for m in self._memories if time_s - m.time_s <= _FORGET_S]
        run = self._frame % self._every == 0
        self._frame += 1
        since = max((m.time_s for m in self._memories), default=time_s)
        made, shown = [], []
        for each in tracked:
            memory = self._memory_of(each, tracked)
            points = each.face.landmarks if memory is None else smooth_points(memory, each.face.landmarks, time_s)
            face = Face(points, each.face.score)
            if memory is None:
                memory = empty_memory(face, each.track)
                self._memories.append(memory)
            made.append(self._next(memory, image, face, time_s, run))
            shown.append(memory)
        if run or any(np.isnan(memory.balance).any() for memory in shown):
            compare(shown, made, self._every * min(time_s - since, _GAP_S))
        self.balances = [np.exp(memory.balance) for memory in shown]
        return made

    def state(self) -> dict[str, np.ndarray]:
        """All that is remembered, as plain arrays; `restore` takes it back."""
        state = {"frame": np.array(self._frame)}
        for number, memory in enumerate(self._memories):
            state |= {f"{number}.{f.name}": np.asarray(getattr(memory, f.name)) for f in fields(memory)}
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state that `state` returned."""
        self._frame = int(state["frame"])
        count = sum(name.endswith(".track") for name in state)
        self._memories = []
        for number in range(count):
            values = {f.name: state[f"{number}.{f.name}"] for f in fields(FaceMemory)}
            scalars = {name: value.item() for name, value in values.items() if value.ndim == 0}
            self._memories.append(FaceMemory(**(values | scalars)))

    def _memory_of(self, each: TrackedFace, tracked: Sequence[TrackedFace]) -> FaceMemory | None:
        """The memory of this face: that of its track or, where the tracker began a new one, that of the same place."""
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

    def _next(self, memory: FaceMemory, image: np.ndarray, face: Face, time_s: float, run: bool) -> Decomposition:
        """Update the memory with a frame, and return the decomposition that follows from it."""
        new = memory.time_s == -math.inf
        step_s = 0.0 if new else min(time_s - memory.time_s, _GAP_S)
        if new or run:
            self._found, self._grey = [face], memory.grey
            seen = self._decomposer(image)[0]
            memory.grey = self._grey
        else:
            seen = self._undecomposed(image, face)
        points = _faces.to_crop(face.landmarks, seen.crop)
        if new or run:
            learn(memory, seen, points, step_s * self._every)
        approach(memory, step_s)
        memory.time_s, memory.points = time_s, face.landmarks
        return recall(memory, seen, points, step_s)

    def _is_grey(self, crop: Float[np.ndarray, "size size 3"]) -> bool:
        """Whether a crop is grey, with hysteresis: it depends on the last one of this face."""
        self._grey = is_grey(crop, self._grey)
        return self._grey

    def _undecomposed(self, image: np.ndarray, face: Face) -> Decomposition:
        """A decomposition that holds the crop's image alone, for frames on which the network does not run."""
        crop = _faces.crop_face(face, image.shape[:2], self._decomposer.size)
        linear = as_linear(_faces.extract(image, crop))
        blank = np.zeros_like(linear)
        return Decomposition(linear, blank, blank, np.zeros((9, 3), np.float32), blank, blank[..., 0], crop)


def smooth_points(memory: FaceMemory, points: Float[np.ndarray, "478 3"], time_s: float) -> Float[np.ndarray, "478 3"]:
    """Smooth the landmarks [px] by the One Euro filter; updates `memory.speed`, but not `memory.points`."""
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
