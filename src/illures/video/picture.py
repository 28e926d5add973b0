"""A decoded frame as it should be displayed: sRGB, upright, square pixels, deinterlaced, with alpha."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Num, UInt8

from illures.io.container import pyav, side_data
from illures.io.hdr import Colours, to_sdr
from illures.io.photos import over_backdrop

# Default colour matrix: BT.709 from 720 lines on, BT.601 below, as in all players.
_HD_LINES = 720
_UNSPECIFIED = 2  # of H.273
_MATRICES = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020", 10: "BT2020"}


@dataclass(frozen=True)
class Picture:
    """One frame's pixels.

    Attributes:
        image: sRGB; transparent pixels lie over mid grey.
        alpha: 0 (transparent) to 255; None where the file holds none.
        colours: colour code points of the file, before conversion to sRGB.
    """

    image: UInt8[np.ndarray, "height width 3"]
    alpha: UInt8[np.ndarray, "height width"] | None
    colours: Colours


def picture_of(frame: Any, aspect: float) -> Picture:
    """Pixels of a decoded frame.

    Args:
        frame: PyAV's.
        aspect: width of a stored pixel over its height.
    """
    colours = colours_of(frame)
    has_alpha = any(component.is_alpha for component in frame.format.components)
    format = ("rgba" if has_alpha else "rgb24") if colours.is_srgb else ("rgba64le" if has_alpha else "rgb48le")
    width = max(1, round(frame.width * aspect)) if 0.1 < aspect < 10 else frame.width
    pixels = frame.reformat(width=width, format=format, src_colorspace=_matrix(frame)).to_ndarray()
    pixels = np.ascontiguousarray(upright(pixels, _display_matrix(frame)))
    image = _eight_bits(to_sdr(np.ascontiguousarray(pixels[..., :3]), colours))
    if not has_alpha:
        return Picture(image, None, colours)
    alpha = _eight_bits(np.ascontiguousarray(pixels[..., 3]))
    return Picture(np.ascontiguousarray(over_backdrop(np.dstack([image, alpha]))), alpha, colours)


def colours_of(frame: Any) -> Colours:
    """Colour code points of a frame."""
    return Colours(int(frame.color_primaries), int(frame.color_trc), _peak_nits(frame))


def whole_lines(frames: Iterator[Any], stream: Any) -> Iterator[tuple[Any, bool]]:
    """Decoded frames, and whether they were interlaced: then they are deinterlaced to the first field (bwdif)."""
    graph = None
    for frame in frames:
        if graph is None and frame.interlaced_frame:
            graph = _deinterlacer(stream, frame)
        if graph is None:
            yield frame, False
            continue
        graph.push(frame)
        yield from ((each, True) for each in _pulled(graph))
    if graph is not None:
        graph.push(None)
        yield from ((each, True) for each in _pulled(graph))


def upright(picture: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """Quarter turns and mirrorings of a display matrix (FFmpeg: (x', y') = (x, y) M, y down)."""
    if matrix is None:
        return picture
    (a, b), (c, d) = matrix
    if abs(int(b)) > abs(int(a)):
        picture, rows, columns = np.swapaxes(picture, 0, 1), b, c
    else:
        rows, columns = d, a
    return picture[:: -1 if rows < 0 else 1, :: -1 if columns < 0 else 1]


def _matrix(frame: Any) -> str | None:
    if frame.colorspace == _UNSPECIFIED:
        return "ITU709" if frame.height >= _HD_LINES else "ITU601"
    return _MATRICES.get(int(frame.colorspace))


def _display_matrix(frame: Any) -> np.ndarray | None:
    """The frame's display matrix, which maps x and y (rows) of the stored picture; None if there is none."""
    data = side_data(frame, "DISPLAYMATRIX")
    return None if data is None else np.frombuffer(data, np.int32).reshape(3, 3)[:2, :2]


def _peak_nits(frame: Any) -> float | None:
    """Peak luminance of the content, else of the mastering display (side data of FFmpeg)."""
    light = side_data(frame, "CONTENT_LIGHT_LEVEL")
    if light is not None and (most := struct.unpack_from("=I", light)[0]):
        return float(most)
    display = side_data(frame, "MASTERING_DISPLAY_METADATA")
    if display is None or len(display) < 88:
        return None
    above, below, _, known = struct.unpack_from("=4i", display, 72)
    return above / below if known and below else None


def _eight_bits(codes: Num[np.ndarray, "height width *channels"]) -> UInt8[np.ndarray, "height width *channels"]:
    if codes.dtype == np.uint8:
        return codes
    return ((codes.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _deinterlacer(stream: Any, frame: Any) -> Any:
    import av.filter

    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or stream.time_base
    )
    filter_ = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(filter_)
    filter_.link_to(sink)
    graph.configure()
    return graph


def _pulled(graph: Any) -> Iterator[Any]:
    av = pyav()
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
