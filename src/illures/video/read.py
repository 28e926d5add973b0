"""Read video clips frame by frame: upright sRGB pictures with their times.

Only a few frames are kept, so that memory does not grow with the clip.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from illures.errors import InputError
from illures.io.container import decoded, open_container, pyav
from illures.io.decoding import note
from illures.io.photo_files import check_size
from illures.video.picture import Picture, picture_of, whole_lines
from illures.video.sequence import RATE, files_of, is_sequence, read_pictures

USUAL_RATE = 25.0  # default frame rate [1/s]
_NO_TIME = "no time is known"
_LONGEST_S = 1e8  # of a clip whose duration is believed: three years


@dataclass(frozen=True)
class ClipInfo:
    """Properties of a video file.

    Attributes:
        path: of the file.
        width, height: of a displayed frame: upright, with square pixels [px].
        frames: number of frames, from the file or from its duration; None if unknown.
        rate: average frame rate [1/s].
        duration_s: [s]; None if unknown (streams, recordings of a browser).
        has_audio: whether there is sound.
        has_alpha: whether frames have an alpha channel.
    """

    path: Path
    width: int
    height: int
    frames: int | None
    rate: float
    duration_s: float | None
    has_audio: bool
    has_alpha: bool = False


@dataclass(frozen=True)
class Frame:
    """One picture of a clip.

    Attributes:
        image: sRGB, upright, with square pixels.
        time_s: presentation time in the file [s]; steps differ if the frame rate varies.
        index: number of the frame, counted from where reading began.
        alpha: 0 (transparent, where the image is mid grey) to 255; None where the file holds none.
        note: message about conversions for the user; empty if there were none.
    """

    image: UInt8[np.ndarray, "height width 3"]
    time_s: float
    index: int
    alpha: UInt8[np.ndarray, "height width"] | None = None
    note: str = ""


def open_clip(path: Path) -> ClipInfo:
    """Open a video file; the first frame is decoded, so that an unreadable file fails at once.

    Conversions (HDR, interlaced lines) are noted.

    Raises:
        InputError: the file is missing, holds no video, or can't be read.
    """
    if is_sequence(Path(path)):
        picture, count = next(read_pictures(Path(path))), len(files_of(Path(path)))
        return ClipInfo(Path(path), picture.shape[1], picture.shape[0], count, RATE, count / RATE, False)
    first = next(read_frames(path), None)
    if first is None:
        raise InputError(f"{path}: holds no frame that can be read")
    with _opened(path) as (container, stream):
        rate = _rate(stream)
        duration = _duration(container, stream, rate)
        frames = stream.frames or (max(1, round(duration * rate)) if duration else None)
        if first.note:
            note(path, first.note)
        height, width = first.image.shape[:2]
        sound, alpha = bool(container.streams.audio), first.alpha is not None
        return ClipInfo(Path(path), width, height, frames, rate, duration, sound, alpha)


def read_frames(path: Path, start_s: float = 0.0) -> Iterator[Frame]:
    """Decode a clip frame by frame.

    Args:
        path: of the file.
        start_s: frames before this time are skipped [s]. Reading begins at a key frame before it, or at the beginning
            of a file that can't be searched.

    Raises:
        InputError: the file is missing, holds no video, or a frame is broken; the message names its time.
    """
    av = pyav()
    if is_sequence(Path(path)):
        yield from _pictures(Path(path), start_s)
        return
    with _opened(path) as (container, stream):
        step, aspect = 1 / _rate(stream), float(stream.sample_aspect_ratio or 1)
        if start_s > 0 and (seek_s := _seekable_s(Path(path), start_s)) is not None:
            container.seek(int(seek_s / stream.time_base), stream=stream)
        index, time_s = 0, None
        frames = whole_lines(decoded(container, stream), stream)
        while True:
            try:
                frame, interlaced = next(frames)
            except (StopIteration, av.error.EOFError):
                return
            except (av.error.FFmpegError, ValueError) as error:
                raise _broken(path, time_s, str(error)) from error
            previous, time_s = time_s, frame.time
            if time_s is None or (previous is not None and time_s <= previous):
                # Raw streams have no times, and faulty files the same one for all frames.
                time_s = 0.0 if previous is None else previous + step
            if frame.is_corrupt:
                raise _broken(path, time_s, "its data are damaged")
            if time_s >= start_s - step / 2:
                picture = picture_of(frame, aspect)
                yield Frame(picture.image, float(time_s), index, picture.alpha, _conversions(picture, interlaced))
                index += 1


def _seekable_s(path: Path, start_s: float) -> float | None:
    """A time to seek to, from which decoding begins no later than at `start_s` [s].

    Without an index FFmpeg may land behind the place that is asked for (MPEG-TS), or fail (raw streams, whose frames
    have no times either). None: the file must be read from its beginning.
    """
    av = pyav()
    with _opened(path) as (container, stream):
        if container.format.name in _TIMES_FROM_THE_BEGINNING:
            return None
        for seek_s in (start_s - back_s for back_s in _BACK_S if back_s < start_s):
            try:
                container.seek(int(seek_s / stream.time_base), stream=stream)
                first = next(decoded(container, stream), None)
            except (av.error.FFmpegError, ValueError):
                return None
            if first is None or first.time is None:
                return None
            if first.time <= start_s:
                return seek_s
    return None


_BACK_S = (0.0, 2.0, 10.0, 60.0)  # how much earlier to try [s]
_TIMES_FROM_THE_BEGINNING = ("mpeg",)  # few of its frames carry a time: after a seek others are guessed differently


def _pictures(path: Path, start_s: float) -> Iterator[Frame]:
    late = ((i / RATE, picture) for i, picture in enumerate(read_pictures(path)) if i / RATE >= start_s - 0.5 / RATE)
    for index, (time_s, picture) in enumerate(late):
        yield Frame(picture, time_s, index)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container and its video stream.

    Raises:
        InputError: there is none, or its frames are too large.
    """
    av = pyav()
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, a video file is needed")
    try:
        container = open_container(path)
    except InputError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable video ({_line(error)})") from error
    with container:
        # The cover of an audio file is a video stream for FFmpeg, but no clip.
        covers = av.stream.Disposition.attached_pic
        streams = [stream for stream in container.streams.video if not stream.disposition & covers]
        if not streams or streams[0].codec_context is None:
            raise InputError(f"{path}: holds no video that can be decoded")
        check_size(path, streams[0].codec_context.width, streams[0].codec_context.height)
        streams[0].thread_type = "AUTO"
        yield container, streams[0]


