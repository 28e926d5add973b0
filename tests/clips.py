"""Small clips made on the spot: the astronaut's face moved about in known ways, with a tone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np

from illures.io.photos import read_photo

ASTRONAUT = Path(__file__).parents[1] / "src" / "illures" / "assets" / "astronaut.jpg"
SIZE = (200, 240)
TIME_BASE = Fraction(1, 12800)
STEP = 512  # 25 frames a second

Shift = Callable[[int], tuple[float, float, float]]


@cache
def _photo() -> np.ndarray:
    return read_photo(ASTRONAUT)


def still(number: int) -> tuple[float, float, float]:
    return 0.0, 0.0, 1.0


def pan(number: int) -> tuple[float, float, float]:
    return 2.0 * number, 0.5 * number, 1.0 + 0.004 * number


def pictures(count: int, motion: Shift = still, noise: float = 0.0, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """The astronaut's head from a frame to the next; motion gives x, y [px] and zoom."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        x, y, zoom = motion(number)
        matrix = np.array([[zoom, 0, x - 100 * zoom], [0, zoom, y - 20 * zoom]])
        image = cv2.warpAffine(_photo(), matrix, size[::-1], flags=cv2.INTER_CUBIC).astype(np.float32)
        made.append(np.clip(image + noise * rng.standard_normal(image.shape) + 0.5, 0, 255).astype(np.uint8))
    return made


def write_clip(
    path: Path,
    images: Sequence[np.ndarray],
    pts: Sequence[int] | None = None,
    *,
    audio: str | None = None,
    codec: str = "libx264",
    turned: int = 0,
    sound_s: float | None = None,
) -> Path:
    """Encode nearly without loss; sound ends with the last picture, or lasts `sound_s`."""
    pts = pts or [STEP * number for number in range(len(images))]
    options = {"crf": "8", "preset": "ultrafast", "g": "5"} if codec == "libx264" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p" if codec == "libx264" else "bgr0"
        stream.codec_context.time_base = TIME_BASE
        length_s = pts[-1] * TIME_BASE if sound_s is None else Fraction(sound_s)
        sound = _sound(container, audio, length_s) if audio else []
        for image, time in zip(images, pts, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = time, TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for packet in sound:
            container.mux(packet)
    return path if not turned else turn(path, turned)


def _sound(container: av.container.OutputContainer, codec: str, length_s: Fraction) -> list[av.Packet]:
    """A tone, encoded."""
    stream = container.add_stream(codec, rate=48000, layout="mono")
    time = np.arange(int(48000 * length_s))
    tone = (0.3 * np.sin(2 * np.pi * 440 * time / 48000) * 32767).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
    frame.sample_rate, frame.pts = 48000, 0
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=48000, frame_size=1024)
    resampled = [*resampler.resample(frame), *resampler.resample(None)]
    return [packet for frame in [*resampled, None] for packet in stream.encode(frame)]


def turn(path: Path, degrees: int) -> Path:
    """The same file with a display matrix that turns it for the viewer by quarter turns; ISO/IEC 14496-12, tkhd."""
    matrix = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 4 * 5 + 8 + 8  # version, five numbers, reserved, layer to volume
    values = [matrix[0], matrix[1], 0, matrix[2], matrix[3], 0, 0, 0]
    data[at : at + 32] = b"".join((value << 16 & 0xFFFFFFFF).to_bytes(4, "big") for value in values)
    path.write_bytes(data)
    return path


def decode(path: Path) -> tuple[list[np.ndarray], list[float]]:
    """Frames as stored, and their times [s]."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [frame.to_ndarray(format="rgb24") for frame in frames], [frame.time for frame in frames]


def audio_packets(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        packets = container.demux(audio=0)
        return [(float(p.dts * p.time_base), bytes(p)) for p in packets if p.dts is not None and p.size]


def write_coded(
    path: Path,
    images: Sequence[np.ndarray],
    *,
    codec: str = "libx265",
    pixels: str = "yuv420p10le",
    matrix: int = 9,
    primaries: int = 9,
    transfer: int = 18,
    full: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """A clip with colour code points (ITU-T H.273; default: BT.2020, HLG); pixels use that matrix and range."""
    names = {1: "ITU709", 5: "ITU601", 9: "BT2020"}
    quiet = {"x265-params": "log-level=none:bframes=0:" + (options or {}).pop("x265", "")} if codec == "libx265" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"crf": "4"} | quiet | (options or {}))
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixels
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = matrix, primaries, transfer
        context.color_range = 2 if full else 1
        for number, image in enumerate(images):
            kind = {np.dtype(np.uint8): "rgb24", np.dtype(np.uint16): "rgb48le"}[image.dtype]
            kind = kind if image.shape[2] == 3 else kind.replace("rgb24", "rgba").replace("rgb48le", "rgba64le")
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=kind)
            frame = frame.reformat(
                format=pixels, dst_colorspace=names[matrix], dst_color_range="JPEG" if full else "MPEG"
            )
            frame.colorspace, frame.color_range = matrix, 2 if full else 1
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
