"""Lights as named by users: presets, directions, maps, files of numbers, other photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from illures.decompose.decomposition import Decomposition
from illures.errors import InputError
from illures.faces.contour import NOSE_BRIDGE, points68
from illures.io.decoding import decoding, read_npy
from illures.relighting.exposure import exposed, matched, tinted
from illures.relighting.light import LAYOUTS, PRESETS, Light

# Largest file of coefficients; it holds at most 27 numbers.
_MOST_BYTES = 1 << 20

Decompose = Callable[[Path], list[Decomposition]]


@dataclass(frozen=True)
class Source:
    """A light for relighting photos.

    Attributes:
        name: used for the output file.
        light: upright.
        stops: exposure relative to that of the photo.
        white: the light takes the colour of each photo's own light.
        relative: its colours are relative to each photo's own light, as it does not come from a photo.
        follows_pose: mirror the light for a face turned to image right.
    """

    name: str
    light: Light
    stops: float = 0.0
    white: bool = False
    relative: bool = False
    follows_pose: bool = False

    def on(self, face: Decomposition, stops: float = 0.0) -> Light:
        """The light for one photo, whose largest face this is."""
        light = self.light
        if self.follows_pose and _turned_right(face):
            light = light.mirrored()
        if self.white:
            light = matched(light, face)
        if self.relative:
            light = tinted(light, face)
        return exposed(light, face, self.stops + stops)


def presets(names: Iterable[str]) -> list[Source]:
    """Named lights; "all" stands for all of them.

    Raises:
        InputError: no preset has such a name.
    """
    found = []
    for name in names:
        for each in PRESETS if name == "all" else (name,):
            light = Light.preset(each)
            found.append(
                Source(each, light, PRESETS[each].stops, relative=True, follows_pose=PRESETS[each].follows_pose)
            )
    return found


def directions(texts: Iterable[str], ambient: float, radius_deg: float) -> list[Source]:
    """Lamps from "AZIMUTH,ELEVATION" in degrees.

    Raises:
        InputError: not two numbers, or out of range.
    """
    found = []
    for text in texts:
        try:
            azimuth, elevation = (float(part) for part in text.split(","))
        except ValueError:
            raise InputError(f"direction {text!r}: must be AZIMUTH,ELEVATION in degrees, such as 45,30") from None
        light = Light.from_direction(azimuth, elevation, ambient=ambient, radius_deg=radius_deg)
        found.append(Source(f"direction{azimuth:+g}{elevation:+g}", light, relative=True))
    return found


def maps(paths: Iterable[Path], rotation_deg: float) -> list[Source]:
    """Environment maps; raises an InputError for other files."""
    suffix = f"{rotation_deg:+g}" if rotation_deg else ""
    return [Source(path.stem + suffix, Light.from_hdri(path, rotation_deg), relative=True) for path in paths]


def files(paths: Iterable[Path]) -> list[Source]:
    """JSON files of lights; `light.json` of a decomposition is named after its photo and face."""
    found = []
    for path in paths:
        light = Light.from_json(path)
        parts = path.resolve().parts
        named = "-".join(parts[-3:-1]) if path.name == "light.json" and len(parts) > 3 else path.stem
        found.append(Source(named, light))
    return found


def coefficients(paths: Iterable[Path], layout: str) -> list[Source]:
    """Files of spherical-harmonic numbers, separated by blanks, commas or line ends, or .npy.

    Raises:
        InputError: a file is missing, holds something else than numbers, or not as many as the layout has.
    """
    if layout not in LAYOUTS:
        raise InputError(f"layout {layout!r}: must be one of {', '.join(LAYOUTS)}")
    found = []
    for path in paths:
        values = _numbers(path)
        try:
            found.append(Source(path.stem, Light.from_sh(values, layout)))
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    return found


def references(paths: Iterable[Path], decompose: Decompose, keep_colour: bool) -> list[Source]:
    """The lights of other photos' largest faces.

    Raises:
        InputError: a photo can't be read or shows no face.
    """
    found = []
    for path in paths:
        faces = decompose(path)
        if not faces:
            raise InputError(f"{path}: no face found, so there is no light to take from it")
        found.append(Source(f"like-{path.stem}", Light.like(faces[0], keep_colour), white=keep_colour))
    return found


def distinct(sources: Iterable[Source]) -> dict[str, Source]:
    """Sources by file name; duplicate names get a number."""
    chosen: dict[str, Source] = {}
    for source in sources:
        name, number = source.name, 2
        while name.casefold() in (taken.casefold() for taken in chosen):
            name, number = f"{source.name}-{number}", number + 1
        chosen[name] = source
    return chosen


def _turned_right(face: Decomposition) -> bool:
    """Whether the nose is nearer to the right edge of the face than to the left one in the photo."""
    points = points68(face.crop.face.landmarks)[:, :2]
    nose = face.crop.face.landmarks[list(NOSE_BRIDGE)[-1], :2]
    across = points[16] - points[0]
    along = float((nose - points[0]) @ across) / max(float(across @ across), 1e-9)
    return along > 0.5


def _numbers(path: Path) -> np.ndarray:
    if path.suffix.lower() == ".npy":
        return np.asarray(read_npy(path, _MOST_BYTES), np.float64)
    with decoding(path, "numbers and nothing else"):
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: too large for a file of coefficients")
        return np.array([float(word) for word in path.read_text(encoding="utf-8").replace(",", " ").split()])
