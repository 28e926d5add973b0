"""Write a clip: encoded once, in parts that survive a killed run, then joined with the sound by copying packets.

A part holds some seconds of finished video (NUT, which supports every time base) and the state that the next part
starts from. Parts begin with a key frame and have no B-frames, so that they can be joined without re-encoding.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import UInt8

from illures.errors import InputError
from illures.io.container import pyav
from illures.io.decoding import read_npz
from illures.io.files import write_error, write_whole
from illures.jobs.pool import LOCK, one_writer
from illures.video.sequence import check_pictures, is_sequence

_JOB = "job.json"
# Colour code points in H.264 and VP9 streams: BT.709, limited range (numbers of ISO/IEC 23091-2).
_BT709, _LIMITED = 1, 1


@dataclass(frozen=True)
class Coding:
    """Encoding of video and sound for one kind of file.

    Attributes:
        container: FFmpeg's name of the format.
        codec: encoder of the video.
        pixels: FFmpeg's pixel format.
        options: of the encoder.
        audio: encoder for sound that the container does not support.
        alpha: whether frames have four channels, RGBA.
        part: FFmpeg's name of the format of parts; NUT does not support ProRes.
    """

    container: str
    codec: str
    pixels: str
    options: Mapping[str, str]
    audio: str
    alpha: bool = False
    part: str = "nut"

    def for_size(self, height: int, width: int) -> Coding:
        """The coding for frames of this size: H.264 supports odd sides only without chroma subsampling (4:4:4)."""
        odd = self.codec == "libx264" and (height % 2 or width % 2)
        return replace(self, pixels="yuv444p") if odd else self

    @property
    def yuv(self) -> bool:
        """Whether colours are stored as BT.709 in limited range."""
        return self.pixels.startswith("yuv")


_H264 = {"preset": "veryfast", "crf": "17", "bf": "0"}
# Without lag VP9 makes no invisible frames, which could not be split into parts.
_VP9 = {"deadline": "realtime", "cpu-used": "6", "crf": "20", "b:v": "0", "lag-in-frames": "0", "row-mt": "1"}
_FFV1 = {"level": "3", "slices": "4", "slicecrc": "1"}
CODINGS: Mapping[str, Coding] = {
    ".mp4": Coding("mp4", "libx264", "yuv420p", _H264, "aac"),
    ".m4v": Coding("mp4", "libx264", "yuv420p", _H264, "aac"),
    ".mov": Coding("mov", "libx264", "yuv420p", _H264, "aac"),
    ".webm": Coding("webm", "libvpx-vp9", "yuv420p", _VP9, "libopus"),
    ".mkv": Coding("matroska", "ffv1", "bgr0", _FFV1, "flac"),
}
# Encodings with the matte as alpha.
ALPHA_CODINGS: Mapping[str, Coding] = {
    ".mov": Coding(
        "mov", "prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "16"}, "pcm_s16le", True, "mov"
    ),
    ".mkv": Coding("matroska", "ffv1", "bgra", _FFV1, "flac", True),
}


def coding_for(out: Path, alpha: bool = False) -> Coding:
    """The encoding for a file name; numbered pictures go through lossless parts.

    Raises:
        InputError: an unknown suffix, or one without alpha support.
    """
    if is_sequence(out):
        check_pictures(out, alpha)
        return ALPHA_CODINGS[".mkv"] if alpha else CODINGS[".mkv"]
    coding = (ALPHA_CODINGS if alpha else CODINGS).get(out.suffix.lower())
    if coding is None:
        kinds, what = (ALPHA_CODINGS, "alpha is held by") if alpha else (CODINGS, "unknown kind of video; must end in")
        raise InputError(f"{out}: {what} {', '.join(kinds)}, or numbered pictures such as frame.%04d.png")
    return coding


def can_hold_alpha(out: Path) -> bool:
    """Whether a video file or numbered pictures of this name support alpha."""
    try:
        coding_for(out, alpha=True)
    except InputError:
        return False
    return True


def say_colours(context: Any) -> None:
    """Declare the colours of a codec context as BT.709 in limited range."""
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED


class PartWriter:
    """Encodes the frames of one part; used in `with`; a file remains only after success.

    Args:
        path: where the part goes.
        coding: how it is encoded.
        size: (height, width) of the frames [px].
        time_base: unit of the frames' times [s].
        rate: average frame rate [1/s], a hint for the encoder.
    """

    def __init__(self, path: Path, coding: Coding, size: tuple[int, int], time_base: Fraction, rate: float) -> None:
        av = pyav()
        coding = coding.for_size(*size)
        self._path, self._coding, self._time_base = path, coding, time_base
        self._partial = path.with_name(path.name + ".partial")
        height, width = size
        with writing(path):
            names = ("movie_timescale", "video_track_timescale") if coding.part == "mov" else ()
            options = dict.fromkeys(names, str(time_base.denominator))
            self._container = av.open(str(self._partial), "w", format=coding.part, options=options)
            planned = Fraction(rate).limit_denominator(1001)
            stream: Any = self._container.add_stream(coding.codec, rate=planned, options=dict(coding.options))
        stream.width, stream.height, stream.pix_fmt = width, height, coding.pixels
        context = stream.codec_context
        context.time_base = time_base
        if coding.yuv:
            say_colours(context)
        self._stream = stream

    def __enter__(self) -> PartWriter:
        return self

    def add(self, image: UInt8[np.ndarray, "height width channels"], pts: int) -> None:
        """Encode the next frame, shown from `pts` [time base] on."""
        av = pyav()
        frame = av.VideoFrame.from_ndarray(image, format="rgba" if self._coding.alpha else "rgb24")
        matrix, limits = ("ITU709", "MPEG") if self._coding.yuv else (None, None)
        frame = frame.reformat(format=self._coding.pixels, dst_colorspace=matrix, dst_color_range=limits)
        frame.pts, frame.time_base = pts, self._time_base
        with writing(self._path):
            self._container.mux(self._stream.encode(frame))

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        with writing(self._path):
            if kind is None:
                self._container.mux(self._stream.encode(None))
                self._container.close()
                os.replace(self._partial, self._path)
                return
        self._container.close()
        self._partial.unlink(missing_ok=True)


class Parts:
    """The folder OUT.parts: finished parts of a clip, and the state to continue.

    Args:
        out: the video that is to be written.
        job: everything that decides how frames look (clip, options, versions); parts of another job are deleted.

    Raises:
        InputError: the folder can't be written, or exists and was not written by illures.
    """

    def __init__(self, out: Path, job: Mapping[str, Any]) -> None:
        self.out = out
        self.folder = _folder_of(out)
        text = json.dumps(job, sort_keys=True)
        _check_ours(self.folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._read_job() != text:
                for left in self.folder.iterdir():
                    if left.name != LOCK:
                        left.unlink()
        except OSError as error:
            raise write_error(self.folder, error) from error
        write_whole(self.folder / _JOB, text.encode())

    def path(self, number: int) -> Path:
        """Path of the video of a part."""
        return self.folder / f"{number:06d}.nut"

    def done(self) -> int:
        """Number of finished parts."""
        number = 0
        while self.path(number).exists():
            number += 1
        # A part counts once the state after it is written.
        while number and not self._state(number).exists():
            number -= 1
        return number

    def save_state(self, number: int, state: Mapping[str, np.ndarray]) -> None:
        """Replace the stored state by the one after `number` parts."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **dict(state))
        write_whole(self._state(number), buffer.getvalue())
        self._state(number - 1).unlink(missing_ok=True)

    def load_state(self, number: int) -> dict[str, np.ndarray]:
        """The state after `number` parts.

        Raises:
            InputError: it can't be read.
        """
        path = self._state(number)
        try:
            return read_npz(path)
        except InputError as error:
            raise InputError(f"{path}: damaged; remove {self.folder} to begin anew") from error

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz"

    def _read_job(self) -> str:
        try:
            return (self.folder / _JOB).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return ""


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Hold OUT.parts for this process.

    Raises:
        InputError: another process holds it, it can't be written, or is there and is not ours.
    """
    _check_ours(_folder_of(out))
    with one_writer(_folder_of(out)):
        yield


def _folder_of(out: Path) -> Path:
    return out.with_name(out.name + ".parts")


def _check_ours(folder: Path) -> None:
    if not os.path.lexists(folder) or (folder / _JOB).is_file():
        return
    if not folder.is_dir() or any(path.name != LOCK for path in folder.iterdir()):
        raise InputError(f"{folder}: exists and was not written by illures; remove or rename it")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Convert errors of FFmpeg and the system to InputError, with the name of the file."""
    av = pyav()
    try:
        yield
    except OSError as error:  # FFmpeg's own errors of the disk are OSErrors, too
        raise write_error(path, error) from error
    except av.error.FFmpegError as error:
        raise InputError(f"{path}: can't be written ({error})") from error
