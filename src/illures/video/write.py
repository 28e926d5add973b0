"""Writing a clip: encoded once, in parts that outlive a killed run, then joined with the sound by copying packets.

A part holds some seconds of finished video (NUT, which keeps every time base) and the state that the next part starts
from. Parts begin with a key frame and hold no B-frames, so that they follow each other without re-encoding.
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
from illures.video.sequence import check_pictures, is_sequence

_JOB = "job.json"
# H.264 and VP9 say in the stream how to read their colours: BT.709, limited range (numbers of ISO/IEC 23091-2).
_BT709, _LIMITED = 1, 1


@dataclass(frozen=True)
class Coding:
    """How a kind of file holds its video and sound.

    Attributes:
        container: FFmpeg's name of the format.
        codec: encoder of the video.
        pixels: FFmpeg's pixel format.
        options: of the encoder.
        audio: encoder for sound that the container can't hold as it is.
        alpha: whether frames have four channels, RGBA.
        part: FFmpeg's name of the format of parts; NUT knows no ProRes.
    """

    container: str
    codec: str
    pixels: str
    options: Mapping[str, str]
    audio: str
    alpha: bool = False
    part: str = "nut"

    def for_size(self, height: int, width: int) -> Coding:
        """The coding for frames of this size: H.264 stores an odd side only with a colour for each pixel (4:4:4)."""
        odd = self.codec == "libx264" and (height % 2 or width % 2)
        return replace(self, pixels="yuv444p") if odd else self

    @property
    def yuv(self) -> bool:
        """Whether colours are stored as BT.709 in limited range."""
        return self.pixels.startswith("yuv")


_H264 = {"preset": "veryfast", "crf": "17", "bf": "0"}
# Without lag VP9 makes no invisible frames, which could not be cut into parts.
_VP9 = {"deadline": "realtime", "cpu-used": "6", "crf": "20", "b:v": "0", "lag-in-frames": "0", "row-mt": "1"}
_FFV1 = {"level": "3", "slices": "4", "slicecrc": "1"}
CODINGS: Mapping[str, Coding] = {
    ".mp4": Coding("mp4", "libx264", "yuv420p", _H264, "aac"),
    ".m4v": Coding("mp4", "libx264", "yuv420p", _H264, "aac"),
    ".mov": Coding("mov", "libx264", "yuv420p", _H264, "aac"),
    ".webm": Coding("webm", "libvpx-vp9", "yuv420p", _VP9, "libopus"),
    ".mkv": Coding("matroska", "ffv1", "bgr0", _FFV1, "flac"),
}
# Those that hold the matte as alpha.
ALPHA_CODINGS: Mapping[str, Coding] = {
    ".mov": Coding(
        "mov", "prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "16"}, "pcm_s16le", True, "mov"
    ),
    ".mkv": Coding("matroska", "ffv1", "bgra", _FFV1, "flac", True),
}


def coding_for(out: Path, alpha: bool = False) -> Coding:
    """The coding that the name of a file asks for; numbered pictures go through lossless parts.

    Raises:
        InputError: an unknown suffix, or one that can't hold alpha.
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
    """Whether a video file or numbered pictures of this name can hold alpha."""
    try:
        coding_for(out, alpha=True)
    except InputError:
        return False
    return True


class PartWriter:
    """Encodes the frames of one part; used in `with`, it leaves a file only where all went well.

    Args:
        path: where the part goes.
        coding: how it is encoded.
        size: (height, width) of the frames [px].
        time_base: unit of the frames' times [s].
        rate: average frames a second, for the encoder's planning alone.
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
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = _LIMITED
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
    """The folder OUT.parts: what is finished of a clip, and what is needed to go on.

    Args:
        out: the video that is to be written.
        job: what decides how the frames look (clip, options, versions); the parts of another job are thrown away.

    Raises:
        InputError: the folder can't be written, or is there and is not ours.
    """

    def __init__(self, out: Path, job: Mapping[str, Any]) -> None:
        self.out = out
        self.folder = out.with_name(out.name + ".parts")
        text = json.dumps(job, sort_keys=True)
        if self.folder.exists():
            self._check_ours()
            if self._read_job() != text:
                shutil.rmtree(self.folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(self.folder, error) from error
        write_whole(self.folder / _JOB, text.encode())

    def path(self, number: int) -> Path:
        """Where the video of a part lies."""
        return self.folder / f"{number:06d}.nut"

    def done(self) -> int:
        """How many parts are finished."""
        number = 0
        while self.path(number).exists():
            number += 1
        # A part counts once the state after it is written.
        while number and not self._state(number).exists():
            number -= 1
        return number

    def save_state(self, number: int, state: Mapping[str, np.ndarray]) -> None:
        """Keep the state after `number` parts in place of the one before."""
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
        """Throw everything away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz"

    def _check_ours(self) -> None:
        if not (self.folder / _JOB).is_file() and any(self.folder.iterdir()):
            raise InputError(f"{self.folder}: exists and was not written by illures; remove or rename it")

    def _read_job(self) -> str:
        try:
            return (self.folder / _JOB).read_text(encoding="utf-8")
        except OSError:
            return ""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """FFmpeg's and the system's errors as ours, naming the file."""
    av = pyav()
    try:
        yield
    except OSError as error:  # FFmpeg's own errors of the disk are OSErrors, too
        raise write_error(path, error) from error
    except av.error.FFmpegError as error:
        raise InputError(f"{path}: can't be written ({error})") from error
