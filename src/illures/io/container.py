"""The one place where clips are opened: only the file itself is read, even if it refers to others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from illures.errors import InputError

# FFmpeg's names of containers and raw streams. Playlists (concat, hls, dash, imf) and numbered pictures are left out,
# as they refer to other files.
DEMUXERS = (
    "3g2,3gp,aac,aiff,flac,mp3,wav,apng,asf,avi,av1,dv,flv,gif,h261,h263,h264,hevc,ivf,matroska,webm,mjpeg,m4v,mov,mp4,m4a,mj2,"
    "mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,rm,vc1,webp,yuv4mpegpipe"
)

# Larger pictures are scans and panoramas; their float maps do not fit into the memory of an ordinary machine.
MAX_PIXELS = 128_000_000
_PLAYLISTS = (b"ffconcat", b"#EXTM3U", b"[playlist]", b"<MPD")  # how they begin


def pyav() -> Any:
    """PyAV, the optional library that reads and writes clips.

    Raises:
        InputError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise InputError('clips need the extra: pip install "illures[video]"') from error
    return av


def open_container(path: Path, pixels: int = MAX_PIXELS) -> Any:
    """The container of a clip, to be read; a context manager.

    FFmpeg decodes a frame to learn what the file holds. Frames of more than `pixels` pixels are refused, here and
    later.

    Raises:
        av.error.FFmpegError: it can't be opened, or is of a kind that is not on the list.
        InputError: it is a playlist.
    """
    av = pyav()
    if Path(path).is_file():
        with Path(path).open("rb") as file:
            beginning = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
        if beginning.startswith(_PLAYLISTS):
            raise InputError(f"{path}: a playlist, not a clip; the files that it names are not opened")
    # `file:` keeps a name such as concat:a|b from being taken for a protocol.
    options = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS, "max_pixels": str(pixels)}
    container = av.open(f"file:{path}", options=options)
    for stream in container.streams.video:
        if stream.codec_context is not None:
            stream.codec_context.options = {"max_pixels": str(pixels)}
    return container


def decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Frames of a stream from the current position; VP8 and VP9 with alpha, which FFmpeg's own decoders drop.

    Raises:
        av.error.FFmpegError, ValueError: a frame is broken.
    """
    av = pyav()
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.codec.canonical_name)
    if stream.metadata.get("alpha_mode") != "1" or name not in av.codecs_available:
        yield from container.decode(stream)
        return
    decoder = av.CodecContext.create(name, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.options = stream.codec_context.options
    for packet in container.demux(stream):
        for frame in decoder.decode(packet if packet.size else None):
            frame.time_base = stream.time_base
            yield frame


def side_data(frame: Any, name: str) -> bytes | None:
    """Side data of a frame, by FFmpeg's name of the kind; None if there is none.

    Looked up by key, as PyAV 19 changed what a loop over the side data gives.
    """
    from av.sidedata.sidedata import Type

    data = frame.side_data.get(Type[name])
    return None if data is None else bytes(data)
