"""Face tracking: the landmarks of one frame give the regions for the next, and a detector finds new faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from illures.faces.boxes import Box, are_double, box_of, overlap
from illures.faces.detect import detect
from illures.faces.landmarks import (
    PRESENCE,
    find_faces,
    follow,
    landmark,
    landmark_all,
    region_of_landmarks,
)
from illures.types import Face

EVERY = 25  # frames between two searches for new faces
EVERY_EMPTY = 5  # likewise if no face is known, or one was lost
MEMORY = 12  # frames for which a lost face keeps its track number
SOUGHT = 50  # frames for which a lost face is sought: someone passes before it
STABLE_IOU = 0.75  # intersection over union with the last frame, below which a second pass of landmarks is run
SAME = 0.3  # intersection over union above which a new face is the one that was lost
DOUBLE = 0.6  # intersection over the smaller box above which two tracks are on one face


@dataclass(frozen=True)
class TrackedFace:
    """A face of one frame.

    Attributes:
        face: landmarks in the frame's pixels.
        track: number of the track; new faces get new numbers.
    """

    face: Face
    track: int


class FaceTracker:
    """Follows all faces of a shot; call it with each frame, and `reset` it at cuts.

    A face is tracked by its landmarks (one pass of the landmark network per frame, two if it moves fast). The
    detector searches every `every` frames for new faces, and at once and then more often when a face is lost.

    Args:
        smallest: width of the smallest face searched [px].
        every: frames between two searches for new faces.
    """

    def __init__(self, smallest: float = 64.0, every: int = EVERY) -> None:
        self._smallest, self._every = smallest, every
        self._next_track = 0
        self.reset()

    def reset(self) -> None:
        """Forget all faces (at a cut); track numbers are never reused."""
        self._frame = 0
        self._alive: dict[int, Face] = {}
        self._lost: dict[int, tuple[Box, int]] = {}  # track: last box, and frame
        self._last_loss = -SOUGHT

    def __call__(self, image: UInt8[np.ndarray, "height width 3"]) -> list[TrackedFace]:
        """The faces of the next frame, largest first."""
        lost_one = self._follow_all(image)
        for face in self._search(image, lost_one):
            self._adopt(face)
        self._lost = {track: last for track, last in self._lost.items() if self._frame - last[1] <= MEMORY}
        self._frame += 1
        faces = [TrackedFace(face, track) for track, face in self._alive.items()]
        return sorted(faces, key=lambda tracked: -face_size(tracked.face))

    def _follow_all(self, image: np.ndarray) -> bool:
        """Track each known face; whether one was lost."""
        before, self._alive = self._alive, {}
        found = {track: face for track, last in before.items() if (face := _follow(image, last)) is not None}
        moved = {track: 1 - overlap(box_of(face), box_of(before[track])) for track, face in found.items()}
        # If two tracks meet, the one that moved less stays, as the track of a hidden face jumps to the face before it.
        for track in sorted(moved, key=moved.__getitem__):
            if not any(are_double(found[track], other, DOUBLE) for other in self._alive.values()):
                self._alive[track] = found[track]
        for track in before.keys() - self._alive.keys():
            self._lost[track] = box_of(before[track]), self._frame
            self._last_loss = self._frame
        return len(self._alive) < len(before)

    def _search(self, image: np.ndarray, lost_one: bool) -> list[Face]:
        """Faces found by the detector, in frames in which it runs."""
        if self._frame % self._every == 0:
            return find_faces(image, self._smallest)
        missed = not self._alive or self._frame - self._last_loss < SOUGHT
        if lost_one or (missed and self._frame % EVERY_EMPTY == 0):
            return landmark_all(image, detect(image, self._smallest))
        return []

    def _adopt(self, face: Face) -> None:
        """Start a track for a face, unless it is tracked already; a lost face gets its old number."""
        if any(are_double(face, other, DOUBLE) for other in self._alive.values()):
            return
        overlaps = {track: overlap(box_of(face), box) for track, (box, _) in self._lost.items()}
        track = max(overlaps, key=lambda k: overlaps[k], default=None)
        if track is None or overlaps[track] < SAME:
            track = self._next_track
            self._next_track += 1
        self._lost.pop(track, None)
        self._alive[track] = face


def face_size(face: Face) -> float:
    """The longer side of the box of the landmarks [px]."""
    return float(np.ptp(face.landmarks[:, :2], axis=0).max())


def _follow(image: np.ndarray, last: Face) -> Face | None:
    """The face of the last frame in this frame; None if it is lost."""
    region = region_of_landmarks(last.landmarks)
    face = landmark(image, region)
    if overlap(box_of(face), box_of(last)) < STABLE_IOU:
        return follow(image, region_of_landmarks(face.landmarks) if face.score >= PRESENCE else region)
    return face if face.score >= PRESENCE else None
