"""Resume reading a clip: from where an earlier run stopped, and after frames that can't be decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from illures.errors import InputError
from illures.video.read import ClipInfo, Frame, read_frames

# After a broken frame, reading is retried in these steps [s], as later frames depend on it up to the next key frame.
_STEP_S = 0.25

OnBroken = Callable[[InputError], None] | None


def frames_after(
    clip: ClipInfo, last_s: float | None, on_broken: OnBroken = None
) -> tuple[Frame | None, Iterator[Frame]]:
    """The frame of a certain time, and those that follow it.

    Args:
        clip: as returned by `open_clip`.
        last_s: time of a frame as `read_frames` gave it [s]; None for all frames.
        on_broken: called with the error of a broken frame, which is then skipped, as are frames that depend on it.
            None: the error is raised.

    Raises:
        InputError: as `read_frames`.
    """
    if last_s is None:
        return None, _read(clip, 0.0, on_broken)
    frames = _read(clip, last_s, on_broken)
    for frame in frames:
        if frame.time_s == last_s:
            return frame, frames
        if frame.time_s > last_s:
            break
    # A file without seeking is read from its beginning.
    frames = _read(clip, 0.0, on_broken)
    return next((frame for frame in frames if frame.time_s >= last_s), None), frames


def _read(clip: ClipInfo, start_s: float, on_broken: OnBroken) -> Iterator[Frame]:
    """`read_frames` from `start_s` on; skips broken frames if allowed."""
    if on_broken is None:
        yield from read_frames(clip.path, start_s)
        return
    last_s, end_s = start_s, clip.duration_s
    while True:
        try:
            for frame in read_frames(clip.path, start_s):
                if start_s == 0 or frame.time_s >= start_s:
                    last_s = frame.time_s
                    yield frame
            return
        except InputError as error:
            on_broken(error)
        start_s = max(start_s, last_s) + _STEP_S
        if end_s is None or start_s > end_s:
            return
