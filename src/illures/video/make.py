"""A clip in, a clip out: every face taken apart, frame by frame, and shown as one of its maps or under another light.

Decoding and following faces, the network, and encoding run side by side, each in a thread of its own. The output is
written in parts (`write`), so that a killed run goes on where it stood.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

import illures
from illures.decompose.decomposer import Decomposer
from illures.decompose.decomposition import Decomposition
from illures.decompose.folder import describe_weights
from illures.errors import InputError
from illures.faces.track import FaceTracker, TrackedFace
from illures.io.decoding import note
from illures.io.files import check_writable
from illures.relighting.light import Light
from illures.video.prefetch import prefetch
from illures.video.read import ClipInfo, CutDetector, Frame, open_clip, read_frames
from illures.video.remux import join, time_base_of
from illures.video.render import Show, matte_of, show_frame
from illures.video.resume import frames_after
from illures.video.sequence import files_of, is_sequence
from illures.video.stabilize import Stabilizer
from illures.video.write import Coding, Parts, PartWriter, can_hold_alpha, coding_for, held

# Frames of a part: what a killed run may have to do again.
PART = 250
# Sound or rounded times may go on after the last frame so long without a word.
_EARLY_S, _EARLY = 1.0, 0.05
Image8 = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class VideoFrame:
    """One frame of a clip with its faces taken apart.

    Attributes:
        image: sRGB, upright.
        time_s: presentation time [s].
        faces: stabilised, of the crop's size, largest first.
        cut: whether a new shot begins here.
        alpha: of the clip, 0 (transparent) to 255; None where it holds none.
    """

    image: Image8
    time_s: float
    faces: list[Decomposition]
    cut: bool
    alpha: UInt8[np.ndarray, "height width"] | None = None


@dataclass(frozen=True)
class VideoReport:
    """What became of a clip.

    Attributes:
        frames: written.
        with_face: of which show a face.
        cuts: found.
        resumed: frames that an earlier run had finished.
        broken: what was wrong with the frames that were left out.
    """

    frames: int
    with_face: int
    cuts: int
    resumed: int
    broken: tuple[str, ...]


@dataclass(frozen=True)
class _Look:
    """What the video shows; see `videomaps.show_frame`."""

    show: Show
    light: Light | None
    shadows: bool
    alpha: bool = False
    own_alpha: bool = False


@dataclass(frozen=True)
class _Tracked:
    frame: Frame
    number: int
    faces: list[TrackedFace]
    cut: bool


@dataclass(frozen=True)
class _Position:
    """Where a run stands: frames done, the last one's time, and counts."""

    frames: int = 0
    time_s: float = 0.0
    with_face: int = 0
    cuts: int = 0

    def after(self, frame: VideoFrame) -> _Position:
        return _Position(self.frames + 1, frame.time_s, self.with_face + bool(frame.faces), self.cuts + int(frame.cut))


def decompose_clip(clip: Path, decomposer: Decomposer, every: int = 4) -> Iterator[VideoFrame]:
    """Take every frame of a clip apart, without flicker; memory does not grow with the clip.

    Args:
        clip: a video file.
        decomposer: the network; its finder of faces is not used.
        every: frames from one run of the network to the next.

    Raises:
        InputError: as `illures.video.read.read_frames`.
    """
    stabilizer = Stabilizer(decomposer, every)
    with closing(prefetch(_tracked(enumerate(read_frames(clip)), None, 0))) as tracked:
        for each in tracked:
            yield _decomposed(stabilizer, each)


def first_face(clip: Path, decomposer: Decomposer) -> Decomposition | None:
    """The largest face where the clip first shows one in its first seconds: what a light's strength is set by.

    Raises:
        InputError: as `illures.video.read.read_frames`.
    """
    tracker = FaceTracker()
    for frame in read_frames(clip):
        tracked = tracker(frame.image)
        if tracked:
            return Stabilizer(decomposer)(frame.image, tracked[:1], frame.time_s)[0]
        if frame.index >= PART:
            break
    return None


