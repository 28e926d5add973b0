"""Join finished parts of a video and the sound of the source clip in one file by copying packets."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

from illures.io.container import open_container, pyav
from illures.video.sequence import RATE, Shown, files_of, is_sequence, write_pictures
from illures.video.write import Coding, Parts, say_colours, writing


def time_base_of(clip: Path) -> Fraction:
    """Time base of a clip's frames [s]."""
    if is_sequence(clip):
        return Fraction(1, RATE)
    with open_container(clip) as container:
        base = container.streams.video[0].time_base  # of a class of its own since PyAV 19
        return Fraction(base.numerator, base.denominator) if base else Fraction(1, 90000)


def join(
    parts: Parts,
    count: int,
    clip: Path,
    coding: Coding,
    time_base: Fraction,
    shown: Shown = Shown(),  # noqa: B008 (frozen)
) -> None:
    """Write the finished parts and the clip's sound to the output, whole or not at all.

    The video's packets are copied; so are those of the sound, unless the container can't hold its codec.

    Raises:
        DiskFullError, InputError: the output can't be written.
    """
    av = pyav()
    if is_sequence(parts.out):
        first_number = next(iter(files_of(clip))) if is_sequence(clip) else 1
        write_pictures(parts.out, first_number, _pictures(parts, count, coding.alpha), shown)
        return
    partial = parts.folder / "joined.partial"
    options = {}
    if coding.container in ("mp4", "mov"):
        # With a movie timescale coarser than the track's, the first frame's time would be rounded to milliseconds.
        ticks = str(time_base.denominator)
        options = {"movflags": "faststart", "movie_timescale": ticks, "video_track_timescale": ticks}
    try:
        with writing(parts.out), ExitStack() as stack:
            output = stack.enter_context(av.open(str(partial), "w", format=coding.container, options=options))
            source = None if is_sequence(clip) else stack.enter_context(open_container(clip))
            first = stack.enter_context(open_container(parts.path(0)))
            stream = output.add_stream_from_template(first.streams.video[0])
            if coding.part == coding.container:  # PyAV drops the tag, which tells ProRes 4444 from ProRes without alpha
                stream.codec_context.codec_tag = first.streams.video[0].codec_context.codec_tag
            if coding.yuv:  # VP9 has no place for primaries and curve; Matroska's header has
                say_colours(stream.codec_context)
            heard = source.streams.audio if source else ()
            sounds = {s.index: _sound(output, s, coding) for s in heard if s.codec_context}
            video = (packet for number in range(count) for packet in _packets(parts.path(number), stream))
            audio = _audio(source, sounds) if source else iter(())
            for _, packet in heapq.merge(video, audio, key=lambda timed: timed[0]):
                output.mux(packet)
        os.replace(partial, parts.out)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _pictures(parts: Parts, count: int, alpha: bool) -> Iterator[Any]:
    """The frames of finished parts, RGB or RGBA."""
    for number in range(count):
        with open_container(parts.path(number)) as container:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgba" if alpha else "rgb24")


def _packets(part: Path, stream: Any) -> Iterator[tuple[float, Any]]:
    """Packets of a part with their times [s], ready to be written to `stream`."""
    with open_container(part) as container:
        for packet in container.demux(video=0):
            if packet.dts is not None:
                time_s = float(packet.dts * packet.time_base)
                packet.stream = stream
                yield time_s, packet


Carry = Callable[[Any], list[Any]]


def _sound(output: Any, stream: Any, coding: Coding) -> Carry:
    """A function from a packet of this sound to the packets to write; called with None at the end."""
    av = pyav()
    context = stream.codec_context
    if context.codec.canonical_name in output.supported_codecs:
        copy = output.add_stream_from_template(stream)
        copy.metadata.update({k: v for k, v in stream.metadata.items() if k in ("language", "title")})

        def carry(packet: Any) -> list[Any]:
            if packet is None or packet.dts is None:
                return []
            packet.stream = copy
            return [packet]

        return carry

    target = output.add_stream(coding.audio, rate=48000 if coding.audio == "libopus" else context.rate)
    target.layout = "stereo" if context.channels > 1 else "mono"
    resampler = av.AudioResampler(format=target.codec_context.format, layout=target.layout, rate=target.rate)

    def recode(packet: Any) -> list[Any]:
        frames = [None] if packet is None else packet.decode()
        resampled = [f for frame in frames for f in resampler.resample(frame)]
        made = [p for frame in resampled for p in target.encode(frame)]
        return made if packet is not None else made + target.encode(None)

    return recode


def _audio(source: Any, sounds: Mapping[int, Carry]) -> Iterator[tuple[float, Any]]:
    """Packets of all audio streams of the clip with their times [s]."""
    time_s = 0.0
    streams = [stream for stream in source.streams.audio if stream.index in sounds]
    for packet in source.demux(streams) if streams else ():
        index = packet.stream.index
        if packet.dts is None and packet.size == 0:
            continue  # end marker of the demuxer
        for made in sounds[index](packet):
            time_s = float((made.dts or 0) * made.time_base)
            yield time_s, made
    for index in sounds:
        for made in sounds[index](None):
            yield time_s, made
