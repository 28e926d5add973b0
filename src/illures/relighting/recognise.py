"""Parse the word for a light: a name, a direction, numbers, or a file of one of five kinds.

Shared by the command line, the studio and the plug-ins. Files are recognised by their first bytes, not by their
suffix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from illures.decompose.decomposition import Decomposition
from illures.errors import InputError, nearest
from illures.io.decoding import decoding, name_for_libraries
from illures.relighting import sources
from illures.relighting.light import PRESETS, Layout, Light
from illures.relighting.sources import Source

Kind = Literal["preset", "direction", "numbers", "map", "json", "coefficients", "photo"]
ALL = "all"
_EXR, _NUMPY, _RADIANCE = b"\x76\x2f\x31\x01", b"\x93NUMPY", b"#?"
_WORDS = (
    "a name of `illures lights`, AZIMUTH,ELEVATION in degrees, an environment map, a light as JSON, "
    "a file of SH numbers, or another photo"
)


@dataclass(frozen=True)
class How:
    """Options for lights that are not fully specified by their word.

    Attributes:
        ambient: of directions: share of ambient light, in [0, 1].
        radius_deg: of directions: angular radius of the lamp.
        rotation_deg: of environment maps: about the vertical.
        layout: of SH numbers.
        keep_colour: of photos: use only the directions of their light.
    """

    ambient: float = 0.2
    radius_deg: float = 6.0
    rotation_deg: float = 0.0
    layout: Layout = "illures"
    keep_colour: bool = False


def kind_of(word: str) -> Kind:
    """The kind of light that a word names.

    Raises:
        InputError: it names none; the message suggests similar names.
    """
    plain = _plain_kind_of(word)
    if plain is not None:
        return plain
    path = Path(word)
    if path.is_dir():
        raise InputError(f"light {word!r}: a folder; must be {_WORDS}")
    if not path.is_file():
        raise InputError(f"light {word!r}: no such preset or file{nearest(word, PRESETS) or f'; must be {_WORDS}'}")
    return _kind_of_file(path)


def recognised_words(words: Iterable[str], how: How) -> list[Source]:
    """As `recognised`, for untrusted words: files are neither opened, nor does a message tell whether they exist.

    Raises:
        InputError: a word is no name, direction or SH numbers.
    """
    found = []
    for word in words:
        kind = _plain_kind_of(word)
        if kind is None:
            rule = "must be a named light, AZIMUTH,ELEVATION in degrees, or 9 or 27 SH numbers"
            raise InputError(f"light {word[:80]!r}: {rule}{nearest(word[:80], PRESETS)}")
        found += _sources(word, kind, lambda _: [], how)
    return found


def recognised(
    words: Iterable[str], decompose: Callable[[Path], list[Decomposition]], how: How | None = None
) -> list[Source]:
    """The lights of some words, in order; "all" stands for all named lights.

    Args:
        words: see `kind_of`.
        decompose: decomposes a photo, for the lights of photos.
        how: options for the lights.

    Raises:
        InputError: a word names no light, or a file is damaged.
    """
    how, found = how or How(), []
    kinds = [(word, kind_of(word)) for word in words]  # all first, so that a typing error is reported before work
    for word, kind in kinds:
        found += _sources(word, kind, decompose, how)
    return found


def _plain_kind_of(word: str) -> Kind | None:
    """The kind of a word that names no file; None otherwise."""
    if word == ALL or word in PRESETS:
        return "preset"
    values = _numbers(word)
    if values is None:
        return None
    if len(values) not in (2, 9, 27):
        raise InputError(f"light {word!r}: {len(values)} numbers; must be AZIMUTH,ELEVATION or 9 or 27 SH numbers")
    return "direction" if len(values) == 2 else "numbers"


def _sources(word: str, kind: Kind, decompose: Callable[[Path], list[Decomposition]], how: How) -> list[Source]:
    if kind == "preset":
        return sources.presets([word])
    if kind == "direction":
        return sources.directions([word], how.ambient, how.radius_deg)
    if kind == "numbers":
        return [Source("sh", Light.from_sh(_numbers(word), how.layout))]
    path = Path(word)
    if kind == "map":
        return sources.maps([path], how.rotation_deg)
    if kind == "json":
        return sources.files([path])
    if kind == "coefficients":
        return sources.coefficients([path], how.layout)
    return sources.references([path], decompose, how.keep_colour)


def _kind_of_file(path: Path) -> Kind:
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(_NUMPY):
        return "map" if _dimensions(path) == 3 else "coefficients"
    if head.startswith(_RADIANCE):
        return "map"
    if head.startswith(_EXR):
        return "map" if _twice_as_wide(path) else "photo"
    try:
        text = head.decode("utf-8").strip()
    except UnicodeDecodeError:
        return "photo"
    if text.startswith(("{", "[")) or path.suffix.lower() == ".json":
        return "json"
    return "coefficients" if path.suffix.lower() in (".txt", ".csv", ".dat", "") else "photo"


def _dimensions(path: Path) -> int:
    with decoding(path, "an array of numbers"):
        return np.load(path, mmap_mode="r", allow_pickle=False).ndim


def _twice_as_wide(path: Path) -> bool:
    """Whether an EXR file has the shape of an environment map; a portrait photo never has."""
    import OpenEXR

    try:
        with name_for_libraries(path) as name, OpenEXR.File(name, header_only=True) as file:
            low, high = file.header()["dataWindow"]
    except (RuntimeError, TypeError, KeyError):
        return False
    width, height = (int(v) + 1 for v in np.asarray(high) - np.asarray(low))
    return abs(width - 2 * height) <= 2


def _numbers(word: str) -> list[float] | None:
    parts = word.replace(" ", "").split(",")
    if len(parts) < 2:
        return None
    try:
        return [float(part) for part in parts]
    except ValueError:
        return None