def make_video(
    clip: Path,
    out: Path,
    decomposer: Decomposer,
    show: Show = "grid",
    light: Light | None = None,
    *,
    shadows: bool = False,
    alpha: bool = False,
    every: int = 4,
    skip_broken: bool = False,
    part_frames: int = PART,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> VideoReport:
    """Write a clip that shows one map of its faces, or all, or the faces under another light.

    The output keeps the clip's size (but for "grid"), times and sound; its alpha, too, where the file can hold it. It
    appears when it is whole. An interrupted run leaves OUT.parts, from which the same call goes on.

    Args:
        clip: a video file.
        out: .mp4, .m4v, .mov (H.264), .webm (VP9) or .mkv (FFV1, lossless), or numbered pictures (frame.%04d.png).
        decomposer: the network; its finder of faces is not used.
        show: see `illures.video.render.show_frame`.
        light: for "relit" and "grid", which need it.
        shadows: let relit faces cast shadows on themselves, which takes many times as long.
        alpha: hold the faces' matte (times the clip's own alpha) as alpha: .mov (ProRes 4444), .mkv (FFV1) or pictures;
            not for "grid".
        every: frames from one run of the network to the next.
        skip_broken: show the last good frame longer where one can't be decoded, instead of stopping.
        part_frames: frames of a part.
        progress: called with the number of finished frames and of all, where that is known.

    Raises:
        InputError: the clip can't be read or the output not written, a frame is broken, or a light is missing.
    """
    if show in ("relit", "grid") and light is None:
        raise InputError(f"show {show}: needs a light")
    if every < 1 or part_frames < 1:
        raise InputError(f"every {every}, part_frames {part_frames}: must be at least 1")
    if alpha and show == "grid":
        raise InputError("show grid: has no matte; choose one map for alpha")
    coding, info = coding_for(out, alpha), open_clip(clip)
    own_alpha = info.has_alpha and show != "grid" and can_hold_alpha(out)
    if own_alpha:
        coding = coding_for(out, alpha=True)
    elif info.has_alpha:
        note(out, "holds no alpha; what is transparent in the clip is mid grey")
    if os.path.realpath(out) == os.path.realpath(clip) or (out.exists() and out.samefile(clip)):
        raise InputError(f"{out}: is the clip itself; choose another output")
    if out.is_dir():
        raise InputError(f"{out}: is a folder, a file is needed")
    check_writable(out.parent)
    look = _Look(show, light if show in ("relit", "grid") else None, shadows, alpha, own_alpha)
    job = _job(clip, decomposer, coding, look, every, part_frames)
    with held(out):
        run = _Run(info, Parts(out, job), coding, Stabilizer(decomposer, every), look, skip_broken, part_frames)
        return run(progress)


class _Run:
    """One run over a clip: from the last finished part to its end."""

    def __init__(
        self,
        info: ClipInfo,
        parts: Parts,
        coding: Coding,
        stabilizer: Stabilizer,
        look: _Look,
        skip_broken: bool,
        part_frames: int,
    ) -> None:
        self._info, self._parts, self._coding = info, parts, coding
        self._stabilizer, self._look, self._part_frames = stabilizer, look, part_frames
        self._time_base = time_base_of(info.path)
        self._broken: list[str] = []
        self._on_broken = (lambda error: self._broken.append(str(error))) if skip_broken else None

    def __call__(self, progress: Callable[[int, int | None], None]) -> VideoReport:
        count = self._parts.done()
        start = position = self._resume(count)
        progress(start.frames, self._info.frames)
        try:
            with closing(prefetch(self._frames(start))) as frames:
                while (first := next(frames, None)) is not None:
                    position = self._write_part(count, first, frames, position, progress)
                    count += 1
        except InputError as error:
            raise self._with_what_is_kept(error, count) from error
        if not count:
            raise InputError(f"{self._info.path}: holds no frame that can be read")
        self._say_early_end(position)
        join(self._parts, count, self._info.path, self._coding, self._time_base)
        self._parts.remove()
        return VideoReport(
            position.frames, position.with_face, position.cuts, start.frames, tuple(dict.fromkeys(self._broken))
        )

    def _say_early_end(self, position: _Position) -> None:
        """A file that was cut may tell how long it was."""
        told, end_s = self._info.duration_s, position.time_s + 1 / self._info.rate
        if told is not None and end_s < told - max(_EARLY_S, _EARLY * told):
            words = (
                f"ends too early: it says that it is {told:.1f} s long, its last frame is at {position.time_s:.1f} s"
            )
            note(self._info.path, words)

    def _resume(self, count: int) -> _Position:
        if not count:
            return _Position()
        state = self._parts.load_state(count)
        self._stabilizer.restore(state)
        frames, with_face, cuts = (int(v) for v in state["counts"])
        return _Position(frames, float(state["time_s"]), with_face, cuts)

    def _frames(self, start: _Position) -> Iterator[tuple[VideoFrame, Mapping[str, np.ndarray] | None]]:
        """Frames taken apart, each last one of a part with the state after it."""
        last, frames = frames_after(self._info, start.time_s if start.frames else None, self._on_broken)
        numbered = enumerate(frames, start.frames)
        with closing(prefetch(_tracked(numbered, last, self._part_frames))) as tracked:
            for each in tracked:
                frame = _decomposed(self._stabilizer, each)
                ends = each.number % self._part_frames == self._part_frames - 1
                yield frame, self._stabilizer.state() if ends else None

    def _write_part(
        self,
        number: int,
        first: tuple[VideoFrame, Mapping[str, np.ndarray] | None],
        frames: Iterator[tuple[VideoFrame, Mapping[str, np.ndarray] | None]],
        position: _Position,
        progress: Callable[[int, int | None], None],
    ) -> _Position:
        """Encode the frames of one part and, unless it is the last, what the next one starts from."""
        next_one: tuple[VideoFrame, Mapping[str, np.ndarray] | None] | None = first
        picture = self._picture(first[0])
        size = picture.shape[:2]
        path, rate = self._parts.path(number), self._info.rate
        with PartWriter(path, self._coding, size, self._time_base, rate) as writer:
            state = None
            while next_one is not None:
                frame, state = next_one
                picture = self._picture(frame) if frame is not first[0] else picture
                if picture.shape[:2] != size:
                    raise InputError(f"{self._info.path}: the size of the frames changes at {frame.time_s:.2f} s")
                writer.add(picture, round(Fraction(frame.time_s) / self._time_base))
                position = position.after(frame)
                progress(position.frames, self._info.frames)
                next_one = None if state is not None else next(frames, None)
        # The end of the clip ends a part, too: if joining fails, only joining is done again.
        counts = np.array([position.frames, position.with_face, position.cuts])
        state = self._stabilizer.state() if state is None else state
        self._parts.save_state(number + 1, {**state, "counts": counts, "time_s": np.array(position.time_s)})
        return position

    def _picture(self, frame: VideoFrame) -> UInt8[np.ndarray, "height width channels"]:
        look = self._look
        picture = show_frame(frame.image, frame.faces, look.show, look.light, shadows=look.shadows)
        if not (look.alpha or look.own_alpha):
            return picture
        alpha = matte_of(frame.image, frame.faces) if look.alpha else np.full(picture.shape[:2], 255, np.uint8)
        if look.own_alpha and frame.alpha is not None:
            alpha = np.round(alpha * (frame.alpha / np.float32(255))).astype(np.uint8)
        return np.dstack([picture, alpha])

    def _with_what_is_kept(self, error: InputError, count: int) -> InputError:
        if not count:
            self._parts.remove()
            return type(error)(f"{error}; nothing is kept")
        time_s = float(self._parts.load_state(count)["time_s"])
        return type(error)(f"{error}; what is done up to {time_s:.2f} s is kept in {self._parts.folder}")


def _tracked(numbered: Iterator[tuple[int, Frame]], last: Frame | None, part_frames: int) -> Iterator[_Tracked]:
    """Cuts and faces. Each part begins as a new run would: with a new search and no memory of earlier changes."""
    tracker, cuts = FaceTracker(), CutDetector()
    for number, frame in numbered:
        if part_frames and number and number % part_frames == 0 and last is not None:
            tracker.reset()
            cuts = CutDetector()
            cuts.is_cut(last.image)
        cut = cuts.is_cut(frame.image)
        if cut:
            tracker.reset()
        yield _Tracked(frame, number, tracker(frame.image), cut)
        last = frame


def _decomposed(stabilizer: Stabilizer, each: _Tracked) -> VideoFrame:
    if each.cut:
        stabilizer.reset()
    image, time_s = each.frame.image, each.frame.time_s
    return VideoFrame(image, time_s, stabilizer(image, each.faces, time_s), each.cut, each.frame.alpha)


def _job(
    clip: Path, decomposer: Decomposer, coding: Coding, look: _Look, every: int, part_frames: int
) -> dict[str, Any]:
    """All that decides how the output looks."""
    last = max(files_of(clip).values(), key=lambda p: p.stat().st_mtime_ns) if is_sequence(clip) else clip
    file = last.stat()
    return {
        "illures": illures.__version__,
        "clip": [str(clip.resolve()), file.st_size, file.st_mtime_ns],
        "weights": describe_weights(decomposer.predictor.info),
        "size": decomposer.size,
        "look": [look.show, look.light and look.light.to_dict(), look.shadows],
        "coding": [coding.container, coding.codec, coding.pixels, dict(coding.options)],
        "every": every,
        "part_frames": part_frames,
    }