def _conversions(picture: Picture, interlaced: bool) -> str:
    """Message about conversions of a frame; empty if there were none."""
    words = [] if picture.colours.is_srgb else [picture.colours.description]
    if interlaced:
        words.append("interlaced; the lines of each first field are filled up")
    return "; ".join(words)


def _rate(stream: Any) -> float:
    """The average frame rate; the codec's rate if the average is implausible."""
    average, guessed = float(stream.average_rate or 0), float(stream.guessed_rate or 0)
    if average and (not guessed or average < 2 * guessed):
        return average
    return guessed or USUAL_RATE


def _duration(container: Any, stream: Any, rate: float) -> float | None:
    declared = float(stream.duration * stream.time_base) if stream.duration else _tagged_s(stream)
    declared = declared or (container.duration or 0) / 1e6
    counted = stream.frames / rate
    # A file whose frames all have the same time has a duration of about 0.
    return (counted if declared < 0.5 * counted else declared) or None


def _tagged_s(stream: Any) -> float:
    """The duration of a stream of a Matroska file, whose sound may be longer [s]; 0 if unknown."""
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        duration = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return 0.0
    return duration if 0 <= duration < _LONGEST_S else 0.0


def _broken(path: Path, time_s: float | None, reason: str) -> InputError:
    where = _NO_TIME if time_s is None else f"at about {time_s:.2f} s"
    return InputError(f"{path}: a frame {where} can't be decoded ({reason})")


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
