"""Options that several commands share: one name, one meaning, one help text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from illures.cli.app import Flag
from illures.errors import InputError

if TYPE_CHECKING:
    from illures.decompose.decomposer import Decomposer
    from illures.decompose.decomposition import Decomposition
    from illures.faces.finder import FaceFinder
    from illures.relighting.sources import Source

Many = Parameter(consume_multiple=True, negative="")
Output = Annotated[Path, Parameter(alias="-o")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FaceOptions:
    """Which faces of a photo count.

    Attributes:
        min_face: Width in pixels that a face must have; default: faces are sought from 64 pixels on in large photos,
            and smaller ones that turn up count, too.
        min_score: How sure a face must be, above 0 and below 1 (the score in face.json); less finds profiles and faces
            under hats, and at times what is no face.
    """

    min_face: float | None = None
    min_score: float = 0.5

    def check(self) -> None:
        """Raise an InputError where a value is out of its range."""
        if not 0 < self.min_score < 1:
            raise InputError(f"min-score {self.min_score:g}: must be above 0 and below 1")
        if self.min_face is not None and not 16 <= self.min_face <= 10_000:
            raise InputError(f"min-face {self.min_face:g}: must be from 16 to 10000 pixels")

    def choose(self, decomposer: Decomposer) -> None:
        """Have these faces alone found, where anything was asked for."""
        if self != FaceOptions():
            decomposer.find_faces = self.finder()

    def finder(self) -> FaceFinder:
        """A finder of these faces."""
        from illures.faces.finder import FaceFinder

        return FaceFinder(self.min_face, self.min_score)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LightOptions:
    """The lights to put on faces.

    Attributes:
        light: Whatever is a light: a name of `illures lights` (or "all"); AZIMUTH,ELEVATION of a lamp in degrees (0,0
            is the camera, 90,0 image right, 0,90 straight above); an environment map (.hdr, .exr, .npy, twice as wide
            as high); a light as JSON (light.json of `illures decompose`, or saved from the studio); SH numbers (9 or 27
            with commas, or a file of them); another photo, for the light of its largest face.
        ambient: Of AZIMUTH,ELEVATION: share of the light that comes from all around, 0 to 1.
        radius: Of AZIMUTH,ELEVATION: angular radius of the lamp in degrees; larger is softer.
        rotation: Turns environment maps about the vertical, in degrees; what lay behind the camera goes toward image
            right.
        keep_colour: Of another photo: take the directions of its light alone, and leave the face the colour of its own.
        layout: Of SH numbers; docs/conventions.md has the three.
        exposure: In stops, from the strength that keeps the face as bright as it was.
    """

    light: Annotated[tuple[str, ...], Many] = ()
    ambient: float = 0.2
    radius: float = 6.0
    rotation: float = 0.0
    keep_colour: Annotated[bool, Parameter(alias="--keep-color"), Flag] = False
    layout: Literal["illures", "sfsnet", "dpr"] = "illures"
    exposure: float = 0.0

    def check(self) -> None:
        """Raise an InputError where a word is no light or a value is out of its range, before any work."""
        from illures.relighting.recognise import kind_of

        for word in self.light:
            kind_of(word)
        if not -10 <= self.exposure <= 10:
            raise InputError(f"exposure {self.exposure:g}: must be from -10 to 10 stops")

    def sources(self, decompose: Callable[[Path], list[Decomposition]]) -> list[Source]:
        """The lights, in the order in which they were given; raises an InputError for a damaged file."""
        from illures.relighting.recognise import How, recognised

        how = How(self.ambient, self.radius, self.rotation, self.layout, self.keep_colour)
        return recognised(self.light, decompose, how)
