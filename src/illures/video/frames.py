"""The frames of a clip, decomposed: faces are followed, cuts are found, and the maps do not flicker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from illures.decompose.decomposer import Decomposer
from illures.decompose.decomposition import Decomposition
from illures.faces.track import FaceTracker, TrackedFace
from illures.video.cuts import CutDetector
from illures.video.prefetch import prefetch
from illures.video.read import Frame, read_frames
from illures.video.stabilize import Stabilizer

_SOUGHT = 250  # frames in which the first face is looked for

Image8 = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class VideoFrame:
    """One frame of a clip with its decomposed faces.

    Attributes:
        image: sRGB, upright.
        time_s: presentation time [s].
        faces: stabilised, of the crop's size, largest first.
        cut: whether a new shot begins here.
        alpha: of the clip, 0 (transparent) to 255; None where it holds none.
        balances: of the faces, as of `Stabilizer`.
    """

    image: Image8
    time_s: float
    faces: list[Decomposition]
    cut: bool
    alpha: UInt8[np.ndarray, "height width"] | None = None
    balances: Sequence[Float[np.ndarray, "3"]] = ()


@dataclass(frozen=True)
class Tracked:
    """A frame, its number in the clip, its faces, and whether a new shot begins with it."""

    frame: Frame
    number: int
    faces: list[TrackedFace]
    cut: bool


def decompose_clip(clip: Path, decomposer: Decomposer, every: int = 4) -> Iterator[VideoFrame]:
    """Decompose every frame of a clip, without flicker. Memory use does not grow with the clip.

    Args:
        clip: a video file.
        decomposer: the network; its finder of faces is not used.
        every: frames from one run of the network to the next.

    Raises:
        InputError: as `illures.video.read.read_frames`.
    """
    stabilizer = Stabilizer(decomposer, every)
    with closing(prefetch(tracked(enumerate(read_frames(clip)), None, 0))) as faces:
        for each in faces:
            yield decomposed(stabilizer, each)


def first_face(clip: Path, decomposer: Decomposer) -> Decomposition | None:
    """The largest face of the first frame that shows one, among the first 250; None if none does.

    The strength of a new light is set by it.

    Raises:
        InputError: as `illures.video.read.read_frames`.
    """
    tracker = FaceTracker()
    for frame in read_frames(clip):
        tracked = tracker(frame.image)
        if tracked:
            return Stabilizer(decomposer)(frame.image, tracked[:1], frame.time_s)[0]
        if frame.index >= _SOUGHT:
            break
    return None


def tracked(numbered: Iterator[tuple[int, Frame]], last: Frame | None, part_frames: int) -> Iterator[Tracked]:
    """Frames with their faces and cuts.

    Each part begins as a resumed run does: the tracker searches anew, and the cut detector knows only the last frame.
    """
    tracker, cuts = FaceTracker(), CutDetector()
    for number, frame in numbered:
        if part_frames and number and number % part_frames == 0 and last is not None:
            tracker.reset()
            cuts = CutDetector()
            cuts.is_cut(last.image)
        cut = cuts.is_cut(frame.image)
        if cut:
            tracker.reset()
        yield Tracked(frame, number, tracker(frame.image), cut)
        last = frame


def decomposed(stabilizer: Stabilizer, each: Tracked) -> VideoFrame:
    """Decompose the faces of the next frame; at a cut the stabilizer forgets those before it."""
    if each.cut:
        stabilizer.reset()
    image, time_s = each.frame.image, each.frame.time_s
    faces = stabilizer(image, each.faces, time_s)
    return VideoFrame(image, time_s, faces, each.cut, each.frame.alpha, stabilizer.balances)
