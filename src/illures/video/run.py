"""One run over a clip: from the last finished part to its end, each frame decomposed, drawn and encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import UInt8

from illures.errors import InputError
from illures.io.decoding import note
from illures.io.formats import Format
from illures.relighting.light import Light
from illures.video.frames import VideoFrame, decomposed, tracked
from illures.video.prefetch import prefetch
from illures.video.read import ClipInfo
from illures.video.remux import join, time_base_of
from illures.video.render import Show, matte_of, show_frame
from illures.video.resume import frames_after
from illures.video.sequence import Shown
from illures.video.stabilize import Stabilizer
from illures.video.write import Coding, Parts, PartWriter

# How far the stated duration may exceed the last frame without a warning [s; share]: sound and rounded times do.
_EARLY_S, _EARLY = 1.0, 0.05


@dataclass(frozen=True)
class VideoReport:
    """Counts of a finished run.

    Attributes:
        frames: frames written.
        with_face: those of them that show a face.
        cuts: cuts found.
        resumed: frames that an earlier run had finished.
        broken: errors of the frames that could not be decoded, each once.
    """

    frames: int
    with_face: int
    cuts: int
    resumed: int
    broken: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """What the video shows; see `illures.video.render.show_frame`."""

    show: Show
    light: Light | None
    shadows: bool
    alpha: bool = False
    own_alpha: bool = False
    codes: Format = Format("png")


@dataclass(frozen=True)
class _Position:
    """Progress of a run: frames done, presentation time of the last one [s], and counts."""

    frames: int = 0
    time_s: float = 0.0
    with_face: int = 0
    cuts: int = 0

    def after(self, frame: VideoFrame) -> _Position:
        return _Position(self.frames + 1, frame.time_s, self.with_face + bool(frame.faces), self.cuts + int(frame.cut))


class Run:
    """One run over a clip: from the last finished part to its end."""

    def __init__(
        self,
        info: ClipInfo,
        parts: Parts,
        coding: Coding,
        stabilizer: Stabilizer,
        look: Look,
        skip_broken: bool,
        part_frames: int,
    ) -> None:
        self._info, self._parts, self._coding = info, parts, coding
        self._stabilizer, self._look, self._part_frames = stabilizer, look, part_frames
        self._time_base = time_base_of(info.path)
        self._broken: list[str] = []
        self._on_broken = (lambda error: self._broken.append(str(error))) if skip_broken else None

    def __call__(self, progress: Callable[[int, int | None], None]) -> VideoReport:
        """Write the output; see `illures.video.make.make_video`."""
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
        self._warn_of_early_end(position)
        show = self._look.show
        shown = Shown(show if show in ("normal", "shading", "residual") else None, self._look.codes)
        join(self._parts, count, self._info.path, self._coding, self._time_base, shown)
        self._parts.remove()
        broken = tuple(dict.fromkeys(self._broken))
        return VideoReport(position.frames, position.with_face, position.cuts, start.frames, broken)

    def _warn_of_early_end(self, position: _Position) -> None:
        """Warn of a truncated file, which may still state its full duration."""
        stated_s, end_s = self._info.duration_s, position.time_s + 1 / self._info.rate
        if stated_s is not None and end_s < stated_s - max(_EARLY_S, _EARLY * stated_s):
            found = f"it says that it is {stated_s:.1f} s long, its last frame is at {position.time_s:.1f} s"
            note(self._info.path, f"ends too early: {found}")

    def _resume(self, count: int) -> _Position:
        if not count:
            return _Position()
        state = self._parts.load_state(count)
        self._stabilizer.restore(state)
        frames, with_face, cuts = (int(v) for v in state["counts"])
        return _Position(frames, float(state["time_s"]), with_face, cuts)

    def _frames(self, start: _Position) -> Iterator[tuple[VideoFrame, Mapping[str, np.ndarray] | None]]:
        """Decomposed frames; the last one of each part comes with the stabilizer's state after it."""
        last, frames = frames_after(self._info, start.time_s if start.frames else None, self._on_broken)
        numbered = enumerate(frames, start.frames)
        with closing(prefetch(tracked(numbered, last, self._part_frames))) as faces:
            for each in faces:
                frame = decomposed(self._stabilizer, each)
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
        """Encode the frames of one part, and save the state that the next one starts from."""
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
        picture = show_frame(
            frame.image,
            frame.faces,
            look.show,
            look.light,
            shadows=look.shadows,
            codes=look.codes,
            balances=frame.balances,
        )
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
